import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DENIAL_CODES, type JsonObject, type Outcome } from '@trefoil/license';
import { TestLedger, TestSession } from '../test-ledger.ts';

const code = (outcome: Outcome): string =>
  outcome.kind === 'refused' || outcome.kind === 'denied' ? `${outcome.kind} ${outcome.code}` : outcome.kind;

/** Soon after what a test sells; nothing that has ended is installed. */
const soon = '2026-11-24T00:00:10Z';
const untilThen = 20_000;

function ledgerWith(terms: JsonObject): TestLedger {
  const one = new TestLedger();
  one.sell(terms);
  return one;
}

const used = (one: TestLedger, license = 'cad-1'): number => one.ledger.licenses.get(license)?.used ?? -1;

describe('the order of checks (PROTOCOL §5.8)', () => {
  const future = '2027-01-01T00:00:00Z';
  const faults: readonly (readonly [string, JsonObject, object])[] = [
    ['unknown-feature', {}, { feature: 'drafting' }],
    ['mode-not-allowed', {}, { mode: 'user' }],
    ['not-yet', { notBefore: future }, {}],
    ['expired', { notAfter: soon }, {}],
    ['seats', { quantity: 0 }, {}],
  ];
  // Two faults at once: the earlier check is the one that is told.
  for (const [first, firstTerms, firstItem] of faults)
    for (const [second, secondTerms, secondItem] of faults) {
      const apart = new Set(['not-yet', 'expired']);
      if (DENIAL_CODES.indexOf(first as never) >= DENIAL_CODES.indexOf(second as never)) continue;
      if (apart.has(first) && apart.has(second)) continue; // no license is both
      test(`${first} before ${second}`, () => {
        const quantity = first === 'seats' || second === 'seats' ? 1 : 5;
        const one = ledgerWith({ ...firstTerms, ...secondTerms, quantity });
        one.wait(untilThen);
        const session = TestSession.opened(one, 'alice');
        const item = { product: 'cad', feature: '', seats: quantity === 1 ? 2 : 1, ...firstItem, ...secondItem };
        assert.equal(code(one.do(session.acquire([item]))), `denied ${first}`);
      });
    }

  test('of several licenses of a product, the one that came nearest is told, whatever the order of sale', () => {
    for (const order of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      const one = new TestLedger();
      const terms = { a: { quantity: 1, notAfter: soon }, b: { quantity: 1 } };
      for (const id of order) one.sell(terms[id as 'a' | 'b'], { id });
      one.wait(untilThen);
      const session = TestSession.opened(one, 'alice');
      one.do(session.acquire());
      assert.equal(code(one.do(session.acquire())), 'denied seats');
    }
  });

  test('unknown product; expired configuration', () => {
    const one = ledgerWith({ quantity: 1 });
    const session = TestSession.opened(one, 'alice');
    assert.equal(code(one.do(session.acquire('none'))), 'denied unknown-product');
    const { expires } = one.fixture.configuration;
    one.wait(expires - one.ledger.utc);
    const late = TestSession.opened(one, 'bob');
    assert.equal(code(one.do(late.acquire())), 'denied configuration-expired');
  });
});

describe('counting seats (PROTOCOL §5.8)', () => {
  test('a session holds at most as many licenses as one renewal can name', () => {
    const one = ledgerWith({ quantity: 1_000 });
    const session = TestSession.opened(one, 'alice');
    const sixteen = Array.from({ length: 16 }, () => ({ product: 'cad' }));
    for (let i = 0; i < 16; i++) assert.equal(code(one.do(session.acquire(sixteen))), 'granted');
    assert.equal(code(one.do(session.acquire())), 'refused too-many');
    const renewed = one.do(session.renew());
    assert.equal(renewed.kind === 'renewed' && renewed.grants.length, 256);
  });

  test('all or none: what one item took is given back when another fails', () => {
    const one = ledgerWith({ quantity: 2 });
    one.sell({ quantity: 1 }, { id: 'cam-1', product: 'cam' });
    const session = TestSession.opened(one, 'alice');
    const before = one.root;
    assert.equal(
      code(
        one.do(
          session.acquire([
            { product: 'cad', seats: 2 },
            { product: 'cam', seats: 2 },
          ]),
        ),
      ),
      'denied seats',
    );
    assert.equal(used(one), 0);
    assert.notDeepEqual(one.root, before); // the denial itself is remembered
    assert.equal(code(one.do(session.acquire([{ product: 'cad' }, { product: 'cad' }]))), 'granted');
    assert.equal(used(one), 2);
    assert.equal(code(one.do(session.acquire([{ product: 'cam' }, { product: 'cad' }]))), 'denied seats');
    assert.equal(used(one, 'cam-1'), 0);
  });

  test('a station shares a seat, also between two items of one command', () => {
    for (const [mode, host, user] of [
      ['station', 'ws-1', 'someone'],
      ['user', 'ws-2', 'alice'],
    ] as const) {
      const one = ledgerWith({ quantity: 3, counting: [mode] });
      const first = TestSession.opened(one, 'alice');
      const second = TestSession.opened(one, 'second', { host, user });
      one.do(first.acquire([{ product: 'cad', seats: 2 }, { product: 'cad' }]));
      assert.equal(used(one), 2, mode);
      one.do(second.acquire([{ product: 'cad', seats: 3 }]));
      assert.equal(used(one), 3, mode);
      one.do(first.release(1));
      assert.equal(used(one), 3, mode);
      one.do(second.release(1));
      assert.equal(used(one), 0, mode);
    }
  });

  test('exclusive: one for each station', () => {
    const one = ledgerWith({ quantity: 3, counting: ['exclusive'] });
    const [alice, bob] = [TestSession.opened(one, 'alice'), TestSession.opened(one, 'bob')];
    assert.equal(code(one.do(alice.acquire())), 'granted');
    assert.equal(code(one.do(bob.acquire())), 'denied seats');
    one.do(alice.release(1));
    assert.equal(code(one.do(bob.acquire())), 'granted');
  });

  test('a feature has a quantity and an end of its own', () => {
    const features = [
      { name: 'drafting', quantity: 1 },
      { name: 'old', notAfter: '2026-11-01T00:00:00Z' },
    ];
    const one = ledgerWith({ quantity: 3, features });
    const session = TestSession.opened(one, 'alice');
    const drafting = [{ product: 'cad', feature: 'drafting' }];
    assert.equal(code(one.do(session.acquire(drafting))), 'granted');
    assert.equal(code(one.do(session.acquire(drafting))), 'denied seats');
    assert.equal(code(one.do(session.acquire([{ product: 'cad', feature: 'old' }]))), 'denied expired');
    assert.equal(code(one.do(session.acquire())), 'granted');
    one.do(session.release(1));
    assert.equal(code(one.do(session.acquire(drafting))), 'granted');
  });

  test('seats are given back as they were taken, whatever an update made of the quantity', () => {
    const one = ledgerWith({ quantity: 5 });
    const [alice, bob] = [TestSession.opened(one, 'alice'), TestSession.opened(one, 'bob')];
    one.do(alice.acquire([{ product: 'cad', seats: 2 }]));
    one.sell({ quantity: 0 }, { version: 2 }); // protection only: nothing is counted
    assert.equal(code(one.do(bob.acquire([{ product: 'cad', seats: 9 }]))), 'granted');
    one.do(alice.release(1));
    one.sell({ quantity: 5 }, { version: 3 });
    assert.equal(used(one), 9);
    assert.equal(code(one.do(alice.acquire())), 'denied seats');
    one.do(bob.release(1));
    assert.equal(used(one), 0);
    assert.equal(code(one.do(alice.acquire([{ product: 'cad', seats: 5 }]))), 'granted');
  });

  test('lingering: free only a while after the release', () => {
    const one = ledgerWith({ quantity: 1, lingerSeconds: 5 });
    const session = TestSession.opened(one, 'alice');
    one.do(session.acquire());
    assert.equal(code(one.do(session.release(1))), 'released');
    assert.equal(code(one.do(session.release(1))), 'refused unknown-hold');
    assert.equal(code(one.do(session.acquire())), 'denied seats');
    assert.deepEqual(one.wait(5_000).map(code), ['expired']);
    assert.equal(code(one.do(session.acquire())), 'granted');
  });

  test('a denial says who has the seats and since when', () => {
    const one = ledgerWith({ quantity: 1 });
    const [alice, bob] = [TestSession.opened(one, 'alice'), TestSession.opened(one, 'bob')];
    one.do(alice.acquire());
    const since = one.ledger.utc;
    const denied = one.do(bob.acquire());
    assert.deepEqual(denied.kind === 'denied' && denied.holders, [
      { user: 'alice', host: 'ws-1', sinceUtc: since, seats: 1, idleMs: 0, untilUtc: 0 },
    ]);
  });

  test('of two licenses the one that ends sooner is used first', () => {
    const one = ledgerWith({ quantity: 1 });
    one.sell({ quantity: 1, notAfter: '2027-01-01T00:00:00Z' }, { id: 'sooner' });
    const session = TestSession.opened(one, 'alice');
    const granted = one.do(session.acquire());
    assert.equal(granted.kind === 'granted' && granted.grants[0]?.license, 'sooner');
  });

  test('a license that has ended is no longer renewed, and its seat runs out', () => {
    const one = ledgerWith({ quantity: 1, notAfter: '2026-11-24T00:00:30Z' });
    const session = TestSession.opened(one, 'alice');
    one.do(session.acquire());
    const kept = one.do(session.renew(), 20_000);
    assert.equal(kept.kind === 'renewed' && kept.grants.length, 1);
    const ended = one.do(session.renew(), 15_000);
    assert.equal(ended.kind === 'renewed' && ended.grants.length, 0);
  });
});

describe('units (PROTOCOL §5.7)', () => {
  test('fall, never below zero, and survive an update', () => {
    const one = new TestLedger();
    one.sell({ quantity: 0, units: 10 }, { id: 'sim-1', product: 'sim' });
    const session = TestSession.opened(one, 'alice');
    const tooMany = one.do(session.consume(11));
    assert.ok(
      tooMany.kind === 'denied' && tooMany.code === 'units' && tooMany.detail === '10',
      'and says what is left',
    );
    const consumed = one.do(session.consume(7));
    assert.equal(consumed.kind === 'consumed' && consumed.parts[0]?.left, 3);
    one.sell({ quantity: 0, units: 5 }, { id: 'sim-1', product: 'sim', version: 2 });
    assert.equal(code(one.do(session.consume(1))), 'denied units');
    one.sell({ quantity: 0, units: 20 }, { id: 'sim-1', product: 'sim', version: 3 });
    const more = one.do(session.consume(13));
    assert.equal(more.kind === 'consumed' && more.parts[0]?.left, 0);
  });

  test('the reason for a denial does not depend on the order of sale', () => {
    for (const ids of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      const one = new TestLedger();
      const terms = { a: { quantity: 0, units: 1 }, b: { quantity: 0, units: 9, notAfter: soon } };
      for (const id of ids) one.sell(terms[id as 'a' | 'b'], { id, product: 'sim' });
      one.wait(untilThen);
      const session = TestSession.opened(one, 'alice');
      assert.equal(code(one.do(session.consume(5))), 'denied units');
    }
  });

  test('outcomes outlive the session by a day', () => {
    const one = new TestLedger();
    one.sell({ quantity: 0, units: 10 }, { id: 'sim-1', product: 'sim' });
    const session = TestSession.opened(one, 'alice');
    const consume = session.consume(1);
    const outcome = one.do(consume);
    one.wait(100_000);
    assert.equal(one.ledger.sessions.size, 0);
    assert.deepEqual(one.do(consume), outcome);
    one.wait(24 * 3_600_000);
    assert.equal(code(one.do(consume)), 'refused unknown-session');
  });
});
