import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  AcquireCommand,
  BorrowCommand,
  ConsumeCommand,
  DenialCode,
  ExtendCommand,
  Grant,
  JsonObject,
  Outcome,
} from '@trefoil/license';
import { LicenseBooks } from './license-books.ts';
import { readSold } from './sold.ts';

const ENDLESS = 2 ** 53 - 1;
const START = Date.UTC(2026, 10, 24);

/** A log that a person could have written, and what the books say to it: for their tests. */
class Case {
  readonly faults: string[] = [];
  readonly #books = new LicenseBooks({
    fault: (what) => this.faults.push(what),
    count: () => undefined,
    configurationEnds: Date.UTC(2030, 0, 1),
  });
  #rules = 0;
  #waits: { key: string; session: string; items: { product: string; feature: string; seats: number }[] }[] = [];

  constructor(product: string, ...licenses: readonly JsonObject[]) {
    this.at(0);
    for (const [place, terms] of licenses.entries())
      this.#books.installed(readSold(`${product}-${place + 1}`, product, terms));
    for (const user of ['ada', 'ben', 'cem', 'boss']) this.#books.opened(user, { user, host: `pc-${user}` });
  }

  /** So many seconds later. */
  at(seconds: number): void {
    this.#books.at(1_000 * seconds, START + 1_000 * seconds);
  }

  /** `what`: product or product/feature, and how many. */
  acquires(user: string, hold: number, what: Readonly<Record<string, number>>, answer: Outcome, waitMs = 0): void {
    const items = Object.entries(what).map(([name, seats]) => ({ ...asked(name), seats }));
    const command = { kind: 'acquire', requestId: hold, items, waitMs } as unknown as AcquireCommand;
    this.#books.acquired(user, command, answer, this.#waits);
    if (answer.kind === 'queued') this.#waits.push({ key: `${user}/${hold}`, session: user, items });
  }

  borrows(user: string, hold: number, what: Readonly<Record<string, number>>, seconds: number, answer: Outcome): void {
    const items = Object.entries(what).map(([name, seats]) => ({ ...asked(name), seats }));
    const command = { kind: 'borrow', requestId: hold, items, forMs: 1_000 * seconds } as unknown as BorrowCommand;
    this.#books.acquired(user, command, answer, this.#waits);
  }

  extends(user: string, hold: number, seconds: number, answer: Outcome): void {
    const command = { kind: 'extend', hold, forMs: 1_000 * seconds } as unknown as ExtendCommand;
    this.#books.extended(user, command, answer);
  }

  writesOff(user: string, refused?: string): void {
    if (refused === undefined) this.#books.writtenOff(user);
    else this.#books.notWrittenOff(user, refused);
  }

  updates(license: string, product: string, terms: JsonObject): void {
    this.#books.installed(readSold(license, product, terms));
  }

  /** At the end of an entry; by user. */
  serves(answers: Readonly<Record<string, Outcome>>): void {
    const byKey = Object.entries(answers).map(([user, answer]) => [keyOf(this.#waits, user), answer] as const);
    this.#books.served(this.#waits, new Map(byKey as [string, Outcome & { kind: 'granted' }][]));
    this.#waits = this.#waits.filter(({ session }) => answers[session] === undefined);
  }

  /** An update or other rules have come. */
  nobodyInVain(): void {
    this.#books.nobodyInVain(this.#waits);
  }

  consumes(user: string, what: Readonly<Record<string, number>>, answer: Outcome): void {
    const items = Object.entries(what).map(([name, count]) => ({ ...asked(name), count }));
    this.#books.consumed(user, { kind: 'consume', items } as unknown as ConsumeCommand, answer);
  }

  renews(user: string, ...grants: readonly Grant[]): void {
    this.#books.renewed(user, { kind: 'renewed', grants } as unknown as Outcome & { kind: 'renewed' });
  }

  frees(user: string, hold: number): void {
    this.#books.freed(`${user}/${hold}`);
  }

  rules(...rules: readonly JsonObject[]): void {
    this.#books.ruled(JSON.stringify({ format: 1, version: ++this.#rules, rules }));
  }

  olderRules(version: number): void {
    this.#books.ruled(JSON.stringify({ format: 1, version, rules: [] }));
  }

  unnames(license: string, name: string, refused?: string): void {
    if (refused === undefined) this.#books.unnamed(license, name);
    else this.#books.notUnnamed(license, name, refused);
  }
}

function keyOf(waits: readonly { key: string; session: string }[], user: string): string {
  return waits.find(({ session }) => session === user)?.key ?? '';
}

export const QUEUED = { kind: 'queued' } as unknown as Outcome;

function asked(name: string): { readonly product: string; readonly feature: string } {
  const [product = '', feature = ''] = name.split('/');
  return { product, feature };
}

/** `2 cad-1/mill +`: so many seats of this license and feature; + = beyond the quantity, 9s = away for so long. */
export function granted(...texts: readonly string[]): Outcome {
  return { kind: 'granted', grants: texts.map((text, item) => grant(text, item)) } as unknown as Outcome;
}

export function grant(text: string, item = 0, hold = 1): Grant {
  const [seats, what = '', how = ''] = text.split(' ');
  const [license = '', feature = ''] = what.split('/');
  const flags = how === '+' ? 2 : how === '' ? 0 : 8;
  const lifeMs = 1_000 * Number.parseInt(how, 10);
  return { item, license, feature, seats: Number(seats), flags, lifeMs, hold } as unknown as Grant;
}

/** Several grants for the first item. */
export function grantedOne(...texts: readonly string[]): Outcome {
  return { kind: 'granted', grants: texts.map((text) => grant(text)) } as unknown as Outcome;
}

export function denied(code: DenialCode, what: string): Outcome {
  return { kind: 'denied', code, ...asked(what) } as unknown as Outcome;
}

/** `3 of gas-1, 7 left`. */
export function consumed(...texts: readonly (readonly [item: number, text: string])[]): Outcome {
  const parts = texts.map(([item, text]) => {
    const [, units, license = '', left] = /^(\d+) of (\S+), (\S+) left$/.exec(text) ?? [];
    return { item, license, units: Number(units), left: left === 'endless' ? ENDLESS : Number(left) };
  });
  return { kind: 'consumed', parts } as unknown as Outcome;
}

type Course = (make: (product: string, ...licenses: readonly JsonObject[]) => Case) => void;

/** `undefined`: nothing may be found. */
export function course(what: string, says: RegExp | undefined, run: Course): void {
  void test(what, () => {
    let one: Case | undefined;
    run((product, ...licenses) => (one = new Case(product, ...licenses)));
    const faults = one?.faults ?? ['nothing was tried'];
    if (says === undefined) assert.deepEqual(faults, []);
    else assert.match(faults.join('\n'), says);
  });
}
