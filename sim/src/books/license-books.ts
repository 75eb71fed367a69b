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
import { asManyAsThereAre, seatsFrom, takeSeat } from './seats.ts';
import { featureOf, type Sold } from './sold.ts';
import { isPaid, paidSeats, type Part, payTime, unitsFrom } from './units.ts';

/** An acquire; one that waits, too. */
interface Wait {
  /** Session and request. */
  readonly key: string;
  readonly session: string;
  readonly items: readonly Wanted[];
}

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
  /** Log time at which somebody last lost a claim because something was over, used up or taken: that frees nothing, and wakes nobody. */
  #lostAt = -Infinity;

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
    const ends = [...this.#books.sold.values()].map((sold) => endOf(this.#books, sold));
    if (ends.some((end) => this.#books.utc < end && end <= utc)) this.#lostAt = logTime;
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
  acquired(session: string, command: AcquireCommand, outcome: Outcome, waits: readonly Wait[]): void {
    const { requestId, items, waitMs } = command;
    const asked = { key: `${session}/${requestId}`, session, items };
    const trial = this.#behind(waits.filter((wait) => shareProduct(wait, asked)));
    const { given, denial } = seatsFor(trial, this.#asker(session), asked);
    const mayWait = denial?.startsWith('denied: seats') === true && waitMs > 0 && this.#couldBeHad(asked);
    const expected = mayWait ? 'queued' : (denial ?? heldInWords(given));
    const got = outcome.kind === 'granted' ? grantsInWords(outcome.grants) : deniedInWords(outcome);
    if (got !== expected) return this.#differs(outcome, denial, `says ${got}, not ${expected}`);
    this.#take(given);
    if (denial !== undefined && this.#isKeptForOthers(asked)) this.#count('seats kept for others');
    if (mayWait) this.#count('waits for what the books know');
  }

  #take(given: readonly Held[]): void {
    for (const one of given) takeSeat(this.#books, one);
    if (given.some(({ license }) => this.#mayCostClaims(license))) this.#lostAt = this.#books.logTime;
    if (given.some(({ beyond }) => beyond)) this.#count('seats beyond the quantity');
  }

  /** Names, units, and what is kept for others: what is left of them is not the same for everybody. */
  #mayCostClaims(license: string): boolean {
    const sold = this.#books.sold.get(license);
    const isKept = this.#books.rules.some(({ rule }) => rule === 'reserve' || rule === 'limit');
    return isKept || sold?.named !== undefined || sold?.seatTime !== undefined;
  }

  /** PROTOCOL §5.15: as it is when each of these has claimed what there is for him. */
  #behind(waits: readonly Wait[]): Books {
    const trial = copyOf(this.#books);
    for (const wait of waits) claim(trial, this.#asker(wait.session), wait);
    return trial;
  }

  #isKeptForOthers(asked: Wait): boolean {
    const rules = this.#books.rules.filter(({ rule }) => rule !== 'reserve');
    return seatsFor({ ...copyOf(this.#books), rules }, this.#asker(asked.session), asked).denial === undefined;
  }

  /** If nobody held or waited. */
  #couldBeHad(asked: Wait): boolean {
    return seatsFor({ ...copyOf(this.#books), held: [] }, this.#asker(asked.session), asked).denial === undefined;
  }

  /** After an update or other rules. */
  nobodyInVain(waits: readonly Wait[]): void {
    for (const wait of waits)
      if (!this.#couldBeHad(wait)) this.#fault(`5.15 hold ${numberOf(wait.key)} waits for what there is not`);
  }

  inVain(wait: Wait): void {
    if (this.#couldBeHad(wait)) this.#fault(`5.15 hold ${numberOf(wait.key)} could be served, and waits no more`);
    this.#count('an end of what is waited for in vain');
  }

  /**
   * PROTOCOL §5.15: at the end of an entry, in order, all whose turn it is. Where nothing was freed, but somebody ahead has lost a
   * claim, they may have to wait for the next second of log time.
   */
  served(waits: readonly Wait[], outcomes: ReadonlyMap<string, Outcome & { kind: 'granted' }>): void {
    const mustBe = Math.floor(this.#lostAt / 1_000) < Math.floor(this.#books.logTime / 1_000);
    const claims: Wait[] = [];
    for (const wait of waits) {
      const { given, denial } = seatsFor(this.#behind(claims), this.#asker(wait.session), wait);
      const outcome = outcomes.get(wait.key);
      const got = outcome === undefined ? 'nothing' : grantsInWords(outcome.grants);
      const expected = denial === undefined ? heldInWords(given) : 'nothing';
      if (got !== expected && (outcome !== undefined || mustBe))
        this.#fault(`5.15 serves hold ${numberOf(wait.key)} with ${got}, not ${expected}`);
      if (outcome === undefined) claims.push(wait);
      else this.#take(given);
    }
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
      if (kept) this.#pay(hold);
      else this.#count(isOver ? 'a seat that has ended is not renewed' : 'a seat that is not paid for is not renewed');
      const got = grantsInWords(grants.filter((grant) => grant.hold === numberOf(key)));
      const expected = kept ? heldInWords(hold) : '';
      if (got !== expected)
        this.#fault(`5.4 renews ${got || 'nothing'} of hold ${numberOf(key)}, not ${expected || 'nothing'}`);
    }
  }

  #pay(hold: readonly Held[]): void {
    for (const one of hold) if (payTime(this.#books, one)) this.#lostAt = this.#books.logTime;
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

function shareProduct(one: Wait, other: Wait): boolean {
  return one.items.some(({ product }) => other.items.some((item) => item.product === product));
}

/** As much as he wants, or as there is; nothing where something else than seats stands against one of his items. */
function claim(books: Books, asker: Asker, { key, items }: Wait): void {
  const trial = copyOf(books);
  for (const [item, wanted] of items.entries()) {
    const { licenses, code } = candidates(trial, asker, wanted);
    if (code !== undefined) return;
    asManyAsThereAre(trial, licenses, { key, asker, item, ...wanted });
  }
  Object.assign(books, trial);
}

/** All items or none, each against what the earlier ones left. */
function seatsFor(
  books: Books,
  asker: Asker,
  { key, items }: Wait,
): { readonly given: readonly Held[]; readonly denial?: string } {
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
