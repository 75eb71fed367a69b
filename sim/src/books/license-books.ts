import {
  type AcquireCommand,
  type BorrowCommand,
  type ConsumeCommand,
  type DenialCode,
  type ExtendCommand,
  type Outcome,
} from '@trefoil/license';
import { claim, seatsFor, shareProduct, unitsFor, type Wait } from './asks.ts';
import { extendAway, extensionDenial, lifeAfter, whyNotWrittenOff, writeOff } from './away.ts';
import { type Asker, type Books, copyOf, emptyBooks, endOf, type Held, licensesOf } from './books.ts';
import { takeOff, whyItStays } from './names.ts';
import { readRules } from './rules.ts';
import { takeSeat } from './seats.ts';
import type { Sold } from './sold.ts';
import { isPaid, payTime } from './units.ts';
import { deniedInWords, grantsInWords, heldInWords, numberOf, partsInWords } from './words.ts';

/** By what a denial is for: the paragraph that says so. */
const PARAGRAPHS: Partial<Record<DenialCode, string>> = {
  rule: '5.16',
  named: '5.17',
  units: '5.7',
  borrowing: '5.18',
};

/**
 * The books of an auditor, of licenses whose terms say more than a quantity: goes along the certified log, and for each answer about
 * units, overdraft, features, names, metered time, borrowing and the customer's rules works out what it should be, from the words of
 * PROTOCOL §5 and FORMATS §2. A seat or unit too many is found, and so is one that was refused and was there.
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

  reconfigured(ends: number): void {
    this.#books.configurationEnds = ends;
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

  /** Granted or denied; of seats that are to leave, too. */
  acquired(session: string, command: AcquireCommand | BorrowCommand, outcome: Outcome, waits: readonly Wait[]): void {
    const { requestId, items } = command;
    const { waitMs, forMs } = command.kind === 'borrow' ? { ...command, waitMs: 0 } : { ...command, forMs: undefined };
    const asked = { key: `${session}/${requestId}`, session, items, forMs };
    const trial = this.#behind(waits.filter((wait) => shareProduct(wait, asked)));
    const { given, denial } = seatsFor(trial, this.#asker(session), asked);
    const mayWait = denial?.startsWith('denied: seats') === true && waitMs > 0 && this.#couldBeHad(asked);
    const expected = mayWait ? 'queued' : (denial ?? heldInWords(given));
    const got = outcome.kind === 'granted' ? grantsInWords(outcome.grants) : deniedInWords(outcome);
    if (got !== expected) return this.#differs(outcome, denial, `says ${got}, not ${expected}`, forMs);
    this.#take(given);
    if (given.some(({ awayMs }) => awayMs > 0)) this.#count('seats that leave');
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
    // In one walk: what somebody ahead has claimed stays claimed, also where seats that are given behind him would leave him less.
    let left = copyOf(this.#books);
    for (const wait of waits) {
      const tried = copyOf(left);
      const { given, denial } = seatsFor(tried, this.#asker(wait.session), wait);
      const outcome = outcomes.get(wait.key);
      const got = outcome === undefined ? 'nothing' : grantsInWords(outcome.grants);
      const expected = denial === undefined ? heldInWords(given) : 'nothing';
      if (got !== expected && (outcome !== undefined || mustBe))
        this.#fault(`5.15 serves hold ${numberOf(wait.key)} with ${got}, not ${expected}`);
      if (outcome === undefined) claim(left, this.#asker(wait.session), wait);
      else {
        this.#take(given);
        left = tried;
      }
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
  #differs(outcome: Outcome, denial: string | undefined, what: string, forMs?: number): void {
    const code = outcome.kind === 'denied' ? outcome.code : denial?.split(' ')[1];
    const reserved = this.#books.rules.some(({ rule }) => rule === 'reserve') ? '5.16' : '5.8';
    const otherwise = forMs === undefined ? reserved : '5.18';
    this.#fault(`${PARAGRAPHS[code as DenialCode] ?? otherwise} ${what}`);
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
      if (hold.some(({ awayMs }) => awayMs > 0)) {
        if (grants.some((grant) => grant.hold === numberOf(key))) this.#fault(`5.18 renews hold ${numberOf(key)}`);
        continue;
      }
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
    this.#books.extended.delete(key);
  }

  /** PROTOCOL §5.18: granted, denied or refused. False: it is none of these licenses that the hold is of. */
  extended(session: string, command: ExtendCommand, outcome: Outcome): boolean {
    const { hold } = command;
    const key = `${session}/${hold}`;
    const away = this.#books.held.filter((one) => one.key === key && one.awayMs > 0);
    if (away.length === 0) {
      if (outcome.kind !== 'refused') this.#fault(`5.18 extends hold ${hold}, and nobody has borrowed it`);
      return false;
    }
    const forMs = lifeAfter(this.#books, away, command.forMs);
    const denial = extensionDenial(this.#books, away, forMs);
    const expected = denial ?? heldInWords(away.map((one) => ({ ...one, awayMs: forMs })));
    const got = outcome.kind === 'granted' ? grantsInWords(outcome.grants) : deniedInWords(outcome);
    if (got !== expected) this.#differs(outcome, denial, `extends: ${got}, not ${expected}`, forMs);
    if (denial !== undefined) this.#count('an extension that is denied');
    else extendAway(this.#books, away, forMs);
    if (denial === undefined && away.some(({ times }) => times > 0)) this.#lostAt = this.#books.logTime;
    return true;
  }

  writtenOff(session: string): void {
    const why = whyNotWrittenOff(this.#books, session);
    if (why.length > 0) this.#fault(`5.18 writes off what may not be: ${why.join(', ')}`);
    writeOff(this.#books, session);
  }

  notWrittenOff(session: string, code: string): void {
    const why = whyNotWrittenOff(this.#books, session);
    if (!why.includes(code)) this.#fault(`5.18 does not write off: ${code}, not ${why.join(', ') || 'done'}`);
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
