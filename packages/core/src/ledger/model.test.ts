import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Command, equalBytes } from '@trefoil/license';
import fc from 'fast-check';
import { freeAt, LIMITS } from '../limits.ts';
import { applyEntry } from './apply.ts';
import { ledgerFromRecords, encodeRecord, recordNames } from './records.ts';
import { LedgerRoot } from './root.ts';
import { sizeOf } from './size.ts';
import type { Ledger } from './state.ts';
import { TestLedger, TestSession } from './test-ledger.ts';
import { UsageModel } from './usage-model.ts';

/** What the ledger should do, said again as simply as possible: one license of seats, one of units. */
class Model {
  quantity = 0;
  units = 0;
  consumed = 0;
  readonly timeoutMs: number;
  readonly sessions = new Map<string, { deadline: number; over: boolean; holds: Map<number, Seat> }>();
  waits: {
    readonly name: string;
    readonly hold: number;
    readonly seats: number;
    readonly until: number;
    kept: number;
  }[] = [];

  readonly usage: UsageModel;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
    this.usage = new UsageModel(() => this.used);
  }

  get borrowable(): number {
    return borrowableOf(this.quantity);
  }

  get borrowed(): number {
    const holds = [...this.sessions.values()].flatMap((session) => [...session.holds.values()]);
    return holds.reduce((all, { seats, extended }) => all + (extended === undefined ? 0 : seats), 0);
  }

  get used(): number {
    let used = 0;
    for (const { holds } of this.sessions.values()) for (const { seats } of holds.values()) used += seats;
    return used;
  }

  expire(now: number): void {
    for (const [name, session] of this.sessions) {
      for (const [id, hold] of session.holds) if (hold.freeAt <= now) session.holds.delete(id);
      if (session.deadline <= now) this.sessions.delete(name);
    }
    this.waits = this.waits.filter((one) => Math.min(one.until, one.kept) > now && this.sessions.has(one.name));
  }

  /** What is there for somebody who comes now: those ahead have a claim on it. */
  get free(): number {
    return this.waits.reduce((free, { seats }) => Math.max(0, free - seats), Math.max(0, this.quantity - this.used));
  }

  /** First come, first served; who does not get all that he wants keeps it from those behind. */
  serve(now: number): void {
    let free = this.quantity - this.used;
    this.waits = this.waits.filter(({ name, hold, seats }) => {
      const isServed = seats <= free;
      free = isServed ? free - seats : 0;
      const session = this.sessions.get(name);
      if (!isServed || session === undefined) return true;
      const until = freeAt(now, this.timeoutMs);
      session.holds.set(hold, { seats, freeAt: until });
      session.deadline = Math.max(session.deadline, until);
      this.usage.count('granted');
      return false;
    });
  }

  /** What the outcome should be. */
  do(action: Fresh, now: number): string {
    if (action.kind === 'open') {
      if (this.sessions.has(action.name)) return 'refused';
      this.sessions.set(action.name, { deadline: freeAt(now, LIMITS.sessionTimeoutMs), over: false, holds: new Map() });
      return 'opened';
    }
    const session = this.sessions.get(action.name);
    if (session === undefined) return 'refused';
    const kind = this.#inSession(session, action, now);
    // An extension is no new grant.
    if (action.kind !== 'extend' || kind === 'denied')
      this.usage.count(kind, action.kind === 'consume' ? action.units : 0);
    if (!['granted', 'queued', 'released', 'renewed', 'evicted'].includes(kind)) return kind;
    const living = session.over ? now : freeAt(now, LIMITS.sessionTimeoutMs);
    session.deadline = Math.max(living, ...[...session.holds.values()].map((one) => one.freeAt));
    return kind;
  }

  #inSession(
    session: { over: boolean; holds: Map<number, Seat> },
    action: Exclude<Fresh, { kind: 'open' }>,
    now: number,
  ): string {
    switch (action.kind) {
      case 'acquire':
        if (session.over) return 'refused';
        if (action.seats > this.free) {
          if (action.waitMs === 0 || action.seats > this.quantity) return 'denied';
          this.waits.push({ ...action, until: now + action.waitMs, kept: freeAt(now, this.timeoutMs) });
          return 'queued';
        }
        session.holds.set(action.hold, { seats: action.seats, freeAt: freeAt(now, this.timeoutMs) });
        return 'granted';
      case 'release':
        return session.holds.delete(action.hold) || this.#giveUp(action) ? 'released' : 'refused';
      case 'borrow': {
        if (session.over) return 'refused';
        const mayLeave = action.seats <= this.borrowable - this.borrowed && action.forMs <= LONGEST_MS;
        if (action.seats > this.free || !mayLeave) return 'denied';
        session.holds.set(action.hold, { seats: action.seats, freeAt: freeAt(now, action.forMs), extended: 0 });
        return 'granted';
      }
      case 'extend': {
        if (session.over) return 'refused';
        const hold = session.holds.get(action.hold);
        if (hold?.extended === undefined) return 'refused';
        if (action.forMs > LONGEST_MS || hold.extended > 0 || this.borrowed > this.borrowable) return 'denied';
        hold.extended++;
        hold.freeAt = Math.max(hold.freeAt, freeAt(now, action.forMs));
        return 'granted';
      }
      case 'renew':
        if (session.over) return 'refused';
        for (const hold of session.holds.values())
          if (hold.extended === undefined) hold.freeAt = freeAt(now, this.timeoutMs);
        for (const wait of this.waits) if (wait.name === action.name) wait.kept = freeAt(now, this.timeoutMs);
        return 'renewed';
      case 'evict':
        session.over = true;
        this.waits = this.waits.filter((one) => one.name !== action.name);
        return 'evicted';
      case 'consume':
        if (session.over) return 'refused';
        if (this.consumed + action.units > this.units) return 'denied';
        this.consumed += action.units;
        return 'consumed';
    }
  }

  #giveUp({ name, hold }: { readonly name: string; readonly hold: number }): boolean {
    const before = this.waits.length;
    this.waits = this.waits.filter((one) => one.name !== name || one.hold !== hold);
    return this.waits.length < before;
  }
}

interface Seat {
  readonly seats: number;
  freeAt: number;
  /** undefined = it is not borrowed. */
  extended?: number;
}

type Fresh =
  | { readonly kind: 'open'; readonly name: string }
  | { readonly kind: 'renew'; readonly name: string }
  | { readonly kind: 'evict'; readonly name: string }
  | {
      readonly kind: 'acquire';
      readonly name: string;
      readonly hold: number;
      readonly seats: number;
      readonly waitMs: number;
    }
  | {
      readonly kind: 'borrow';
      readonly name: string;
      readonly hold: number;
      readonly seats: number;
      readonly forMs: number;
    }
  | { readonly kind: 'extend'; readonly name: string; readonly hold: number; readonly forMs: number }
  | { readonly kind: 'release'; readonly name: string; readonly hold: number }
  | { readonly kind: 'consume'; readonly name: string; readonly units: number };

const LONGEST_MS = 120_000;
const borrowableOf = (quantity: number): number => Math.min(2, quantity);
const forMs = fc.constantFrom(5_000, 60_000, LONGEST_MS, LONGEST_MS + 1);
const name = fc.constantFrom('alice', 'bob', 'carol');
const step = fc.record({
  afterMs: fc.constantFrom(0, 1, 500, 5_000, 10_349, 10_350, 30_000),
  action: fc.oneof(
    fc.record({ kind: fc.constantFrom('open' as const, 'renew' as const), name }),
    fc.record({
      kind: fc.constant('acquire' as const),
      name,
      seats: fc.integer({ min: 1, max: 3 }),
      waitMs: fc.constantFrom(0, 0, 700, 40_000),
    }),
    fc.record({ kind: fc.constant('borrow' as const), name, seats: fc.integer({ min: 1, max: 2 }), forMs }),
    fc.record({ kind: fc.constant('extend' as const), name, back: fc.integer({ min: 0, max: 3 }), forMs }),
    fc.record({ kind: fc.constant('release' as const), name, back: fc.integer({ min: 0, max: 3 }) }),
    fc.record({ kind: fc.constant('consume' as const), name, units: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ kind: fc.constant('evict' as const), name }),
    fc.record({ kind: fc.constant('again' as const), back: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ kind: fc.constant('sell' as const), quantity: fc.integer({ min: 1, max: 5 }) }),
  ),
  undoFirst: fc.boolean(),
  snapshot: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const TIMEOUT_S = 10;
/** The log begins so long before midnight: runs go over it. */
const BEFORE_MIDNIGHT_MS = 70_000;

/** One run: the ledger, the model, and a second ledger that was restored from a snapshot and goes on with the same entries. */
class Run {
  readonly one = new TestLedger(undefined, Date.UTC(2026, 10, 24) - BEFORE_MIDNIGHT_MS);
  readonly model = new Model(TIMEOUT_S * 1_000);
  readonly sessions = new Map<string, TestSession>();
  sent: { bytes: Command; outcome: Uint8Array; session: string | undefined }[] = [];
  readonly root = new LedgerRoot(this.one.fixture.crypto);
  restored: TestLedger | undefined;
  version = 0;
  generation = 0;

  take({ afterMs, action, undoFirst, snapshot }: Step): void {
    if (action.kind === 'sell') return this.#sell(action.quantity, afterMs);
    const now = this.one.ledger.logTime + afterMs;
    const again = action.kind === 'again' ? this.sent.at(-1 - action.back) : undefined;
    if (action.kind === 'again' && again === undefined) return;
    const fresh =
      again === undefined ? this.#fresh(action as Exclude<Step['action'], { kind: 'again' | 'sell' }>) : undefined;
    const command = again?.bytes ?? fresh?.command;
    if (command === undefined) return;
    this.#pass(afterMs);
    const outcome = this.#apply(command, afterMs, undoFirst);
    this.model.expire(now);
    this.#compare({ again, fresh, command, outcome }, now);
    this.model.serve(now);
    assert.equal(this.one.ledger.bytes, sizeOf(this.one.ledger));
    assert.equal(this.one.ledger.licenses.get('cad-1')?.used ?? 0, this.model.used);
    assert.equal(this.one.ledger.licenses.get('cad-1')?.borrowed ?? 0, this.model.borrowed);
    assert.equal(this.one.ledger.licenses.get('sim-1')?.consumed ?? 0, this.model.consumed);
    assert.equal(this.one.ledger.queues.get('cad')?.length ?? 0, this.model.waits.length);
    assert.equal(this.one.ledger.stirred.size, 0);
    assert.deepEqual(this.model.usage.in(this.one.ledger), this.model.usage.days);
    if (snapshot) this.#snapshot();
  }

  #compare(
    {
      again,
      fresh,
      command,
      outcome,
    }: {
      readonly again: Run['sent'][number] | undefined;
      readonly fresh: { readonly expected: Fresh } | undefined;
      readonly command: Command;
      readonly outcome: Uint8Array;
    },
    now: number,
  ): void {
    // A release is known by its hold: there is none any more.
    if (again?.bytes.kind === 'release') assert.equal(kindOf(outcome), 'refused');
    else if (again?.bytes.kind === 'renew' && this.model.sessions.has(again.session as string))
      assert.equal(kindOf(outcome), this.model.do({ kind: 'renew', name: again.session as string }, now));
    else if (again !== undefined) {
      // Remembered as long as the session lives (here nothing is acknowledged): the very same bytes.
      if (again.session === undefined || this.model.sessions.has(again.session))
        assert.deepEqual(outcome, again.outcome);
    } else if (fresh !== undefined) {
      assert.equal(kindOf(outcome), this.model.do(fresh.expected, now), JSON.stringify(fresh.expected));
      const session = 'session' in command && command.kind !== 'evict' ? fresh.expected.name : undefined;
      if (session !== undefined && kindOf(outcome) !== 'refused') this.sent.push({ bytes: command, outcome, session });
    }
  }

  #pass(afterMs: number): void {
    this.model.usage.pass(afterMs, BEFORE_MIDNIGHT_MS - this.one.ledger.logTime);
  }

  #sell(quantity: number, afterMs: number): void {
    const version = ++this.version;
    const { fixture } = this.one;
    const borrowing = { seats: borrowableOf(quantity), longest: 'PT2M', extensions: 1 };
    const terms = { quantity, sessionTimeoutSeconds: TIMEOUT_S, borrowing };
    const licenses = [
      fixture.license({ version, terms }),
      fixture.license({ id: 'sim-1', product: 'sim', version, terms: { quantity: 0, units: 100 * version } }),
    ];
    this.#pass(afterMs);
    this.#apply({ kind: 'update', document: fixture.update(licenses, version) }, afterMs, true);
    this.model.expire(this.one.ledger.logTime);
    this.model.quantity = quantity;
    this.model.waits = this.model.waits.filter(({ seats }) => seats <= quantity); // the others wait in vain (PROTOCOL §5.15)
    this.model.units = 100 * version;
    this.model.serve(this.one.ledger.logTime);
  }

  #fresh(
    action: Exclude<Step['action'], { kind: 'again' | 'sell' }>,
  ): { command: Command; expected: Fresh } | undefined {
    const standing = this.sessions.get(action.name);
    if (action.kind === 'open') {
      if (this.model.sessions.has(action.name)) return undefined;
      const session = new TestSession(this.one, `${action.name} ${++this.generation}`);
      this.sessions.set(action.name, session);
      this.sent = this.sent.filter((one) => one.session !== action.name); // of an earlier session of that name
      return { command: session.open, expected: { kind: 'open', name: action.name } };
    }
    if (standing === undefined) return undefined;
    if (action.kind === 'evict') {
      const command = this.one.evict(standing.id, { nonce: ++this.generation % 256 });
      return { command, expected: { kind: 'evict', name: action.name } };
    }
    // Nothing is acknowledged, so that everything stays remembered; up to the limit of requests in flight.
    if (standing.requestId >= 31) return undefined;
    const extra = { requestId: ++standing.requestId, lowestUnanswered: 1 };
    switch (action.kind) {
      case 'renew':
        return { command: standing.renew(extra), expected: { kind: 'renew', name: action.name } };
      case 'acquire': {
        const { seats, waitMs } = action;
        const command = standing.acquire([{ product: 'cad', seats }], { ...extra, waitMs });
        return { command, expected: { ...action, hold: extra.requestId } };
      }
      case 'borrow': {
        const command = standing.borrow(action.forMs, [{ product: 'cad', seats: action.seats }], extra);
        return { command, expected: { ...action, hold: extra.requestId } };
      }
      case 'extend': {
        const hold = Math.max(0, extra.requestId - 1 - action.back);
        const command = standing.extend(hold, action.forMs, extra);
        return { command, expected: { kind: 'extend', name: action.name, hold, forMs: action.forMs } };
      }
      case 'release': {
        const hold = Math.max(0, extra.requestId - 1 - action.back);
        return { command: standing.release(hold, extra), expected: { kind: 'release', name: action.name, hold } };
      }
      case 'consume':
        return { command: standing.consume(action.units, extra), expected: action };
    }
  }

  #apply(command: Command, afterMs: number, undoFirst: boolean): Uint8Array {
    const { one } = this;
    const entry = one.entry([command], afterMs);
    const undone = undoFirst ? undoneFirst(one.ledger, () => applyEntry(one.ledger, entry)) : undefined;
    const outcomes = applyEntry(one.ledger, entry);
    one.ledger.journal.clear();
    if (undone !== undefined) assert.deepEqual(outcomes, undone);
    if (this.restored !== undefined) {
      const other = applyEntry(this.restored.ledger, entry);
      this.restored.ledger.journal.clear();
      assert.deepEqual(other, outcomes);
      assert.ok(equalBytes(this.restored.root, one.root));
    }
    return outcomes[0] as Uint8Array;
  }

  #snapshot(): void {
    const { ledger } = this.one;
    const records = new Map(recordNames(ledger).map((one) => [one, encodeRecord(ledger, one) as Uint8Array]));
    this.restored = new TestLedger(ledgerFromRecords(this.one.context, records));
    assert.equal(this.restored.ledger.bytes, ledger.bytes);
    assert.ok(equalBytes(this.restored.root, this.one.root));
    assert.ok(equalBytes(this.root.current(ledger), this.one.root), 'the incremental root differs');
  }
}

function undoneFirst(ledger: Ledger, apply: () => Uint8Array[]): Uint8Array[] {
  const test = new TestLedger(ledger);
  const before = test.root;
  const outcomes = apply();
  ledger.journal.undoTo(0);
  assert.ok(equalBytes(test.root, before), 'undo leaves something behind');
  assert.equal(ledger.bytes, sizeOf(ledger));
  return outcomes;
}

const KINDS =
  'opened granted renewed released consumed closed denied refused evicted updated expired ended queued'.split(' ');
const kindOf = (outcome: Uint8Array): string => KINDS[(outcome[0] as number) - 1] as string;

test('random commands do what a simple model says, with undo and through snapshots', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const run = new Run();
      run.take({ afterMs: 1, action: { kind: 'sell', quantity: 3 }, undoFirst: false, snapshot: false });
      for (const who of ['alice', 'bob', 'carol'] as const)
        run.take({ afterMs: 1, action: { kind: 'open', name: who }, undoFirst: false, snapshot: false });
      for (const one of steps) run.take(one);
    }),
    { numRuns: 100 },
  );
});
