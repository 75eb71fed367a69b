import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Outcome } from '@trefoil/license';
import { fixture } from '@trefoil/license/fixtures';
import { freeAt, LIMITS } from '../../limits.ts';
import { TestLedger, TestSession } from '../test-ledger.ts';

const code = (outcome: Outcome): string => (outcome.kind === 'refused' ? `refused ${outcome.code}` : outcome.kind);

describe('updates (PROTOCOL §5.10)', () => {
  test('all of it or nothing', () => {
    const one = new TestLedger();
    const { fixture } = one;
    one.sell({ quantity: 5 }, { version: 2 });
    const newer = fixture.license({ id: 'cam-1', product: 'cam' });
    const older = fixture.license({ version: 1 });
    assert.equal(
      code(one.do({ kind: 'update', document: fixture.update([newer, older], 9) })),
      'refused older-license',
    );
    assert.equal(one.ledger.licenses.has('cam-1'), false);
    assert.equal(code(one.do({ kind: 'update', document: fixture.update([newer], 10) })), 'updated');
  });

  test('the same document twice is one update', () => {
    const one = new TestLedger();
    const document = one.fixture.update([one.fixture.license()]);
    assert.deepEqual(one.do({ kind: 'update', document }), one.do({ kind: 'update', document }));
  });

  test('refused with the reason: another group, another vendor, altered, a product that changed, ended', () => {
    const one = new TestLedger();
    const { fixture: own } = one;
    const refusal = (document: string): string => code(one.do({ kind: 'update', document }));
    assert.equal(refusal(own.update([own.license({ set: new Uint8Array(16) })])), 'refused wrong-group');
    const other = fixture('other');
    assert.equal(refusal(other.update([other.license()])), 'refused bad-document');
    const document = own.update([own.license()]);
    assert.equal(refusal(`${document.slice(0, -2)}AA`), 'refused bad-document');
    assert.equal(refusal('not a document'), 'refused bad-document');
    one.sell({ quantity: 1 });
    assert.equal(refusal(own.update([own.license({ version: 2, product: 'cam' })])), 'refused bad-document');
    const ended = own.license({ version: 2, terms: { quantity: 9, notAfter: '2026-11-23T00:00:00Z' } });
    assert.equal(refusal(own.update([ended])), 'refused bad-document');
    assert.equal(one.ledger.licenses.get('cad-1')?.license.version, 1);
  });

  test('a refusal fits into its outcome in any alphabet', () => {
    const one = new TestLedger();
    const outcome = one.do({ kind: 'update', document: '許可'.repeat(200) });
    assert.equal(code(outcome), 'refused bad-document');
  });

  test('sessions live on', () => {
    const one = new TestLedger();
    one.sell({ quantity: 2 });
    const [alice, bob] = [TestSession.opened(one, 'alice'), TestSession.opened(one, 'bob')];
    one.do(alice.acquire());
    one.do(bob.acquire());
    one.sell({ quantity: 1 }, { version: 2 });
    const kept = one.do(alice.renew());
    assert.equal(kept.kind === 'renewed' && kept.grants[0]?.version, 2);
    one.do(bob.release(1));
    assert.equal(one.do(bob.acquire()).kind, 'denied');
  });
});

describe('exactly once (PROTOCOL §5.11)', () => {
  test('a repeat gets its outcome, other bytes none, what is below the window never runs', () => {
    const one = new TestLedger();
    one.sell({ quantity: 5 });
    const session = TestSession.opened(one, 'alice');
    const acquire = session.acquire('cad', { requestId: 1 });
    const outcome = one.do(acquire);
    assert.deepEqual(one.do(acquire), outcome);
    assert.equal(code(one.do(session.renew({ requestId: 1 }))), 'refused other-bytes');
    one.do(session.renew({ requestId: 5, lowestUnanswered: 4 }));
    assert.equal(code(one.do(acquire)), 'refused forgotten');
    assert.equal(code(one.do(session.acquire('cad', { requestId: 3, lowestUnanswered: 1 }))), 'refused forgotten');
    assert.equal(one.ledger.licenses.get('cad-1')?.used, 1);
  });

  test('32 requests in flight', () => {
    const one = new TestLedger();
    const session = TestSession.opened(one, 'alice');
    assert.equal(code(one.do(session.renew({ requestId: 33, lowestUnanswered: 1 }))), 'refused too-many');
    assert.equal(code(one.do(session.renew({ requestId: 32, lowestUnanswered: 1 }))), 'renewed');
  });

  test('what has no authority uses up no request id and makes nothing forgotten', () => {
    const one = new TestLedger();
    one.sell({ quantity: 1 });
    const session = TestSession.opened(one, 'alice');
    const acquire = session.acquire('cad', { requestId: 1 });
    const outcome = one.do(acquire);
    const forged = session.command(
      { kind: 'release', hold: 1, secret: new Uint8Array(32) },
      { requestId: 40, lowestUnanswered: 40 },
    );
    assert.equal(code(one.do(forged)), 'refused wrong-secret');
    assert.deepEqual(one.do(acquire), outcome);
    const ofNoHold = session.command(
      { kind: 'release', hold: 9, secret: new Uint8Array(32) },
      { requestId: 40, lowestUnanswered: 40 },
    );
    assert.equal(code(one.do(ofNoHold)), 'refused unknown-hold');
    assert.equal(code(one.do(session.release(1, { requestId: 2 }))), 'released');
  });

  test('what anybody may send makes no consume forgotten, neither while the session lives nor afterwards', () => {
    const one = new TestLedger();
    one.sell({ quantity: 0, units: 100 }, { id: 'sim-1', product: 'sim' });
    const session = TestSession.opened(one, 'alice');
    const consume = session.consume(10, { lowestUnanswered: 1 });
    const outcome = one.do(consume);
    const huge = { requestId: 2 ** 52, lowestUnanswered: 2 ** 52 };
    for (const numbers of [{ requestId: 2, lowestUnanswered: 2 }, huge]) {
      one.do(session.acquire('nothing', numbers));
      one.do(session.renew({ ...numbers, requestId: numbers.requestId + 1 }));
      assert.deepEqual(one.do(consume), outcome);
    }
    one.wait(2 * freeAt(0, LIMITS.sessionTimeoutMs));
    assert.deepEqual(one.do(consume), outcome, 'remembered for 24 h');
  });

  test('what anybody may send takes nobody the right to give back and to close', () => {
    const one = new TestLedger();
    one.sell({ quantity: 2 });
    const session = TestSession.opened(one, 'alice');
    for (const product of ['cad', 'cad']) assert.equal(code(one.do(session.acquire(product))), 'granted');
    one.do(session.renew({ requestId: 2 ** 52, lowestUnanswered: 2 ** 52 }));
    one.do(session.renew({ requestId: 3, lowestUnanswered: 1 }));
    assert.equal(code(one.do(session.release(1))), 'released');
    assert.equal(code(one.do(session.close())), 'closed');
    assert.equal(one.ledger.licenses.get('cad-1')?.used, 0);
  });
});
