import { decodeEntry, genesisHead, headAfter } from '@trefoil/core';
import {
  bytesKey,
  type Command,
  type Consumed,
  decodeCommand,
  decodeOutcome,
  equalBytes,
  type ExtendCommand,
  type InstalledLicense,
  type Outcome,
} from '@trefoil/license';
import { Acknowledged, isSigned } from './acknowledged.ts';
import { LicenseBooks } from './books/license-books.ts';
import { readSold } from './books/sold.ts';
import { NOT_TOLD_AGAIN } from './client-history.ts';
import { type CountedSeats, Holds } from './holds.ts';
import { QueueOrder, wantedBy } from './queue-order.ts';
import { treeHash } from './tree-hash.ts';
import type { World } from './world.ts';

/** An entry that a license server has executed and signed. */
export interface Executed {
  readonly index: number;
  readonly previousHead: Uint8Array;
  readonly bytes: Uint8Array;
  readonly outcomes: readonly Uint8Array[];
}

function holdsOf(some: readonly { readonly hold: number }[]): number[] {
  return some.map(({ hold }) => hold);
}

function kindOf(outcome: Uint8Array | undefined): string {
  return outcome === undefined ? '' : decodeOutcome(outcome).kind;
}

/** By whatever way an admin ends it. */
function endedBy(command: Command): string {
  return command.kind === 'evict' || command.kind === 'write-off' ? bytesKey(command.session) : '';
}

/** PROTOCOL §6.3: in all, since the log began. */
const UTC_LEAD_MS = 24 * 3_600_000;

/**
 * The certified log is a witness: in its order, every outcome must follow from those before it. Goes through the log from its
 * start with public keys and a few lines that know licenses, seats and times from PROTOCOL §5 and §6 only.
 */
export class CommitOrder {
  readonly #world: World;
  readonly #executed = new Map<string, Executed>();
  readonly #quantities = new Map<string, { quantity: number; product: string }>();
  readonly #used = new Map<string, number>();
  readonly #consumed = new Map<string, number>();
  readonly #holds = new Holds({
    fault: (what) => this.#fault(`${what} (entry ${this.#index})`),
    freed: (key, seats) => {
      this.#books.freed(key);
      for (const { license, count } of seats) this.#used.set(license, (this.#used.get(license) ?? 0) - count);
    },
  });
  readonly #done = new Map<string, Uint8Array[]>();
  /** Commands that somebody with authority has sent: how much was known to be certified when it first was. */
  readonly #asked = new Map<string, number>();
  readonly #evicted = new Set<string>();
  /** Holds that a liar has acquired in the sessions of others. */
  readonly #madeUp = new Set<string>();
  readonly #acknowledged = new Acknowledged();
  readonly #queue = new QueueOrder({
    free: (product) => this.#freeOf(product),
    isElsewhere: (product) => this.#books.has(product),
    fault: (what) => this.#fault(`${what} (entry ${this.#index})`),
  });
  /** Of licenses whose terms say more than a quantity. */
  readonly #books: LicenseBooks;
  readonly #versionsSince: number[] = [];
  #logTime = 0;
  #utc = 0;
  #utcLead = 0;
  #index = 0;

  constructor(world: World) {
    this.#world = world;
    this.#books = new LicenseBooks({
      fault: (what) => this.#fault(`${what} (entry ${this.#index})`),
      count: (what) => world.count(what),
      configurationEnds: world.fixture.configuration.expires,
    });
  }

  /** Before anybody asked for it, a command can't have been carried out (real time order). */
  asked(commandHash: Uint8Array): void {
    const key = bytesKey(commandHash);
    if (!this.#asked.has(key)) this.#asked.set(key, this.#world.checks.newestAnswered);
  }

  executed(head: Uint8Array, entry: Executed): void {
    this.#executed.set(bytesKey(head), entry);
  }

  /**
   * §9.8 and §9.1, §9.2, §9.5, §9.6: from the first entry to this one. `roots`: certified outcomes roots by index; `answers`:
   * outcomes that clients have, by the hash of the command.
   */
  check(newest: string, roots: ReadonlyMap<number, Uint8Array>, answers: ReadonlyMap<string, Uint8Array>): void {
    const chain: Executed[] = [];
    for (
      let entry = this.#executed.get(newest);
      entry !== undefined;
      entry = this.#executed.get(bytesKey(entry.previousHead))
    )
      chain.unshift(entry);
    const { configuration, group, set, crypto } = this.#world.fixture;
    let head = genesisHead(crypto, { set, configuration: configuration.text, group: group.text });
    for (const entry of chain) {
      if (!equalBytes(entry.previousHead, head)) return this.#fault(`9.8 the chain breaks before entry ${entry.index}`);
      head = headAfter(crypto, head, entry.bytes);
      const root = roots.get(entry.index);
      if (root !== undefined && !equalBytes(treeHash(entry.outcomes), root))
        this.#fault(`9.8 entry ${entry.index} was certified with other outcomes`);
      this.#replay(entry);
    }
    this.#world.checks.versions(this.#versionsSince);
    if (bytesKey(head) !== newest) this.#fault('9.8 the chain does not lead to the newest certified head');
    this.#mustHaveSurvived(answers);
    this.#world.count('log replayed in commit order');
  }

  /** §9.5: what somebody was told stands in the log that is left after all that happened. */
  #mustHaveSurvived(answers: ReadonlyMap<string, Uint8Array>): void {
    for (const [key, outcome] of answers) {
      const { kind } = decodeOutcome(outcome);
      const kept = this.#done.get(key) ?? [];
      if (kind !== 'refused' && !kept.some((one) => equalBytes(one, outcome)))
        this.#fault(`9.5 what a client was told is not in the log: ${kind}`);
    }
  }

  #fault(what: string): void {
    this.#world.checks.fault(what);
  }

  #replay({ index, bytes, outcomes }: Executed): void {
    const { logTime, utc, commands } = decodeEntry(bytes);
    this.#index = index;
    if (logTime < this.#logTime) this.#fault(`6.1 log time falls at entry ${index}`);
    const lead = index === 1 ? 0 : utc - (this.#utc + logTime - this.#logTime);
    if (lead < 0) this.#fault(`9.12 UTC falls behind log time at entry ${index}`);
    this.#utcLead += lead;
    if (this.#utcLead > UTC_LEAD_MS) this.#fault(`9.12 UTC is ${this.#utcLead} ms ahead of log time at entry ${index}`);
    this.#logTime = logTime;
    this.#utc = utc;
    this.#books.at(logTime, utc);
    // Outcomes of commands stand first, but what fell due happened before them (§5.1).
    const derived = outcomes.slice(commands.length).map((outcome) => decodeOutcome(outcome));
    const inVain: string[] = [];
    for (const outcome of derived) {
      const key = outcome.kind === 'unserved' ? `${bytesKey(outcome.session)}/${outcome.hold}` : '';
      if (key !== '' && !this.#queue.isDue(key, logTime)) inVain.push(key);
      else if (outcome.kind !== 'granted') this.#fellDue(outcome);
    }
    this.#queue.mustBeOver(logTime);
    this.#holds.mustBeFree(logTime);
    commands.forEach((command, i) => this.#command(command, outcomes[i] as Uint8Array));
    for (const key of inVain) this.#inVain(key);
    this.#queue.nobodyInVain((product) => this.#soldOf(product));
    const changed = outcomes.some((_, i) => i < commands.length && ['updated', 'ruled'].includes(kindOf(outcomes[i])));
    if (changed) this.#books.nobodyInVain(this.#queue.elsewhere);
    this.#served(derived.filter((outcome) => outcome.kind === 'granted'));
  }

  #inVain(key: string): void {
    const wait = this.#queue.elsewhere.find((one) => one.key === key);
    if (wait === undefined) return this.#queue.inVain(key, (product) => this.#soldOf(product));
    this.#books.inVain(wait);
    this.#queue.leave((one) => one.key === key);
  }

  /** §5.15: those whose turn it is, all of them, and in order; with the seats that they asked for. */
  #served(outcomes: readonly (Outcome & { kind: 'granted' })[]): void {
    const { elsewhere } = this.#queue;
    const given = new Map(outcomes.map((one) => [`${bytesKey(one.session)}/${one.requestId}`, one] as const));
    this.#books.served(elsewhere, given);
    const keys = [...given.keys()].filter((key) => !elsewhere.some((wait) => wait.key === key));
    const turns = this.#queue.turns();
    if (keys.join() !== turns.join())
      this.#fault(`5.15 entry ${this.#index} serves ${keys.length} who wait; it is the turn of ${turns.length} others`);
    for (const [key, outcome] of given) {
      const session = bytesKey(outcome.session);
      if (this.#evicted.has(session)) this.#fault(`5.9 entry ${this.#index} serves who was evicted`);
      if (keys.includes(key)) this.#granted(session, outcome);
      else this.#hold(session, outcome, []);
      this.#queue.leave((wait) => wait.key === key);
      this.#world.count(keys.includes(key) ? 'served after a wait' : 'served after a wait, in the books');
    }
  }

  #fellDue(outcome: Outcome): void {
    const session = bytesKey(outcome.session);
    if (outcome.kind === 'expired') return this.#holds.free(`${session}/${outcome.hold}`, 'due', this.#logTime);
    if (outcome.kind === 'unserved') return this.#queue.unserved(`${session}/${outcome.hold}`, this.#logTime);
    this.#queue.leave((wait) => wait.session === session);
    this.#holds.freeAll(session, 'due', this.#logTime);
  }

  #command(command: Uint8Array, bytes: Uint8Array): void {
    const key = bytesKey(this.#world.fixture.crypto.sha256(command));
    const outcome = decodeOutcome(bytes);
    const forgotten = this.#acknowledged.heard(decodeCommand(command), outcome);
    if (forgotten !== undefined) this.#fault(`5.11 entry ${this.#index} ${forgotten}`);
    const done = this.#done.get(key) ?? [];
    if (done[0] !== undefined && decodeOutcome(done[0]).kind !== 'renewed') {
      const isForgotten = outcome.kind === 'refused' && NOT_TOLD_AGAIN.includes(outcome.code);
      if (!isForgotten && !equalBytes(done[0], bytes)) this.#fault(`5.11 entry ${this.#index} does a command again`);
      return;
    }
    // Nothing happened yet, or a renewal did: that happens again.
    if (outcome.kind === 'refused') return this.#refused(decodeCommand(command), outcome);
    this.#done.set(key, [...done, bytes]);
    const known = this.#asked.get(key);
    // What carries no authority a liar may ask in anyone's name: it gains him nothing (§5.12).
    const free = ['granted', 'queued', 'renewed', 'denied'].includes(outcome.kind) && !isSigned(decodeCommand(command));
    const session = bytesKey(outcome.session);
    if (known === undefined && (outcome.kind === 'granted' || outcome.kind === 'queued'))
      this.#madeUp.add(`${session}/${outcome.requestId}`);
    const givesOwnBack = outcome.kind === 'released' && this.#madeUp.has(`${session}/${outcome.hold}`);
    if (known === undefined && !free && !givesOwnBack)
      this.#fault(`5.12 entry ${this.#index}: nobody has asked for this ${outcome.kind}`);
    if (known !== undefined && this.#index <= known)
      this.#fault(`9.6 entry ${this.#index} holds a command that was asked after entry ${known} was answered`);
    const asked = decodeCommand(command);
    if (!this.#isInTheBooks(asked, outcome)) this.#outcome(outcome, asked);
  }

  /** What an admin is refused for what stands in the books. */
  #refused(command: Command, outcome: Outcome & { kind: 'refused' }): void {
    const { code } = outcome;
    if (command.kind === 'extend' && code === 'unknown-hold')
      this.#books.extended(bytesKey(outcome.session), command, outcome);
    if (command.kind === 'write-off' && ['too-soon', 'unknown-hold', 'unknown-session'].includes(code))
      this.#books.notWrittenOff(endedBy(command), code);
    if (command.kind === 'rules' && code === 'older-rules') this.#books.olderRules(command.document);
    if (command.kind === 'unname' && ['unknown-name', 'in-use', 'too-soon'].includes(code))
      this.#books.notUnnamed(command.license, command.name, code);
  }

  /** Whether it is of licenses whose terms say more than a quantity, and of nothing else. */
  #isInTheBooks(command: Command, outcome: Outcome): boolean {
    const session = bytesKey(outcome.session);
    if (command.kind === 'open') this.#books.opened(session, command);
    if (outcome.kind === 'renewed') this.#books.renewed(session, outcome);
    if (command.kind === 'rules') this.#books.ruled(command.document);
    if (command.kind === 'unname') this.#books.unnamed(command.license, command.name);
    if (command.kind === 'extend') return this.#extended(session, command, outcome);
    const isAsked = command.kind === 'acquire' || command.kind === 'consume' || command.kind === 'borrow';
    if (!isAsked || !command.items.some(({ product }) => this.#books.has(product))) return false;
    this.#mustNotBeEvicted(session, outcome);
    if (command.kind === 'consume') this.#books.consumed(session, command, outcome);
    else this.#books.acquired(session, command, outcome, this.#queue.elsewhere);
    if (outcome.kind === 'queued' && command.kind === 'acquire')
      this.#queue.queued(session, command, outcome, this.#logTime);
    if (outcome.kind === 'granted')
      this.#hold(session, outcome, [], command.kind === 'borrow' ? command.forMs : undefined);
    return true;
  }

  #extended(session: string, command: ExtendCommand, outcome: Outcome): boolean {
    this.#mustNotBeEvicted(session, outcome);
    this.#books.extended(session, command, outcome);
    if (outcome.kind === 'granted') this.#holds.extended(`${session}/${command.hold}`, command.forMs, this.#logTime);
    return true;
  }

  #mustNotBeEvicted(session: string, { kind }: Outcome): void {
    if (this.#evicted.has(session) && ['granted', 'renewed', 'consumed'].includes(kind))
      this.#fault(`5.9 entry ${this.#index}: an evicted session is still ${kind}`);
  }

  #outcome(outcome: Outcome, command: Command): void {
    const session = bytesKey(outcome.session);
    this.#mustNotBeEvicted(session, outcome);
    switch (outcome.kind) {
      case 'evicted':
        return this.#evictedBy(command, outcome);
      case 'granted':
        this.#mayBeGranted(command);
        return this.#granted(session, outcome);
      case 'queued':
        if (command.kind === 'acquire') this.#queue.queued(session, command, outcome, this.#logTime);
        return;
      case 'renewed':
        for (const { hold, issuedLogTime } of outcome.grants) this.#renewed(`${session}/${hold}`, issuedLogTime);
        return this.#queue.renewed(session, holdsOf(outcome.waiting), this.#logTime);
      case 'released':
        if (this.#queue.has(`${session}/${outcome.hold}`))
          return this.#queue.leave(({ key }) => key === `${session}/${outcome.hold}`);
        return this.#holds.free(`${session}/${outcome.hold}`, 'given back', this.#logTime);
      case 'closed':
        this.#queue.leave((wait) => wait.session === session);
        return this.#holds.freeAll(session, 'given back', this.#logTime);
      case 'consumed':
        for (const part of outcome.parts) this.#consume(part);
        return;
      case 'updated':
        for (const one of outcome.licenses) this.#installed(one);
        return;
      case 'reconfigured':
        this.#versionsSince.push(this.#index);
        return this.#books.reconfigured(this.#world.vendor.version(outcome.version).expires);
      case 'denied':
        return this.#denied(outcome, command);
      default:
        return;
    }
  }

  /** §5.9: an eviction frees nothing sooner. §5.18: a write-off does. */
  #evictedBy(command: Command, { freeAtLogTime }: Outcome & { kind: 'evicted' }): void {
    const session = endedBy(command);
    this.#evicted.add(session);
    this.#queue.leave((wait) => wait.session === session);
    if (command.kind === 'write-off') {
      this.#books.writtenOff(session);
      this.#holds.freeAll(session, 'written off', this.#logTime);
    }
    this.#holds.mustNotEndAfter(session, freeAtLogTime);
  }

  /** §5.15: nobody overtakes who waits. */
  #mayBeGranted(command: Command): void {
    if (command.kind === 'borrow') this.#fault(`5.18 entry ${this.#index} lends what the terms do not let leave`);
    if (command.kind !== 'acquire') return;
    const free = this.#queue.free(command.items.map((item) => item.product));
    for (const [product, seats] of wantedBy(command))
      if (free(product) < seats) this.#fault(`5.15 entry ${this.#index} gives ${product} past those who wait`);
  }

  #installed({ license, version, quantity, product }: InstalledLicense): void {
    const terms = this.#world.assortment?.terms.get(`${license}/${version}`);
    if (terms === undefined) this.#quantities.set(license, { quantity, product });
    else this.#books.installed(readSold(license, product, terms));
  }

  #granted(session: string, outcome: Outcome & { kind: 'granted' }): void {
    const { grants } = outcome;
    for (const { license, seats } of grants) {
      const used = (this.#used.get(license) ?? 0) + seats;
      this.#used.set(license, used);
      const { quantity = 0 } = this.#quantities.get(license) ?? {};
      if (used > quantity) this.#fault(`9.1 entry ${this.#index} gives seat ${used} of ${quantity} of ${license}`);
    }
    const counted = grants.map(({ license, seats }) => ({ license, count: seats }));
    this.#hold(session, outcome, counted);
  }

  #hold(
    session: string,
    { grants, requestId }: Outcome & { kind: 'granted' },
    seats: CountedSeats,
    forMs?: number,
  ): void {
    if (grants.some(({ issuedLogTime }) => issuedLogTime !== this.#logTime))
      this.#fault(`6.7 a grant in entry ${this.#index} has another time`);
    this.#holds.take(`${session}/${requestId}`, { session, seats }, { logTime: this.#logTime, forMs });
  }

  #renewed(key: string, issuedLogTime: number): void {
    if (issuedLogTime !== this.#logTime) this.#fault(`6.7 a renewal in entry ${this.#index} has another time`);
    this.#holds.renewed(key, this.#logTime);
  }

  #consume({ license, units, left: remaining }: Consumed): void {
    const consumed = (this.#consumed.get(license) ?? 0) + units;
    this.#consumed.set(license, consumed);
    const { units: sold = 0 } = this.#world.sold.get(license) ?? {};
    if (remaining !== sold - consumed || remaining < 0)
      this.#fault(`9.2 entry ${this.#index} leaves ${remaining} units of ${license}, not ${sold - consumed}`);
  }

  #denied({ code, product }: Outcome & { kind: 'denied' }, command: Command): void {
    if (code !== 'seats' || command.kind !== 'acquire') return;
    const asked = wantedBy(command).get(product) ?? 0;
    const free = this.#queue.free(command.items.map((item) => item.product))(product);
    if (free >= asked) this.#fault(`5.8 entry ${this.#index} denies ${asked} seats of ${product}, ${free} are free`);
  }

  #soldOf(product: string): number {
    let sold = 0;
    for (const one of this.#quantities.values()) if (one.product === product) sold += one.quantity;
    return sold;
  }

  #freeOf(product: string): number {
    let free = 0;
    for (const [license, one] of this.#quantities)
      if (one.product === product) free += one.quantity - (this.#used.get(license) ?? 0);
    return free;
  }
}
