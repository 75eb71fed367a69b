import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeOutcome, GRANT_FLAGS, type JsonObject, type Outcome, verifyGrant } from '@trefoil/license';
import { certifyOutcome } from '@trefoil/license/fixtures';
import { freeAt } from '../../limits.ts';
import { ledgerFromRecords, encodeRecord, recordNames } from '../records.ts';
import type { LicenseState } from '../state.ts';
import { TestLedger, TestSession } from '../test-ledger.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const terms = (borrowing: JsonObject = {}, more: JsonObject = {}): JsonObject => ({
  quantity: 5,
  borrowing: { seats: 2, longest: 'P14D', extensions: 1, ...borrowing },
  ...more,
});

function sold(license: JsonObject = terms()): TestLedger {
  const one = new TestLedger();
  one.sell(license);
  return one;
}

const said = (outcome: Outcome): string => {
  if (outcome.kind === 'denied') return `denied: ${outcome.code} ${outcome.detail}`.trim();
  if (outcome.kind === 'refused') return `refused: ${outcome.code}`;
  return outcome.kind;
};
const license = (one: TestLedger): LicenseState => one.ledger.licenses.get('cad-1') as LicenseState;

describe('a borrowed seat (PROTOCOL §5.18)', () => {
  test('is granted for the whole time, flagged, under the session key; its session lives as long, and nobody renews it', () => {
    const one = sold();
    const ada = TestSession.opened(one, 'ada');
    const outcome = one.do(ada.borrow(7 * DAY));
    assert.ok(outcome.kind === 'granted');
    const [grant] = outcome.grants;
    assert.equal(grant?.flags, GRANT_FLAGS.borrowed);
    assert.equal(grant.lifeMs, 7 * DAY);
    assert.deepEqual(grant.sessionKey, ada.key.publicKey.bytes);
    const renewed = one.do(ada.renew());
    assert.ok(renewed.kind === 'renewed' && renewed.grants.length === 0);
    assert.deepEqual([license(one).used, license(one).borrowed], [1, 1]);
    const end = freeAt(one.ledger.logTime - 1, 7 * DAY) - one.ledger.logTime;
    assert.deepEqual(one.wait(end - 1), []);
    assert.equal(license(one).used, 1);
    assert.deepEqual(one.wait(1).map(said), ['ended']);
    assert.deepEqual([license(one).used, license(one).borrowed], [0, 0]);
  });

  test('is bounded by the terms: not at all, not for so long, not so many, not once more', () => {
    const one = sold();
    one.sell({ quantity: 5 }, { id: 'cam-1', product: 'cam' });
    const ada = TestSession.opened(one, 'ada');
    assert.equal(said(one.do(ada.borrow(DAY, 'cam'))), 'denied: borrowing');
    assert.equal(said(one.do(ada.borrow(14 * DAY + 1))), `denied: borrowing longest ${14 * DAY}`);
    assert.equal(said(one.do(ada.borrow(DAY, [{ product: 'cad', seats: 3 }]))), 'denied: seats borrowing 2 2');
    assert.equal(said(one.do(ada.borrow(DAY, [{ product: 'cad', seats: 2 }]))), 'granted');
    assert.equal(said(one.do(ada.borrow(DAY))), 'denied: borrowing seats 2');
    assert.equal(said(one.do(ada.acquire())), 'granted');
    const hold = 4;
    assert.equal(said(one.do(ada.extend(hold, 15 * DAY))), `denied: borrowing longest ${14 * DAY}`);
    assert.equal(said(one.do(ada.extend(hold, 14 * DAY))), 'granted');
    assert.equal(said(one.do(ada.extend(hold, 14 * DAY))), 'denied: borrowing extensions 1');
  });

  test('several at once are all borrowed or none', () => {
    const one = sold();
    one.sell(terms({ seats: 1 }), { id: 'cam-1', product: 'cam' });
    const ada = TestSession.opened(one, 'ada');
    const both = [{ product: 'cad' }, { product: 'cam' }];
    assert.equal(said(one.do(ada.borrow(DAY, [...both, { product: 'cam' }]))), 'denied: borrowing seats 1');
    assert.deepEqual([license(one).used, license(one).borrowed], [0, 0]);
    assert.equal(said(one.do(ada.borrow(DAY, both))), 'granted');
  });

  test('licenses add up, and the overdraft does not leave', () => {
    const one = sold({ quantity: 1, borrowing: { seats: 1, longest: 'P14D' }, overdraft: { seats: 5 } });
    one.sell(terms({ seats: 1 }, { quantity: 1 }), { id: 'cad-2' });
    const [ada, bob, cid] = ['ada', 'bob', 'cid'].map((name) => TestSession.opened(one, name)) as [
      TestSession,
      TestSession,
      TestSession,
    ];
    assert.equal(said(one.do(ada.borrow(DAY, [{ product: 'cad', seats: 2 }]))), 'granted');
    one.do(ada.release(1));
    assert.equal(said(one.do(ada.acquire())), 'granted');
    assert.equal(said(one.do(bob.borrow(DAY))), 'granted');
    assert.equal(said(one.do(cid.borrow(DAY))), 'denied: seats');
    assert.equal(said(one.do(cid.acquire())), 'granted');
  });

  test('is not one that somebody waits for', () => {
    const one = sold(terms({}, { quantity: 2 }));
    const [ada, bob, cid] = ['ada', 'bob', 'cid'].map((name) => TestSession.opened(one, name)) as [
      TestSession,
      TestSession,
      TestSession,
    ];
    one.do(ada.acquire());
    assert.equal(said(one.do(bob.acquire([{ product: 'cad', seats: 2 }], { waitMs: MINUTE }))), 'queued');
    assert.equal(said(one.do(cid.borrow(DAY))), 'denied: seats waiting');
    assert.deepEqual(one.apply([ada.release(1)]).map(said), ['released', 'granted']);
  });

  test('shows up in denials with its end', () => {
    const one = sold(terms({ seats: 1 }, { quantity: 1 }));
    one.do(TestSession.opened(one, 'ada').borrow(DAY));
    const outcome = one.do(TestSession.opened(one, 'bob').acquire());
    assert.ok(outcome.kind === 'denied');
    const [holder] = outcome.holders;
    assert.equal(holder?.untilUtc, one.ledger.utc + freeAt(0, DAY) - 2);
  });

  test('comes back early by its secret, or by that of its session', () => {
    const one = sold();
    const ada = TestSession.opened(one, 'ada');
    one.do(ada.borrow(DAY));
    assert.equal(said(one.do({ ...ada.release(1), secret: new Uint8Array(32) } as never)), 'refused: wrong-secret');
    assert.equal(said(one.do(ada.release(1))), 'released');
    one.do(ada.borrow(DAY));
    assert.equal(said(one.do(ada.close())), 'closed');
    assert.deepEqual([license(one).used, license(one).borrowed], [0, 0]);
  });

  test('is proved to anybody, also when it was extended', () => {
    const one = sold();
    const ada = TestSession.opened(one, 'ada');
    const { fixture } = one;
    const prove = (outcome: Outcome): number => {
      const { logTime, utc } = one.ledger;
      const bundle = {
        issuingKey: fixture.issuingKey.text,
        configuration: fixture.configuration.text,
        licenses: [license(one).license.text],
        ...certifyOutcome(fixture, encodeOutcome(outcome), { accept: { logTime, utc } }),
      };
      return verifyGrant(fixture.crypto, fixture.root.publicKey, bundle).validUntilUtc;
    };
    assert.equal(prove(one.do(ada.borrow(DAY))), one.ledger.utc + DAY);
    one.wait(DAY / 2);
    assert.equal(prove(one.do(ada.extend(1, 14 * DAY))), one.ledger.utc + 14 * DAY);
  });
});

describe('an extension', () => {
  test('counts from now and never ends sooner', () => {
    const one = sold(terms({ extensions: 2 }));
    const ada = TestSession.opened(one, 'ada');
    one.do(ada.borrow(DAY));
    const shorter = one.do(ada.extend(1, MINUTE));
    assert.ok(
      shorter.kind === 'granted' && (shorter.grants[0]?.lifeMs ?? 0) > DAY - 100,
      'the grant says what is left',
    );
    one.wait(DAY - 10);
    assert.equal(license(one).used, 1);
    const { logTime } = one.ledger;
    one.do(ada.extend(1, DAY));
    one.wait(freeAt(logTime, DAY) - logTime - 1);
    assert.equal(license(one).used, 1);
    one.wait(1);
    assert.equal(license(one).used, 0);
  });

  test('is checked again: what an update took away is not extended', () => {
    const one = sold();
    const ada = TestSession.opened(one, 'ada');
    one.do(ada.borrow(DAY, [{ product: 'cad', seats: 2 }]));
    one.sell(terms({ seats: 1 }), { version: 2 });
    assert.equal(said(one.do(ada.extend(1, DAY))), 'denied: borrowing seats 1');
    one.sell({ quantity: 5 }, { version: 3 });
    assert.equal(said(one.do(ada.extend(1, DAY))), 'denied: borrowing');
    one.sell(terms({}, { counting: ['station'] }), { version: 4 });
    assert.equal(said(one.do(ada.extend(1, DAY))), 'denied: borrowing seats 2');
    one.sell(terms({}, { notAfter: '2026-11-25T00:00:00Z' }), { version: 5 });
    one.wait(DAY - MINUTE);
    assert.equal(said(one.do(ada.extend(1, DAY))), 'granted');
    one.wait(2 * MINUTE);
    assert.equal(said(one.do(ada.extend(1, DAY))), 'denied: expired');
  });

  test('a deny rule, an eviction, a wrong key and another hold stand against it', () => {
    const one = sold();
    const ada = TestSession.opened(one, 'ada');
    one.do(ada.borrow(DAY));
    one.do(ada.acquire());
    const stranger = TestSession.opened(one, 'eve').key;
    assert.equal(said(one.do(ada.extend(1, DAY, { key: stranger }))), 'refused: bad-signature');
    assert.equal(said(one.do(ada.extend(2, DAY))), 'refused: unknown-hold');
    assert.equal(said(one.do(ada.extend(9, DAY))), 'refused: unknown-hold');
    one.rule([{ rule: 'deny', product: 'cad' }]);
    assert.match(said(one.do(ada.extend(1, DAY))), /^denied: rule/);
    one.rule([]);
    one.do(one.evict(ada.id));
    assert.equal(said(one.do(ada.extend(1, DAY))), 'refused: evicted');
  });
});

describe('what nobody but the client may do', () => {
  test('a borrow is signed by the session key, its numbers with it, and sent again it is done once', () => {
    const one = sold();
    const ada = TestSession.opened(one, 'ada');
    const stranger = TestSession.opened(one, 'eve').key;
    assert.equal(said(one.do(ada.borrow(DAY, 'cad', { key: stranger }))), 'refused: bad-signature');
    const command = ada.borrow(DAY);
    const [first, again] = [one.do(command), one.do(command)];
    assert.deepEqual(again, first);
    assert.equal(license(one).used, 1);
  });

  test('an acquire of the same number neither takes its place nor is taken for it', () => {
    const one = sold();
    const ada = TestSession.opened(one, 'ada');
    one.do(ada.acquire('cad', { requestId: 7 }));
    assert.equal(said(one.do(ada.borrow(DAY, 'cad', { requestId: 7 }))), 'refused: other-bytes');
    assert.equal(said(one.do(ada.borrow(DAY, 'cad', { requestId: 8 }))), 'granted');
    assert.equal(said(one.do(ada.acquire('cad', { requestId: 8 }))), 'refused: other-bytes');
    assert.deepEqual([license(one).used, license(one).borrowed], [2, 1]);
  });
});

describe('a lost machine', () => {
  const writable = terms({ writeOffs: { count: 2, within: 'P30D' } });

  test('is evicted: its seat comes back when its time is over, not sooner', () => {
    const one = sold();
    const ada = TestSession.opened(one, 'ada');
    one.do(ada.borrow(DAY));
    const outcome = one.do(one.evict(ada.id));
    assert.ok(outcome.kind === 'evicted');
    assert.equal(outcome.freeAtLogTime, freeAt(one.ledger.logTime - 1, DAY));
    assert.equal(license(one).used, 1);
  });

  test('is written off where the license allows it, so often as it does', () => {
    const one = sold(writable);
    const borrowed = (name: string, seats: number): TestSession => {
      const session = TestSession.opened(one, name);
      one.do(session.borrow(DAY, [{ product: 'cad', seats }]));
      return session;
    };
    const bob = borrowed('bob', 1);
    const outcome = one.writeOff(bob.id);
    assert.deepEqual([said(outcome), license(one).used, license(one).borrowed], ['evicted', 0, 0]);
    assert.equal(said(one.do(bob.extend(1, DAY))), 'refused: unknown-session');
    const cid = borrowed('cid', 2);
    assert.equal(said(one.writeOff(cid.id, 2)), 'refused: too-soon');
    assert.equal(license(one).used, 2);
    one.do(cid.release(1));
    const dan = borrowed('dan', 1);
    assert.equal(said(one.writeOff(dan.id, 3)), 'evicted');
    const eve = borrowed('eve', 1);
    assert.equal(said(one.writeOff(eve.id, 4)), 'refused: too-soon');
    one.wait(30 * DAY);
    assert.equal(said(one.writeOff(borrowed('fay', 2).id, 5)), 'evicted');
  });

  test('not where it does not, not of a session that has borrowed nothing, not by a stranger', () => {
    const one = sold();
    const ada = TestSession.opened(one, 'ada');
    one.do(ada.borrow(DAY));
    assert.equal(said(one.writeOff(ada.id)), 'refused: too-soon');
    const bob = TestSession.opened(one, 'bob');
    one.do(bob.acquire());
    assert.equal(said(one.writeOff(bob.id)), 'refused: unknown-hold');
    assert.equal(said(one.writeOff(new Uint8Array(16))), 'refused: unknown-session');
  });
});

describe('a borrowed seat', () => {
  test('is paid for as long as it leaves, where the time of its seats is metered', () => {
    const one = sold(terms({ extensions: 3 }, { units: 30, seatTime: { every: 'PT1H' } }));
    const ada = TestSession.opened(one, 'ada');
    const left = (): number => 30 - (one.ledger.licenses.get('cad-1')?.consumed ?? 0);
    assert.equal(said(one.do(ada.borrow(31 * 60 * MINUTE))), 'denied: units 30');
    one.do(ada.borrow(20 * 60 * MINUTE));
    assert.equal(left(), 10);
    one.wait(5 * 60 * MINUTE);
    assert.equal(said(one.do(ada.extend(2, 26 * 60 * MINUTE))), 'denied: units 10');
    one.do(ada.extend(2, 18 * 60 * MINUTE));
    assert.equal(left(), 6);
    one.do(ada.release(2));
    assert.equal(left(), 6);
  });

  test('is not paid for the time by which the group waits longer than it may be used', () => {
    const one = sold(terms({}, { units: 30, seatTime: { every: 'PT1M' } }));
    const ada = TestSession.opened(one, 'ada');
    one.do(ada.borrow(10 * MINUTE));
    assert.equal(one.ledger.licenses.get('cad-1')?.consumed, 10);
    assert.deepEqual(one.wait(freeAt(0, 10 * MINUTE)).map(said), ['ended']);
    assert.equal(one.ledger.licenses.get('cad-1')?.consumed, 10);
  });

  test('is in the records: restored, nothing is lost, and the root is the same', () => {
    const one = sold(terms({ writeOffs: { count: 2, within: 'P365D' } }));
    const [ada, bob] = [TestSession.opened(one, 'ada'), TestSession.opened(one, 'bob')];
    one.do(bob.borrow(DAY));
    one.writeOff(bob.id);
    one.do(ada.borrow(DAY));
    one.do(ada.extend(1, 2 * DAY));
    const records = new Map(
      recordNames(one.ledger).map((name) => [name, encodeRecord(one.ledger, name) as Uint8Array]),
    );
    const restored = new TestLedger(ledgerFromRecords(one.context, records));
    assert.deepEqual(restored.root, one.root);
    assert.equal(license(restored).borrowed, 1);
    for (const each of [one, restored]) {
      assert.equal(said(each.do(ada.extend(1, DAY, { requestId: 3 }))), 'denied: borrowing extensions 1');
      each.do(TestSession.opened(each, 'cid').borrow(DAY));
      assert.equal(said(each.do(TestSession.opened(each, 'dan').borrow(DAY))), 'denied: borrowing seats 2');
    }
    assert.deepEqual(restored.root, one.root);
  });

  test('shared by a station: borrowed once, it is one seat with what the station takes online', () => {
    const one = sold(terms({}, { counting: ['station'] }));
    const [ada, again] = [
      TestSession.opened(one, 'ada', { host: 'laptop' }),
      TestSession.opened(one, 'ada-2', { host: 'laptop' }),
    ];
    one.do(ada.borrow(DAY));
    one.do(again.acquire());
    assert.equal(license(one).used, 1);
    one.do(ada.release(1));
    assert.equal(license(one).used, 1);
    one.do(again.release(1));
    assert.equal(license(one).used, 0);
  });
});
