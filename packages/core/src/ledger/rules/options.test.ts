import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GRANT_FLAGS, type JsonObject, type Outcome } from '@trefoil/license';
import { TestLedger, TestSession } from '../test-ledger.ts';

const code = (outcome: Outcome): string =>
  outcome.kind === 'refused' || outcome.kind === 'denied' ? `${outcome.kind} ${outcome.code}` : outcome.kind;

function ledgerWith(terms: JsonObject): TestLedger {
  const one = new TestLedger();
  assert.equal(one.sell(terms).kind, 'updated');
  return one;
}

const used = (one: TestLedger, license = 'cad-1'): number => one.ledger.licenses.get(license)?.used ?? -1;
const grantsOf = (outcome: Outcome) => (outcome.kind === 'granted' || outcome.kind === 'renewed' ? outcome.grants : []);
const DAY = 86_400_000;

describe('features in features', () => {
  const features = [
    { name: 'suite', quantity: 3, tokens: 2 },
    { name: 'mill', within: 'suite', quantity: 2 },
    { name: 'five-axis', within: 'mill', tokens: 4 },
    { name: 'turn', within: 'suite', quantity: 2 },
  ];
  const of = (feature: string, seats = 1) => [{ product: 'cad', feature, seats }];

  test('a seat is one of each around it, and takes its tokens of the quantity', () => {
    const one = ledgerWith({ quantity: 20, features });
    const alice = TestSession.opened(one, 'alice');
    one.do(alice.acquire(of('five-axis')));
    one.do(alice.acquire(of('mill')));
    assert.equal(used(one), 6);
    assert.deepEqual(Object.fromEntries(one.ledger.licenses.get('cad-1')?.usedByFeature ?? []), {
      'five-axis': 1,
      mill: 2,
      suite: 2,
    });
    assert.equal(code(one.do(alice.acquire(of('mill')))), 'denied seats');
    assert.equal(code(one.do(alice.acquire(of('turn', 2)))), 'denied seats'); // of the suite one is left
    assert.equal(code(one.do(alice.acquire(of('turn')))), 'granted');
    for (const hold of [1, 2, 5]) one.do(alice.release(hold));
    assert.equal(used(one), 0);
    assert.deepEqual([...(one.ledger.licenses.get('cad-1')?.usedByFeature.values() ?? [])], []);
  });

  test('are given back as they were taken, though an update has moved them', () => {
    const one = ledgerWith({ quantity: 20, features });
    const alice = TestSession.opened(one, 'alice');
    one.do(alice.acquire(of('five-axis')));
    one.sell({ quantity: 20, features: [{ name: 'five-axis' }] }, { version: 2 });
    one.do(alice.release(1));
    assert.equal(used(one), 0);
    assert.ok([...(one.ledger.licenses.get('cad-1')?.usedByFeature.values() ?? [])].every((count) => count === 0));
  });

  test('tokens: features cost different numbers of seats of one pool', () => {
    const one = ledgerWith({ quantity: 10, features: [{ name: 'view' }, { name: 'solve', tokens: 6 }] });
    const alice = TestSession.opened(one, 'alice');
    assert.equal(code(one.do(alice.acquire(of('solve')))), 'granted');
    assert.equal(code(one.do(alice.acquire(of('solve')))), 'denied seats');
    assert.equal(code(one.do(alice.acquire(of('view', 4)))), 'granted');
    assert.equal(code(one.do(alice.acquire(of('view')))), 'denied seats');
  });

  test('shared seats of a station count their tokens once', () => {
    const one = ledgerWith({ quantity: 10, counting: ['station'], features: [{ name: 'solve', tokens: 4 }] });
    const [alice, bob] = [TestSession.opened(one, 'alice'), TestSession.opened(one, 'bob')];
    one.do(alice.acquire(of('solve')));
    one.do(bob.acquire(of('solve', 2)));
    assert.equal(used(one), 8);
    one.do(bob.release(1));
    assert.equal(used(one), 4);
  });
});

describe('versions and releases', () => {
  const asks = (one: TestLedger, item: object, name = 'alice') =>
    code(one.do(TestSession.opened(one, name).acquire([{ product: 'cad', ...item }])));

  test('a range of versions; who does not say has none', () => {
    const terms = { quantity: 9, versions: { from: '5.1', to: '7' } };
    for (const [version, expected] of [
      ['5.0.9', 'denied version'],
      ['5.1', 'granted'],
      ['7.99.1', 'granted'],
      ['8', 'denied version'],
      [undefined, 'denied version'],
    ] as const)
      assert.equal(asks(ledgerWith(terms), version === undefined ? {} : { version }), expected, version);
  });

  test('the downgrade right: older versions, of the same quantity', () => {
    const one = ledgerWith({ quantity: 2, versions: { from: '5', to: '7' }, downgrade: true });
    assert.equal(asks(one, { version: '3' }, 'a'), 'granted');
    assert.equal(asks(one, { version: '7' }, 'b'), 'granted');
    assert.equal(asks(one, { version: '3' }, 'c'), 'denied seats');
    assert.equal(asks(one, { version: '8' }, 'd'), 'denied version');
  });

  test('maintenance: releases dated inside run for ever', () => {
    const maintenance = { from: '2026-01-01T00:00:00Z', until: '2027-01-01T00:00:00Z' };
    const one = ledgerWith({ quantity: 9, maintenance });
    one.wait(300 * DAY);
    const released = (year: number, month: number) => ({ releasedAt: Date.UTC(year, month, 1) });
    assert.equal(asks(one, released(2026, 5), 'a'), 'granted');
    assert.equal(asks(one, released(2027, 0), 'b'), 'denied maintenance');
    assert.equal(asks(one, released(2025, 5), 'c'), 'denied maintenance');
    assert.equal(asks(one, {}, 'd'), 'denied maintenance');
    const old = ledgerWith({ quantity: 9, maintenance, downgrade: true });
    assert.equal(asks(old, released(2025, 5)), 'granted');
  });

  test('a denial says what would do', () => {
    const one = ledgerWith({ quantity: 9, versions: { from: '5.1', to: '7' } });
    const denied = one.do(TestSession.opened(one, 'alice').acquire([{ product: 'cad', version: '9' }]));
    assert.equal(denied.kind === 'denied' && denied.detail, '5.1-7');
  });
});

describe('lifetimes', () => {
  test('grace: granted after the end, and flagged; until the grace is over', () => {
    const one = ledgerWith({ quantity: 5, notAfter: '2026-11-25T00:00:00Z', grace: 'P2D' });
    const before = one.do(TestSession.opened(one, 'a').acquire());
    assert.deepEqual(
      grantsOf(before).map(({ flags, notAfter }) => [flags, notAfter]),
      [[0, Date.UTC(2026, 10, 27)]],
    );
    one.wait(DAY);
    const bob = TestSession.opened(one, 'b');
    assert.equal(grantsOf(one.do(bob.acquire()))[0]?.flags, GRANT_FLAGS.grace);
    assert.equal(grantsOf(one.do(bob.renew()))[0]?.flags, GRANT_FLAGS.grace);
    one.wait(2 * DAY);
    assert.equal(code(one.do(TestSession.opened(one, 'c').acquire())), 'denied expired');
  });

  test('usage period: it begins with the first use, also that of units', () => {
    for (const use of ['acquire', 'consume'] as const) {
      const one = ledgerWith({ quantity: 5, units: 10, usagePeriod: 'P30D' });
      one.wait(100 * DAY);
      const alice = TestSession.opened(one, 'alice');
      const first = one.do(use === 'acquire' ? alice.acquire() : alice.consume(1, { product: 'cad' }));
      assert.ok(['granted', 'consumed'].includes(first.kind));
      const end = one.ledger.utc + 30 * DAY;
      const bob = TestSession.opened(one, 'bob');
      assert.equal(grantsOf(one.do(bob.acquire()))[0]?.notAfter, end);
      one.wait(30 * DAY - 10_000);
      assert.equal(code(one.do(TestSession.opened(one, 'c').acquire())), 'granted');
      one.wait(10_000);
      const late = TestSession.opened(one, 'd');
      assert.equal(code(one.do(late.acquire())), 'denied expired');
      assert.equal(code(one.do(late.consume(1, { product: 'cad' }))), 'denied expired');
    }
  });

  test('a license whose end with its grace is over is not installed', () => {
    const one = new TestLedger();
    assert.equal(one.sell({ quantity: 1, notAfter: '2026-11-23T00:00:00Z', grace: 'P2D' }).kind, 'updated');
    assert.equal(
      code(one.sell({ quantity: 1, notAfter: '2026-11-20T00:00:00Z', grace: 'P2D' }, { id: 'b' })),
      'refused bad-document',
    );
  });

  test('a license that needs newer servers is refused', () => {
    const one = new TestLedger();
    const refused = one.sell({ quantity: 1, minimum: { server: 99 } });
    assert.equal(code(refused), 'refused bad-document');
  });
});

describe('licenses of one product add up', () => {
  test('seats come from several, the one that ends sooner first', () => {
    const one = ledgerWith({ quantity: 8 });
    one.sell({ quantity: 2, notAfter: '2026-12-20T00:00:00Z' }, { id: 'more' });
    const alice = TestSession.opened(one, 'alice');
    const granted = grantsOf(one.do(alice.acquire([{ product: 'cad', seats: 9 }])));
    assert.deepEqual(
      granted.map(({ license, seats, item }) => [license, seats, item]),
      [
        ['more', 2, 0],
        ['cad-1', 7, 0],
      ],
    );
    const denied = one.do(TestSession.opened(one, 'bob').acquire([{ product: 'cad', seats: 2 }]));
    assert.deepEqual(denied.kind === 'denied' && [denied.code, denied.quantity, denied.free], ['seats', 10, 1]);
    assert.equal(grantsOf(one.do(alice.renew())).length, 2);
    one.do(alice.release(1));
    assert.deepEqual([used(one), used(one, 'more')], [0, 0]);
  });

  test('shared seats come from one', () => {
    const one = ledgerWith({ quantity: 2, counting: ['station'] });
    one.sell({ quantity: 2, counting: ['station'] }, { id: 'more' });
    const alice = TestSession.opened(one, 'alice');
    assert.equal(code(one.do(alice.acquire([{ product: 'cad', seats: 3 }]))), 'denied seats');
  });

  test('overdraft last, flagged, counted; a percentage is rounded up', () => {
    const one = ledgerWith({ quantity: 2, overdraft: { percent: 10 } });
    one.sell({ quantity: 1 }, { id: 'z' });
    const alice = TestSession.opened(one, 'alice');
    const granted = grantsOf(one.do(alice.acquire([{ product: 'cad', seats: 4 }])));
    assert.deepEqual(
      granted.map(({ license, seats, flags }) => [license, seats, flags]),
      [
        ['cad-1', 2, 0],
        ['z', 1, 0],
        ['cad-1', 1, GRANT_FLAGS.overdraft],
      ],
    );
    assert.equal(used(one), 3);
    assert.equal(code(one.do(TestSession.opened(one, 'bob').acquire())), 'denied seats');
    one.do(alice.release(1));
    assert.equal(used(one), 0);
  });
});

describe('named users and devices', () => {
  const named = (who: string) => ({ quantity: 2, counting: ['user'], named: { who, changes: 1, within: 'P30D' } });
  const asks = (one: TestLedger, user: string, host: string) =>
    code(one.do(TestSession.opened(one, `${user} ${host}`, { user, host }).acquire()));

  test('the first come are named; they stay, without a seat', () => {
    const one = ledgerWith(named('user'));
    assert.equal(asks(one, 'ada', 'ws-1'), 'granted');
    assert.equal(asks(one, 'ben', 'ws-1'), 'granted');
    one.wait(DAY); // all sessions are over
    assert.equal(asks(one, 'cem', 'ws-1'), 'denied named');
    assert.equal(asks(one, 'ada', 'ws-2'), 'granted');
  });

  test('devices', () => {
    const one = ledgerWith({ ...named('device'), counting: ['station'] });
    assert.equal(asks(one, 'ada', 'ws-1'), 'granted');
    assert.equal(asks(one, 'ben', 'ws-2'), 'granted');
    assert.equal(asks(one, 'ada', 'ws-3'), 'denied named');
    assert.equal(asks(one, 'cem', 'ws-2'), 'granted');
  });
});

describe('units', () => {
  test('weights, several at once: all or none', () => {
    const one = new TestLedger();
    const features = [
      { name: 'mesh', weight: 3 },
      { name: 'free', weight: 0 },
    ];
    one.sell({ quantity: 0, units: 10, features }, { id: 'sim-1', product: 'sim' });
    const alice = TestSession.opened(one, 'alice');
    const items = [
      { product: 'sim', feature: 'mesh', count: 2 },
      { product: 'sim', feature: '', count: 1 },
      { product: 'sim', feature: 'free', count: 100 },
    ];
    const consumed = one.do(alice.consumeAll(items));
    assert.deepEqual(
      consumed.kind === 'consumed' && consumed.parts.map(({ item, units, left }) => [item, units, left]),
      [
        [0, 6, 4],
        [1, 1, 3],
        [2, 0, 3],
      ],
    );
    assert.equal(code(one.do(alice.consumeAll(items))), 'denied units');
    assert.equal(one.ledger.licenses.get('sim-1')?.consumed, 7);
  });

  test('of several licenses: what one lacks the next one gives; what is paid for afterwards last', () => {
    const one = new TestLedger();
    one.sell({ quantity: 0, metering: 'postpaid' }, { id: 'after', product: 'sim' });
    one.sell({ quantity: 0, units: 5 }, { id: 'b', product: 'sim' });
    one.sell({ quantity: 0, units: 5, notAfter: '2027-01-01T00:00:00Z' }, { id: 'c', product: 'sim' });
    const alice = TestSession.opened(one, 'alice');
    const consumed = one.do(alice.consume(12));
    assert.deepEqual(consumed.kind === 'consumed' && consumed.parts.map(({ license, units }) => [license, units]), [
      ['c', 5],
      ['b', 5],
      ['after', 2],
    ]);
    assert.equal(consumed.kind === 'consumed' && consumed.parts[2]?.left, Number.MAX_SAFE_INTEGER);
  });

  test('no number of units is too large to be denied', () => {
    const one = new TestLedger();
    const features = [{ name: 'dear', weight: 1_000_000 }];
    one.sell({ quantity: 0, units: Number.MAX_SAFE_INTEGER, features }, { id: 'sim-1', product: 'sim' });
    const alice = TestSession.opened(one, 'alice');
    assert.equal(code(one.do(alice.consume(Number.MAX_SAFE_INTEGER, { feature: 'dear' }))), 'denied units');
    assert.equal(code(one.do(alice.consume(Number.MAX_SAFE_INTEGER))), 'consumed');
    assert.equal(code(one.do(alice.consume(1))), 'denied units');
  });

  test('the time of a seat: for each that has begun, when taken, renewed, given back or freed', () => {
    const one = ledgerWith({ quantity: 5, units: 100, seatTime: { every: 'PT10S', units: 2 } });
    const left = () => 100 - (one.ledger.licenses.get('cad-1')?.consumed ?? 0);
    const alice = TestSession.opened(one, 'alice');
    one.do(alice.acquire([{ product: 'cad', seats: 3 }]));
    assert.equal(left(), 94);
    one.do(alice.renew(), 9_999);
    assert.equal(left(), 94);
    one.do(alice.renew(), 1);
    assert.equal(left(), 88);
    one.do(alice.release(1), 25_000); // the fourth has begun
    assert.equal(left(), 76);
    const bob = TestSession.opened(one, 'bob');
    one.do(bob.acquire());
    assert.deepEqual(one.wait(60_850).map(code), ['ended', 'ended']);
    assert.equal(left(), 76 - 2 * 7);
  });

  test('a seat whose units are used up is not renewed, and a new one is denied', () => {
    const one = ledgerWith({ quantity: 5, units: 3, seatTime: { every: 'PT10S' } });
    const alice = TestSession.opened(one, 'alice');
    one.do(alice.acquire());
    assert.equal(grantsOf(one.do(alice.renew(), 15_000)).length, 1);
    assert.equal(grantsOf(one.do(alice.renew(), 15_000)).length, 0);
    assert.equal(one.ledger.licenses.get('cad-1')?.consumed, 2);
    assert.deepEqual(one.wait(60_000).map(code), ['expired']);
    assert.equal(one.ledger.licenses.get('cad-1')?.consumed, 3); // all that was left, and no more
    assert.equal(code(one.do(alice.acquire())), 'denied units');
  });
});

test('who has not used his seat for a while is shown so', () => {
  const one = ledgerWith({ quantity: 1 });
  const alice = TestSession.opened(one, 'alice');
  one.do(alice.acquire());
  one.do(alice.renew({ idleMs: 5_000 }), 10_000);
  const denied = one.do(TestSession.opened(one, 'bob').acquire(), 1_000);
  assert.equal(denied.kind === 'denied' && denied.holders[0]?.idleMs, 6_001);
  one.do(alice.renew());
  const again = one.do(TestSession.opened(one, 'cem').acquire());
  assert.equal(again.kind === 'denied' && again.holders[0]?.idleMs, 0);
});

describe('a product with hundreds of licenses', () => {
  const many = (terms: JsonObject): TestLedger => {
    const one = new TestLedger();
    const { fixture } = one;
    for (let i = 0; i < 300; i += 100) {
      const licenses = Array.from({ length: 100 }, (_, j) => fixture.license({ id: `l-${i + j}`, terms }));
      assert.equal(one.do({ kind: 'update', document: fixture.update(licenses, i + 1) }).kind, 'updated');
    }
    return one;
  };

  test('gives no session more than one renewal can name', () => {
    const one = many({ quantity: 1 });
    const alice = TestSession.opened(one, 'alice');
    assert.equal(code(one.do(alice.acquire([{ product: 'cad', seats: 257 }]))), 'refused too-many');
    assert.equal(code(one.do(alice.acquire([{ product: 'cad', seats: 256 }]))), 'granted');
    assert.equal(code(one.do(alice.acquire())), 'refused too-many');
    assert.equal(grantsOf(one.do(alice.renew())).length, 256);
  });

  test('nor units of more than an answer can name', () => {
    const one = many({ quantity: 0, units: 1 });
    const alice = TestSession.opened(one, 'alice');
    assert.equal(code(one.do(alice.consume(256, { product: 'cad' }))), 'refused too-many');
    assert.equal(code(one.do(alice.consume(255, { product: 'cad' }))), 'consumed');
  });

  test('lets nobody wait for more of them than he may hold', () => {
    const one = many({ quantity: 1 });
    const [alice, bob, cem] = ['alice', 'bob', 'cem'].map((name) => TestSession.opened(one, name));
    assert.ok(alice && bob && cem);
    one.do(alice.acquire([{ product: 'cad', seats: 100 }]));
    assert.equal(code(one.do(bob.acquire([{ product: 'cad', seats: 260 }], { waitMs: 30_000 }))), 'denied seats');
    assert.deepEqual(one.apply([alice.release(1)]).map(code), ['released']);
    one.wait(1_000);
    assert.equal(code(one.do(cem.acquire([{ product: 'cad', seats: 100 }]))), 'granted');
  });
});
