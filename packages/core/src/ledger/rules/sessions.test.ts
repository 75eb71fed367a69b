import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { equalBytes, type Outcome } from '@trefoil/license';
import { seedKey } from '@trefoil/license/fixtures';
import { freeAt, LIMITS } from '../../limits.ts';
import { TestLedger, TestSession } from '../test-ledger.ts';

const code = (outcome: Outcome): string =>
  outcome.kind === 'refused' || outcome.kind === 'denied' ? `${outcome.kind} ${outcome.code}` : outcome.kind;
const end = freeAt(0, LIMITS.sessionTimeoutMs);

describe('opening a session (PROTOCOL §5.2)', () => {
  test('a repeat finds the same session, and its remembered outcome', () => {
    const one = new TestLedger();
    const session = new TestSession(one, 'alice');
    assert.equal(code(one.do(session.open)), 'opened');
    assert.deepEqual(one.do(session.open), one.do(session.open));
    assert.equal(one.ledger.sessions.size, 1);
    one.do(session.renew());
    assert.equal(code(one.do(session.open)), 'opened', 'a renewal may be anybody’s');
    one.do(session.consume(1));
    assert.equal(code(one.do(session.open)), 'refused forgotten'); // acknowledged: its outcome is no longer kept
  });

  test('names a certified time of the last ten minutes', () => {
    const one = new TestLedger();
    assert.equal(code(one.do(new TestSession(one, 'early', { atLogTime: 1_000 }).open)), 'refused stale');
    const late = new TestSession(one, 'late');
    one.wait(LIMITS.openWindowMs);
    assert.equal(code(one.do(late.open)), 'refused stale');
  });

  test('an ended one is never opened again', () => {
    const one = new TestLedger();
    const session = TestSession.opened(one, 'alice');
    assert.deepEqual(one.wait(end).map(code), ['ended']);
    assert.equal(code(one.do(session.open)), 'refused unknown-session');
    one.wait(LIMITS.openWindowMs + 1_001); // its id may be forgotten only when the time it names is stale
    assert.equal(one.ledger.ended.size, 0);
    assert.equal(code(one.do(session.open)), 'refused stale');
  });

  test('needs the signature of its own key', () => {
    const one = new TestLedger();
    const session = new TestSession(one, 'alice', { signedBy: seedKey('mallory') });
    assert.equal(code(one.do(session.open)), 'refused bad-signature');
  });
});

describe('renewing and ending (PROTOCOL §5.3, §5.4)', () => {
  test('a silent session ends when its time has run out by any clock, and no earlier', () => {
    const one = new TestLedger();
    const session = TestSession.opened(one, 'alice');
    assert.deepEqual(one.wait(end - 1), []);
    assert.equal(code(one.do(session.renew(), 0)), 'renewed');
    assert.deepEqual(one.wait(end - 1), []);
    assert.deepEqual(one.wait(1).map(code), ['ended']);
    assert.equal(code(one.do(session.renew())), 'refused unknown-session');
  });

  test('what falls due comes after the commands, by deadline, session and hold', () => {
    const one = new TestLedger();
    one.sell({ quantity: 9, sessionTimeoutSeconds: 10 });
    const sessions = ['a', 'b', 'c'].map((name) => TestSession.opened(one, name));
    one.apply(sessions.flatMap((session) => [session.acquire(), session.acquire()]));
    const idOf = (handle: Uint8Array): Uint8Array =>
      (sessions.find((session) => equalBytes(session.handle, handle)) as TestSession).id;
    const late = one.apply([sessions[0]?.renew() as never], 10_400);
    assert.equal(late[0]?.kind, 'renewed');
    assert.deepEqual(late[0]?.kind === 'renewed' && late[0].grants, []); // its holds were due before it came
    const order = late
      .slice(1)
      .map((outcome) => (outcome.kind === 'expired' ? [...idOf(outcome.session), outcome.hold] : []));
    assert.equal(order.length, 6);
    assert.deepEqual(
      order,
      order.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
  });

  test('a seat has the time-out of its own license', () => {
    const one = new TestLedger();
    one.sell({ quantity: 1, sessionTimeoutSeconds: 10 });
    one.sell({ quantity: 1, sessionTimeoutSeconds: 3_600 }, { id: 'cam-1', product: 'cam' });
    const session = TestSession.opened(one, 'alice');
    one.do(session.acquire('cad'));
    one.do(session.acquire('cam'), 0);
    assert.deepEqual(one.wait(freeAt(0, 10_000) - 1), []);
    assert.deepEqual(one.wait(1).map(code), ['expired']);
    assert.equal(one.ledger.licenses.get('cad-1')?.used, 0);
    assert.equal(one.ledger.licenses.get('cam-1')?.used, 1);
    assert.deepEqual(one.wait(freeAt(0, 3_600_000)).map(code), ['ended']);
    assert.equal(one.ledger.licenses.get('cam-1')?.used, 0);
  });

  test('closing needs the secret; then nothing but the remembered answer', () => {
    const one = new TestLedger();
    one.sell({ quantity: 1 });
    const session = TestSession.opened(one, 'alice');
    one.do(session.acquire());
    assert.equal(code(one.do(session.close(new Uint8Array(32)))), 'refused wrong-secret');
    const close = session.close();
    assert.equal(code(one.do(close)), 'closed');
    assert.deepEqual(one.do(close), one.do(close));
    assert.equal(code(one.do(session.acquire())), 'refused unknown-session');
    assert.equal(one.ledger.licenses.get('cad-1')?.used, 0);
    one.wait(LIMITS.closedMemoryMs);
    assert.equal(one.ledger.sessions.size, 0);
  });
});

describe('eviction (PROTOCOL §5.9)', () => {
  test('the seat is free when its last grant has run out', () => {
    const one = new TestLedger();
    one.sell({ quantity: 1, sessionTimeoutSeconds: 10 });
    const [alice, bob] = [TestSession.opened(one, 'alice'), TestSession.opened(one, 'bob')];
    one.do(alice.acquire());
    const evict = one.evict(alice.id);
    const outcome = one.do(evict);
    assert.equal(outcome.kind === 'evicted' && outcome.freeAtLogTime, one.ledger.logTime - 1 + 10_350);
    assert.equal(code(one.do(alice.renew())), 'refused evicted');
    assert.equal(code(one.do(alice.acquire())), 'refused evicted');
    assert.equal(code(one.do(bob.acquire())), 'denied seats');
    assert.deepEqual(one.do(evict), outcome); // remembered, though the session changed
    assert.deepEqual(one.wait(10_350).map(code), ['ended']); // and its seat with it
    assert.equal(code(one.do(bob.acquire())), 'granted');
    assert.equal(code(one.do(evict)), 'evicted');
  });

  test('only by an admin of the group, of this set, and not for ever', () => {
    const one = new TestLedger();
    const alice = TestSession.opened(one, 'alice');
    assert.equal(code(one.do(one.evict(alice.id, { key: seedKey('mallory') }))), 'refused bad-signature');
    assert.equal(code(one.do({ ...one.evict(alice.id), admin: new Uint8Array(16) })), 'refused unknown-admin');
    assert.equal(code(one.do(one.evict(alice.id, { atLogTime: 99_999 }))), 'refused stale');
    assert.equal(code(one.do(one.evict(new Uint8Array(16)))), 'refused unknown-session');
    assert.equal(code(one.do(one.evict(alice.id))), 'evicted');
  });
});

test('what others are shown of a session names it, and lets nobody ask in it', () => {
  const one = new TestLedger();
  one.sell({ quantity: 2 });
  const alice = TestSession.opened(one, 'alice');
  const granted = one.do(alice.acquire());
  assert.deepEqual(granted.session, alice.handle);
  const forged = { ...alice.renew({ requestId: 2 ** 40, lowestUnanswered: 2 ** 40 }), session: granted.session };
  const refused = one.do(forged);
  assert.equal(code(refused), 'refused unknown-session');
  assert.equal(code(one.do(alice.renew({ requestId: 2 }))), 'renewed');
  const late = one.wait(end + 1);
  assert.deepEqual(
    late.map(({ session }) => session),
    late.map(() => alice.handle),
  );
});
