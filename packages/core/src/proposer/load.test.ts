import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Command, encodeCommand } from '@trefoil/license';
import { encodeEntry, RULES_VERSION } from '../entry.ts';
import { LedgerRoot } from '../ledger/root.ts';
import { LIMITS } from '../limits.ts';
import { canAppend } from '../replica.ts';
import { TestLedger, TestSession } from '../ledger/test-ledger.ts';
import { proposeOf, refusalOf } from '../voter/bench.ts';
import { ProposerBench } from './bench.ts';
import type { Priority, ProposerEffect } from './state.ts';

/** A TMR server that leads, and takes commands in; all license servers answer at once. */
class Leader extends ProposerBench {
  readonly test = new TestLedger();
  readonly answered: number[] = [];
  /** Of each entry: the commands that it answers, by the order in which they came. */
  readonly tokens: number[][] = [];
  last = 0;

  constructor() {
    super();
    this.passOn(this.tick(100));
    assert.equal(this.proposer.role, 'leading');
  }

  override step(...args: Parameters<ProposerBench['step']>): ProposerEffect[] {
    const effects = super.step(...args);
    for (const effect of effects) {
      if (effect.kind !== 'answers') continue;
      this.answered.push(effect.answers.length);
      this.tokens.push(effect.answers.map(({ token }) => token));
    }
    return effects;
  }

  takes(command: Command | Uint8Array, priority: Priority = 'other'): string[] {
    const bytes = command instanceof Uint8Array ? command : encodeCommand(command);
    const deadlineMs = Infinity;
    return this.step({ kind: 'command', token: ++this.last, bytes, priority, deadlineMs, stuck: false }).map(
      (effect) => (effect.kind === 'unavailable' ? effect.reason : effect.kind),
    );
  }

  /** Until all are answered. */
  goesOn(): void {
    for (let i = 0; i < 50 && this.open > 0; i++) this.passes();
    assert.equal(this.open, 0);
  }

  passes(): void {
    for (const member of [1, 2, 3] as const) this.passOn(this.hears(member, this.status(member)));
    this.passOn(this.tick(this.now + 20));
  }

  get open(): number {
    return this.last - this.answered.reduce((sum, count) => sum + count, 0);
  }
}

/** It leads a group in which one session holds as much as one may, of a license with a single seat. */
function withManyHolds(): { leader: Leader; session: TestSession } {
  const leader = new Leader();
  const { fixture } = leader.test;
  const license = fixture.license({ terms: { quantity: 1, counting: ['user'] } });
  leader.takes({ kind: 'update', document: fixture.update([license], 1) });
  const session = new TestSession(leader.test, 'alice');
  leader.takes(session.open);
  leader.goesOn();
  const items = Array.from({ length: 16 }, () => ({ product: 'cad' }));
  for (let held = 0; held < LIMITS.itemsPerSession; held += items.length) leader.takes(session.acquire(items));
  leader.goesOn();
  return { leader, session };
}

test('what does not fit an entry by what it brings about goes into the next one (PROTOCOL §5.1)', () => {
  const { leader, session } = withManyHolds();
  const before = leader.answered.length;
  for (let i = 0; i < 100; i++) leader.takes(session.renew(), 'renew');
  leader.goesOn();
  const answered = leader.answered.slice(before);
  assert.ok(Math.max(...answered) < 60, `in entries of ${answered.join(', ')}`);
});

test('renewals of which few fit an entry keep nobody else from being served', () => {
  const { leader, session } = withManyHolds();
  const other = new TestSession(leader.test, 'bob');
  for (let i = 0; i < 300; i++) leader.takes(session.renew(), 'renew');
  leader.takes(other.open);
  const entries = leader.answered.length;
  const asked = leader.last;
  leader.goesOn();
  const at = leader.tokens.slice(entries).findIndex((tokens) => tokens.includes(asked));
  assert.ok(at >= 0 && at < 3, `${at} entries later`);
});

test('an entry that brings about too much gets no vote', () => {
  const { leader, session } = withManyHolds();
  const { replica, epoch } = leader.proposer;
  const { lastHead: previous, certificate = new Uint8Array(0) } = replica;
  const { index, logTime, utc } = replica.ledger;
  const [voter] = leader.voters;
  const answerTo = (renewals: number): string => {
    const commands = Array.from({ length: renewals }, () => encodeCommand(session.renew()));
    const options = { commands, index: index + 1, logTime, utc, previous, certificate };
    return refusalOf(voter.say('A', proposeOf(voter, epoch, options)));
  };
  assert.equal(answerTo(100), 'malformed');
  assert.equal(answerTo(10), 'vote');
});

test('an entry that brings about too much is nothing to build on, and looking at it leaves nothing behind', () => {
  const { leader, session } = withManyHolds();
  const { replica, context } = leader.proposer;
  const { index, logTime, utc } = replica.ledger;
  const entryOf = (renewals: number): Uint8Array =>
    encodeEntry({
      ...{
        set: context.configuration.set,
        index: index + 1,
        logTime,
        utc,
        rulesVersion: RULES_VERSION,
        ledgerRoot: undefined,
      },
      commands: Array.from({ length: renewals }, () => encodeCommand(session.renew())),
    });
  const root = LedgerRoot.of(replica.ledger).current(replica.ledger);
  assert.ok(!canAppend(replica, entryOf(100)));
  assert.ok(canAppend(replica, entryOf(10)));
  assert.deepEqual(LedgerRoot.of(replica.ledger).current(replica.ledger), root);
  assert.equal(replica.tail, undefined);
  assert.equal(replica.lastIndex, index);
});

test('of commands as large as updates only some may wait (PROTOCOL §5.14)', () => {
  const leader = new Leader();
  const large = new Uint8Array(LIMITS.largeCommandBytes + 1);
  leader.proposer.proposal = undefined;
  leader.proposer.role = 'follower'; // nothing is taken out of the queue
  for (let i = 0; i < LIMITS.queuedLargeCommands; i++) assert.deepEqual(leader.takes(large), []);
  assert.deepEqual(leader.takes(large), ['overloaded']);
  assert.deepEqual(leader.takes(new Uint8Array(100)), []);
});
