import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type JsonObject, type Outcome, sealEnvelope, toBase64url } from '@trefoil/license';
import { fixture } from '@trefoil/license/fixtures';
import { freeAt, LIMITS } from '../../limits.ts';
import { emptyLedger } from '../state.ts';
import { TestLedger, TestSession } from '../test-ledger.ts';
import { installUpdate } from './install-update.ts';

const code = (outcome: Outcome): string => (outcome.kind === 'refused' ? `refused ${outcome.code}` : outcome.kind);

const payloadOf = (document: string): JsonObject =>
  JSON.parse(Buffer.from(document.split('.')[1] ?? '', 'base64url').toString()) as JsonObject;

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

  test('refused where a constituent does not fit its container and its license, or is missing', () => {
    const one = new TestLedger();
    const { fixture: own } = one;
    const document = own.update([own.license()]);
    const { constituents } = payloadOf(document) as { constituents: string[] };
    const second = payloadOf(constituents[1] as string);
    const odd: readonly JsonObject[] = [
      { version: 9 },
      { tmrId: 7 },
      { set: toBase64url(new Uint8Array(16)) },
      { serial: toBase64url(new Uint8Array(16)) },
      { licenseDigest: toBase64url(new Uint8Array(32)) },
      { member: 1 },
      { license: 'cam-1' },
    ];
    const changed = odd.map((change) =>
      constituents.with(1, sealEnvelope(own.crypto, 'trefoil-constituent', { ...second, ...change }, own.issuing)),
    );
    for (const list of [...changed, constituents.slice(0, 2)]) {
      const update = sealEnvelope(
        own.crypto,
        'trefoil-update',
        { ...payloadOf(document), constituents: list },
        own.issuing,
      );
      assert.equal(code(one.do({ kind: 'update', document: update })), 'refused bad-document');
    }
    assert.equal(one.ledger.licenses.size, 0);
    assert.equal(code(one.do({ kind: 'update', document })), 'updated');
    assert.equal(one.ledger.licenses.get('cad-1')?.constituents.length, 3);
  });

  test('refused: an update for another set, and a TMR license in a group of one', () => {
    const one = new TestLedger();
    const { fixture: own } = one;
    const set = toBase64url(new Uint8Array(16).fill(3));
    const elsewhere = { ...payloadOf(own.update([])), set };
    const document = sealEnvelope(own.crypto, 'trefoil-update', elsewhere, own.issuing);
    assert.equal(code(one.do({ kind: 'update', document })), 'refused wrong-group');
    const alone = fixture('acme', 1);
    const { crypto, configuration, group, issuingKey } = alone;
    const context = { crypto, vendorRoot: alone.root.publicKey, configuration, group, issuingKey: issuingKey.text };
    for (const [tmrId, expected] of [
      [1, 'refused'],
      [0, 'updated'],
    ] as const) {
      const ledger = emptyLedger(context);
      ledger.utc = one.utc;
      const update = alone.update([alone.license({ tmrId })]);
      assert.equal(installUpdate(ledger, { kind: 'update', document: update }).kind, expected);
    }
  });

  test('a license keeps its own constituents, also where an update brings several', () => {
    const one = new TestLedger();
    const { fixture: own } = one;
    const licenses = [own.license(), own.license({ id: 'cam-1', product: 'cam' })];
    one.do({ kind: 'update', document: own.update(licenses) });
    for (const [id, { constituents }] of one.ledger.licenses)
      assert.deepEqual(
        constituents.map((constituent) => `${constituent.license} ${constituent.member}`),
        [1, 2, 3].map((member) => `${id} ${member}`),
      );
  });

  test('what is older by its own words is refused before anything is verified', () => {
    const one = new TestLedger();
    const { fixture: own } = one;
    const many = Array.from({ length: 60 }, (_, i) => own.license({ id: `cad-${i}` }));
    const document = own.update(many);
    assert.equal(code(one.do({ kind: 'update', document })), 'updated');
    one.wait(LIMITS.openWindowMs + 2_000);
    const { crypto } = one.ledger.context;
    let verified = 0;
    const verify = crypto.verify.bind(crypto);
    crypto.verify = (...args) => {
      verified++;
      return verify(...args);
    };
    assert.equal(code(one.do({ kind: 'update', document })), 'refused older-license');
    crypto.verify = verify;
    assert.equal(verified, 0);
  });

  test('a refusal fits into its outcome in any alphabet', () => {
    const one = new TestLedger();
    const outcome = one.do({ kind: 'update', document: '許可'.repeat(200) });
    assert.equal(code(outcome), 'refused bad-document');
  });

  test('what was returned stays returned: later versions end it again, and no other is installed', () => {
    const one = new TestLedger();
    const { fixture: own } = one;
    const put = (version: number, terms: JsonObject): Outcome =>
      one.do({ kind: 'update', document: own.update([own.license({ version, terms: { quantity: 2, ...terms } })]) });
    put(1, {});
    assert.equal(code(put(2, { version: 2, returned: true })), 'updated');
    for (const terms of [{}, { version: 2, returned: false }]) {
      const refused = put(3, terms);
      assert.equal(code(refused), 'refused bad-document');
      assert.match(refused.kind === 'refused' ? refused.detail : '', /license cad-1 was returned/);
    }
    assert.equal(code(put(3, { version: 2, returned: true })), 'updated');
    assert.equal(code(put(4, {})), 'refused bad-document');
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
