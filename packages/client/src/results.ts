import { type Consumed, type DenialCode, type Holder, LIMITS, type Outcome, type RefusalCode } from '@trefoil/license';
import { denialSentence } from './sentences.ts';
import type { Seat } from './seat.ts';

/** The group decided that there is none. */
export interface Denied {
  readonly kind: 'denied';
  readonly code: DenialCode;
  readonly product: string;
  readonly feature: string;
  readonly quantity: number;
  readonly free: number;
  /** How many wait for a seat. */
  readonly waiting: number;
  /** When it begins, ended, or may change; undefined = nobody knows. */
  readonly at: Date | undefined;
  /** What would do, by the code: versions, ways of counting, the admin's rule. */
  readonly detail: string;
  /** Who has the seats, longest first; ten at most. */
  readonly holders: readonly Holder[];
  /** A sentence for a person. */
  readonly sentence: string;
}

/** The request itself can't be done: evicted, forgotten, not allowed. */
export interface Refused {
  readonly kind: 'refused';
  readonly code: RefusalCode;
  readonly detail: string;
}

/** No answer that could be believed, in time. It may have been done: `again` asks with the same request, which is done once. */
export interface Unknown<T> {
  readonly kind: 'unknown';
  readonly reason: string;
  readonly again: () => Promise<T>;
}

export type AcquireResult =
  | { readonly kind: 'granted'; readonly seat: Seat }
  | Denied
  | Refused
  | Unknown<AcquireResult>;

export type ConsumeResult =
  | {
      readonly kind: 'consumed';
      /** What all of it weighed. */
      readonly units: number;
      /** In the licenses that it came from; Infinity = there is no limit. */
      readonly remaining: number;
      readonly parts: readonly Consumed[];
    }
  | Denied
  | Refused
  | Unknown<ConsumeResult>;

export function consumedResult({ parts }: Outcome & { kind: 'consumed' }): ConsumeResult {
  // A license that was used for two items is named twice; the later one says what is left.
  const left = new Map(parts.map((part) => [part.license, part.left === LIMITS.units ? Infinity : part.left]));
  return {
    kind: 'consumed',
    units: parts.reduce((sum, part) => sum + part.units, 0),
    remaining: [...left.values()].reduce((sum, one) => sum + one, 0),
    parts,
  };
}

export function refusedResult({ code, detail }: Outcome & { kind: 'refused' }): Refused {
  return { kind: 'refused', code, detail };
}

export function deniedResult(outcome: Outcome & { kind: 'denied' }): Denied {
  const { code, product, feature, quantity, free, waiting, at, detail, holders } = outcome;
  return {
    ...{ kind: 'denied', code, product, feature, quantity, free, waiting, detail, holders },
    at: at === 0 ? undefined : new Date(at),
    sentence: denialSentence(outcome),
  };
}
