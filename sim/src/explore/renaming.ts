import type { LedgerContext, LogRecord } from '@trefoil/core';
import {
  decodeAccept,
  decodeCertificate,
  decodePromise,
  decodeRejoin,
  encodeUtf8,
  equalBytes,
  INCARNATION_BYTES,
  type Member,
  TAGS,
} from '@trefoil/license';

/** Another order of the license servers and of the contents of entries: to the protocol they are all alike. */
export interface Renaming {
  readonly number: number;
  /** The new place of each member, from 0. */
  readonly places: readonly number[];
  readonly content: (letter: string) => string;
}

/** All of them, by what may stand in each entry. */
export function renamings(entries: readonly string[]): Renaming[] {
  const contents = [...new Set(entries.join(''))].join('');
  const letters = permutations([...contents]).filter((renamed) =>
    entries.every((some) => [...some].every((letter) => some.includes(renamed[contents.indexOf(letter)] as string))),
  );
  return permutations([0, 1, 2]).flatMap((places, p) =>
    letters.map((renamed, l) => ({
      ...{ number: p * letters.length + l, places },
      content: (letter: string) => renamed[contents.indexOf(letter)] ?? letter,
    })),
  );
}

function permutations<T>(of: readonly T[]): T[][] {
  if (of.length <= 1) return [[...of]];
  return of.flatMap((one, i) => permutations(of.toSpliced(i, 1)).map((rest) => [one, ...rest]));
}

const MOST_STARTS = 4;

/** What a member draws at its n-th start. */
export function incarnationOf({ crypto }: Pick<LedgerContext, 'crypto'>, member: Member, start: number): Uint8Array {
  return crypto.sha256(encodeUtf8(`start ${start} of ${member}`)).subarray(0, INCARNATION_BYTES);
}

/** Tells what was signed and stored in words that no longer depend on who is who, for a comparison of states. */
export class Teller {
  readonly #starts: readonly { readonly incarnation: Uint8Array; readonly start: number }[];
  readonly #log: (head: Uint8Array) => string;

  /** @param log the contents of the entries up to a head */
  constructor(context: Pick<LedgerContext, 'crypto'>, log: (head: Uint8Array) => string) {
    this.#log = log;
    this.#starts = ([1, 2, 3] as const).flatMap((member) =>
      Array.from({ length: MOST_STARTS }, (_, i) => ({
        incarnation: incarnationOf(context, member, i + 1),
        start: i + 1,
      })),
    );
  }

  entries(head: Uint8Array, renaming: Renaming): string {
    return Array.from(this.#log(head), renaming.content).join('');
  }

  /** Which start of each member is known. */
  incarnations(known: readonly Uint8Array[], renaming: Renaming): string {
    const placed = ['', '', ''];
    known.forEach((one, i) => {
      placed[renaming.places[i] as number] = String(this.startOf(one));
    });
    return placed.join();
  }

  statement(bytes: Uint8Array, renaming: Renaming): string {
    const tag = bytes.subarray(0, TAGS.accept.length);
    if (equalBytes(tag, TAGS.accept)) {
      const { epoch, head } = decodeAccept(bytes);
      return `vote ${epoch} ${this.entries(head, renaming)}`;
    }
    if (equalBytes(tag, TAGS.rejoin)) {
      const { incarnation, replaces } = decodeRejoin(bytes);
      return `start ${this.startOf(incarnation)} after ${this.startOf(replaces)}`;
    }
    const { epoch, logEpoch, lastHead, incarnations } = decodePromise(bytes);
    const known = this.incarnations(incarnations, renaming);
    return `promise ${epoch} ${logEpoch} ${this.entries(lastHead, renaming)} ${known}`;
  }

  record(record: LogRecord, renaming: Renaming): string {
    switch (record.kind) {
      case 'voted':
      case 'signedHigh':
        return this.statement(record.statement, renaming);
      case 'certified':
        return `certified ${this.statement(decodeCertificate(record.certificate).statement, renaming)}`;
      case 'caughtUp':
        return `caught up ${this.statement(decodeCertificate(record.certificate).statement, renaming)}`;
      case 'promised':
        return this.statement(record.promise, renaming);
      case 'incarnation':
        return `${renaming.places[record.member - 1]} started ${this.startOf(record.incarnation)}`;
      case 'suspect':
        return record.why;
      case 'snapshot':
        return `snapshot ${record.index}`;
    }
  }

  /** Which of its signer's starts that is; 0 = none that is known. */
  startOf(incarnation: Uint8Array): number {
    return this.#starts.find((one) => equalBytes(one.incarnation, incarnation))?.start ?? 0;
  }
}
