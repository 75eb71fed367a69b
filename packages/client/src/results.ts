import type { DenialCode, Holder, Outcome, RefusalCode } from '@trefoil/license';
import type { Seat } from './seat.ts';

/** The group decided that there is none. */
export interface Denied {
  readonly kind: 'denied';
  readonly code: DenialCode;
  readonly product: string;
  readonly feature: string;
  readonly quantity: number;
  readonly free: number;
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
  | { readonly kind: 'consumed'; readonly units: number; readonly remaining: number }
  | Denied
  | Refused
  | Unknown<ConsumeResult>;

export function refusedResult({ code, detail }: Outcome & { kind: 'refused' }): Refused {
  return { kind: 'refused', code, detail };
}

export function deniedResult(outcome: Outcome & { kind: 'denied' }): Denied {
  const { code, product, feature, quantity, free, holders } = outcome;
  return { kind: 'denied', code, product, feature, quantity, free, holders, sentence: denialSentence(outcome) };
}

/** More than these are no sentence any more; `holders` has them. */
const NAMED_HOLDERS = 5;

function denialSentence({ code, product, feature, quantity, free, holders }: Outcome & { kind: 'denied' }): string {
  const what = feature === '' ? product : `${product}, feature ${feature}`;
  switch (code) {
    case 'unknown-product':
      return `There is no license for ${what}.`;
    case 'unknown-feature':
      return `The license for ${product} does not include the feature ${feature}.`;
    case 'mode-not-allowed':
      return `The license for ${what} is not counted in the way that was asked for.`;
    case 'not-yet':
      return `The license for ${what} is not valid yet.`;
    case 'expired':
      return `The license for ${what} has expired.`;
    case 'configuration-expired':
      return `The container set's configuration has expired: the vendor has to renew it.`;
    case 'units':
      return `The license for ${what} does not have that many units left, if it has any.`;
    case 'seats': {
      if (free > 0 && free === quantity) return `The license for ${what} has only ${counted(quantity)}.`;
      if (free > 0) return `Only ${free} of ${counted(quantity)} of ${what} are free.`;
      const who = holders
        .slice(0, NAMED_HOLDERS)
        .map(
          (one) =>
            `${one.user} on ${one.host} since ${new Date(one.sinceUtc).toISOString().slice(0, 16).replace('T', ' ')} UTC`,
        );
      const more = holders.length > NAMED_HOLDERS ? ' and others' : '';
      return `All ${counted(quantity)} of ${what} are taken${who.length === 0 ? '' : `: ${who.join('; ')}${more}`}.`;
    }
  }
}

function counted(seats: number): string {
  return seats === 1 ? '1 seat' : `${seats} seats`;
}
