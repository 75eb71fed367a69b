import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Command, Outcome } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import { TooMuchSaid } from './apply.ts';
import { sizeOf } from './size.ts';
import { TestLedger, TestSession } from './test-ledger.ts';

const code = (outcome: Outcome): string => (outcome.kind === 'refused' ? `refused ${outcome.code}` : outcome.kind);

/** One seat, shared by all that one user does: as many holds as a session may have. */
function manyHolds(): { one: TestLedger; session: TestSession } {
  const one = new TestLedger();
  one.sell({ quantity: 1, counting: ['user'] });
  const session = TestSession.opened(one, 'alice');
  const items = Array.from({ length: 16 }, () => ({ product: 'cad' }));
  for (let held = 0; held < LIMITS.itemsPerSession; held += items.length)
    assert.equal(code(one.do(session.acquire(items))), 'granted');
  return { one, session };
}

describe('what an entry may bring about (PROTOCOL §5.1)', () => {
  test('one whose outcomes are too long is no entry, and says how much of it would be', () => {
    const { one, session } = manyHolds();
    const { root } = one;
    const renewals = Array.from({ length: LIMITS.batchCommands }, () => session.renew());
    let fitting = 0;
    const tooMuch = (error: unknown): boolean => {
      assert.ok(error instanceof TooMuchSaid);
      fitting = error.fitting;
      return true;
    };
    assert.throws(() => one.apply(renewals), tooMuch);
    assert.deepEqual(one.root, root);
    assert.ok(fitting > 10 && fitting < 100, `${fitting} fit`);
    assert.throws(() => one.apply(renewals.slice(0, fitting + 1)), TooMuchSaid);
    assert.equal(one.apply(renewals.slice(0, fitting)).length, fitting);
  });

  test('an ordinary full one passes: a thousand who are denied, with ten holders each', () => {
    const one = new TestLedger();
    one.sell({ quantity: 10 });
    const names = Array.from({ length: 10 }, (_, i) => `holder ${i} with a name of usual length`);
    for (const name of names) one.do(TestSession.opened(one, name).acquire());
    const late = TestSession.opened(one, 'late');
    const outcomes = one.apply(Array.from({ length: LIMITS.batchCommands }, () => late.acquire()));
    assert.ok(outcomes.every((outcome) => outcome.kind === 'denied' && outcome.holders.length === 10));
  });
});

describe('what clients make the group remember (PROTOCOL §5.14)', () => {
  test('a renewal is done again instead of remembered, however much a session holds', () => {
    const { one, session } = manyHolds();
    const before = one.ledger.bytes;
    const lowestUnanswered = session.requestId + 1;
    const renewals = Array.from({ length: 31 }, () => session.renew({ lowestUnanswered }));
    const firsts = renewals.map((renewal) => one.do(renewal));
    assert.ok(firsts.every((outcome) => outcome.kind === 'renewed' && outcome.grants.length === 256));
    assert.ok(one.ledger.bytes - before < 10_000, `${one.ledger.bytes - before} bytes more`);
    const again = one.do(renewals[0] as Command);
    assert.ok(again.kind === 'renewed' && again.logTime > (firsts[0] as { logTime: number }).logTime);
    assert.equal(code(one.do(session.renew({ requestId: session.requestId }))), 'refused other-bytes');
  });

  test('a full ledger takes nothing more in; what people have they keep and give back, and then there is room', () => {
    const one = new TestLedger();
    one.sell({ quantity: 2 });
    one.sell({ quantity: 0, units: 10 }, { id: 'sim-1', product: 'sim' });
    const session = TestSession.opened(one, 'alice');
    assert.equal(code(one.do(session.acquire())), 'granted');
    const missing = LIMITS.ledgerBytes - one.ledger.bytes;
    one.ledger.bytes += missing;
    const acquire = session.acquire();
    const consume = session.consume(1);
    const open = new TestSession(one, 'bob').open;
    for (const command of [acquire, consume, open]) assert.equal(code(one.do(command)), 'refused too-many');
    assert.equal(code(one.do(session.renew({ lowestUnanswered: 2 }))), 'renewed');
    assert.equal(code(one.do(session.release(1))), 'released');
    // Refused for now only: the very same requests are done when there is room.
    one.ledger.bytes -= missing;
    assert.deepEqual(
      [acquire, consume, open].map((command) => code(one.do(command))),
      ['granted', 'consumed', 'opened'],
    );
    assert.equal(one.ledger.bytes, sizeOf(one.ledger));
    one.ledger.bytes = LIMITS.ledgerBytes;
    assert.equal(code(one.do(session.close())), 'closed');
  });

  test('nothing is left of sessions that have ended, once their ids are forgotten', () => {
    const { one, session } = manyHolds();
    one.do(session.close());
    for (let minutes = 0; minutes < 12; minutes++) one.wait(60_000);
    assert.equal(one.ledger.sessions.size, 0);
    assert.equal(one.ledger.bytes, sizeOf(one.ledger));
    assert.equal(one.ledger.bytes, 0);
  });
});
