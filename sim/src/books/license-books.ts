import {
  type AcquireCommand,
  type ConsumeCommand,
  DENIAL_CODES,
  type DenialCode,
  type Grant,
  type Outcome,
} from '@trefoil/license';
import { type Asker, type Books, copyOf, emptyBooks, endOf, type Held, licensesOf } from './books.ts';
import { isNobodyHere, takeOff, whyItStays } from './names.ts';
import { isAgainstRules, readRules } from './rules.ts';
import { seatsFrom } from './seats.ts';
import { featureOf, type Sold } from './sold.ts';
import { isPaid, paidSeats, type Part, payTime, unitsFrom } from './units.ts';

interface Wanted {
  readonly product: string;
  readonly feature: string;
  /** 0 = units are asked for. */
  readonly seats: number;
}

const BEYOND = 2;

/** By what a denial is for: the paragraph that says so. */
const PARAGRAPHS: Partial<Record<DenialCode, string>> = { rule: '5.16', named: '5.17', units: '5.7' };

/**
 * The books of an auditor, of licenses whose terms say more than a quantity: goes along the certified log, and for each answer about
 * units, overdraft, features, names, metered time and the customer's rules works out what it should be, from the words of PROTOCOL §5
 * and FORMATS §2. A seat or unit too many is found, and so is one that was refused and was there.
 */
export class LicenseBooks {
  readonly #fault: (what: string) => void;
  readonly #count: (what: string) => void;
  readonly #books: Books;
  readonly #askers = new Map<string, Asker>();
  #rulesVersion = 0;

  constructor(told: {
    readonly fault: (what: string) => void;
    readonly count: (what: string) => void;
    /** UTC. */
    readonly configurationEnds: number;
  }) {
    this.#fault = told.fault;
    this.#count = told.count;
    this.#books = emptyBooks(told.configurationEnds);
  }

  /** The next entry. */
  at(logTime: number, utc: number): void {
    this.#books.logTime = logTime;
    this.#books.utc = utc;
  }

  installed(sold: Sold): void {
    this.#books.sold.set(sold.license, sold);
  }

  has(product: string): boolean {
    return licensesOf(this.#books, product).length > 0;
  }

  opened(session: string, { user, host }: { readonly user: string; readonly host: string }): void {
    this.#askers.set(session, { session, user, host });
  }

  #asker(session: string): Asker {
    return this.#askers.get(session) ?? { session, user: '', host: '' };
  }

  /** Granted or denied. */
  acquired(session: string, command: AcquireCommand, outcome: Outcome): void {
    const trial = copyOf(this.#books);
    const asker = this.#asker(session);
    const { given, denial } = seatsFor(trial, asker, command);
    const expected = denial ?? heldInWords(given);
    const got = outcome.kind === 'granted' ? grantsInWords(outcome.grants) : deniedInWords(outcome);
    if (got !== expected) return this.#differs(outcome, denial, `says ${got}, not ${expected}`);
    const others = this.#books.rules.filter(({ rule }) => rule !== 'reserve');
    if (denial === undefined) {
      Object.assign(this.#books, trial);
      if (given.some(({ beyond }) => beyond)) this.#count('seats beyond the quantity');
    } else if (seatsFor({ ...copyOf(this.#books), rules: others }, asker, command).denial === undefined)
      this.#count('seats kept for others');
  }

  /** Consumed or denied. */
  consumed(session: string, command: ConsumeCommand, outcome: Outcome): void {
    const trial = copyOf(this.#books);
    const { given, denial } = unitsFor(trial, this.#asker(session), command);
    const expected = denial ?? partsInWords(given);
    const got = outcome.kind === 'consumed' ? partsInWords(outcome.parts) : deniedInWords(outcome);
    if (got !== expected) return this.#differs(outcome, denial ?? 'denied: units', `says ${got}, not ${expected}`);
    if (denial !== undefined) return;
    Object.assign(this.#books, trial);
    if (given.length > command.items.length) this.#count('units of several licenses at once');
    if (command.items.length > 1) this.#count('units of several items at once');
  }

  /** Faults are told with the paragraph that is broken: what was not to be denied, or was to be denied for another reason. */
  #differs(outcome: Outcome, denial: string | undefined, what: string): void {
    const code = outcome.kind === 'denied' ? outcome.code : denial?.split(' ')[1];
    const reserved = this.#books.rules.some(({ rule }) => rule === 'reserve') ? '5.16' : '5.8';
    this.#fault(`${PARAGRAPHS[code as DenialCode] ?? reserved} ${what}`);
  }

  /** PROTOCOL §5.4: every hold, unless its license has ended, or there are no units for its time. */
  renewed(session: string, { grants }: Outcome & { kind: 'renewed' }): void {
    const holds = new Map<string, Held[]>();
    for (const one of this.#books.held) {
      if (one.asker.session !== session) continue;
      holds.set(one.key, [...(holds.get(one.key) ?? []), one]);
    }
    for (const key of [...holds.keys()].sort((a, b) => numberOf(a) - numberOf(b))) {
      const hold = holds.get(key) as readonly Held[];
      const isOver = hold.some((one) => this.#hasEnded(this.#books.sold.get(one.license) as Sold));
      const kept = !isOver && isPaid(this.#books, hold);
      if (kept) for (const one of hold) payTime(this.#books, one);
      else this.#count(isOver ? 'a seat that has ended is not renewed' : 'a seat that is not paid for is not renewed');
      const got = grantsInWords(grants.filter((grant) => grant.hold === numberOf(key)));
      const expected = kept ? heldInWords(hold) : '';
      if (got !== expected)
        this.#fault(`5.4 renews ${got || 'nothing'} of hold ${numberOf(key)}, not ${expected || 'nothing'}`);
    }
  }

  #hasEnded(sold: Sold): boolean {
    return this.#books.utc >= endOf(this.#books, sold);
  }

  /** Given back, run out, or gone with its session. */
  freed(key: string): void {
    const { held } = this.#books;
    for (const one of held) if (one.key === key) payTime(this.#books, one);
    held.splice(0, held.length, ...held.filter((one) => one.key !== key));
  }

  ruled(document: string): void {
    const { version, rules } = readRules(document);
    if (version <= this.#rulesVersion)
      this.#fault(`5.16 rules ${version} take the place of rules ${this.#rulesVersion}`);
    this.#rulesVersion = version;
    this.#books.rules = rules;
  }

  olderRules(document: string): void {
    const { version } = readRules(document);
    if (version > this.#rulesVersion)
      this.#fault(`5.16 rules ${version} are refused as older than rules ${this.#rulesVersion}`);
  }

  unnamed(license: string, name: string): void {
    const why = whyItStays(this.#books, license, name);
    if (why.length > 0) this.#fault(`5.17 takes ${name} off ${license}: ${why.join(', ')}`);
    takeOff(this.#books, license, name);
  }

  notUnnamed(license: string, name: string, code: string): void {
    const why = whyItStays(this.#books, license, name);
    if (!why.includes(code)) this.#fault(`5.17 does not take ${name} off ${license}: ${code}, not ${why.join(', ')}`);
  }
}

/** All items or none, each against what the earlier ones left. */
function seatsFor(
  books: Books,
  asker: Asker,
  { requestId, items }: AcquireCommand,
): { readonly given: readonly Held[]; readonly denial?: string } {
  const key = `${asker.session}/${requestId}`;
  const given: Held[] = [];
  for (const [item, wanted] of items.entries()) {
    const { licenses, code } = candidates(books, asker, wanted);
    const some = code === undefined ? seatsFrom(books, licenses, { key, asker, item, ...wanted }) : undefined;
    if (some === undefined) return { given: [], denial: denialOf(code ?? 'seats', wanted) };
    given.push(...some);
  }
  return { given };
}

function unitsFor(
  books: Books,
  asker: Asker,
  { items }: ConsumeCommand,
): { readonly given: readonly Part[]; readonly denial?: string } {
  const given: Part[] = [];
  for (const [item, wanted] of items.entries()) {
    const { feature, count: uses } = wanted;
    const { licenses, code } = candidates(books, asker, { ...wanted, seats: 0 });
    const some = code === undefined ? unitsFrom(books, licenses, { asker, item, feature, uses }) : undefined;
    if (some === undefined) return { given: [], denial: denialOf(code ?? 'units', wanted) };
    given.push(...some);
  }
  return { given };
}

/** In the order of PROTOCOL §5.8: the licenses that pass all checks but the last, or the latest check that one of them failed. */
function candidates(
  books: Books,
  asker: Asker,
  wanted: Wanted,
): { readonly licenses: readonly Sold[]; readonly code?: DenialCode } {
  const licenses = licensesOf(books, wanted.product);
  const failed = licenses.map((sold) => firstFailed(books, sold, asker, wanted));
  const left = licenses.filter((_, i) => failed[i] === undefined);
  if (left.length > 0) return { licenses: left };
  const places = failed.map((code) => (code === undefined ? 0 : DENIAL_CODES.indexOf(code)));
  return { licenses: [], code: DENIAL_CODES[Math.max(0, ...places)] ?? 'unknown-product' };
}

function firstFailed(books: Books, sold: Sold, asker: Asker, wanted: Wanted): DenialCode | undefined {
  const { feature, seats } = wanted;
  if (featureOf(sold, feature) === undefined) return 'unknown-feature';
  if (books.utc >= endOf(books, sold)) return 'expired';
  if (books.utc >= books.configurationEnds) return 'configuration-expired';
  if (isAgainstRules(books, sold, { asker, feature, seats })) return 'rule';
  if (isNobodyHere(books, sold, asker)) return 'named';
  return seats > 0 && paidSeats(books, sold, feature) < 1 ? 'units' : undefined;
}

function denialOf(code: DenialCode, { product, feature }: { product: string; feature: string }): string {
  return `denied: ${code} ${product}/${feature}`;
}

function deniedInWords(outcome: Outcome): string {
  return outcome.kind === 'denied' ? denialOf(outcome.code, outcome) : outcome.kind;
}

function partsInWords(parts: readonly Part[]): string {
  return parts.map(({ item, license, units, left }) => `${item}: ${units} of ${license}, ${left} left`).join('; ');
}

function heldInWords(held: readonly Held[]): string {
  return inWords(held.map(({ item, license, feature, seats, beyond }) => [item, license, feature, seats, beyond]));
}

function grantsInWords(grants: readonly Grant[]): string {
  return inWords(
    grants.map(({ item, license, feature, seats, flags }) => [item, license, feature, seats, (flags & BEYOND) !== 0]),
  );
}

function inWords(all: readonly (readonly [number, string, string, number, boolean])[]): string {
  return all
    .map(([item, license, feature, seats, beyond]) => {
      return `${item}: ${seats} of ${license}/${feature}${beyond ? ' beyond the quantity' : ''}`;
    })
    .join('; ');
}

/** Of the hold, from session and request. */
function numberOf(key: string): number {
  return Number(key.slice(key.lastIndexOf('/') + 1));
}
