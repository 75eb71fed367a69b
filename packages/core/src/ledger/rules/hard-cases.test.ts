import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { equalBytes, type JsonObject, type Outcome } from '@trefoil/license';
import { encodeRecord, ledgerFromRecords, recordNames } from '../records.ts';
import { type LicenseState } from '../state.ts';
import { TestLedger, TestSession, type TestItem } from '../test-ledger.ts';

// What readers have found: each of these once gave more than was sold, or less than was there.

const WEEK_MS = 604_800_000;
const said = (outcome: Outcome): string =>
  outcome.kind === 'denied' || outcome.kind === 'refused' ? `${outcome.kind} ${outcome.code}` : outcome.kind;
const state = (one: TestLedger, license = 'cad-1'): LicenseState =>
  one.ledger.licenses.get(license) ?? assert.fail(`no ${license}`);
const at = (one: TestLedger, name: string, host = `${name}-desk`): TestSession =>
  TestSession.opened(one, name, { host });
const cad = (seats = 1, more: Partial<TestItem> = {}): TestItem[] => [{ product: 'cad', seats, ...more }];

function sold(...licenses: readonly JsonObject[]): TestLedger {
  const one = new TestLedger();
  licenses.forEach((terms, i) => assert.equal(one.sell(terms, { id: `cad-${i + 1}` }).kind, 'updated'));
  return one;
}

function restored(one: TestLedger): TestLedger {
  const records = new Map(recordNames(one.ledger).map((name) => [name, encodeRecord(one.ledger, name) as Uint8Array]));
  return new TestLedger(ledgerFromRecords(one.context, records));
}

describe('units and names are taken with the seats, one after the other', () => {
  const paid = { quantity: 10, seatTime: { every: 'PT10S' } };

  test('of several items of one acquire', () => {
    const one = sold({ ...paid, units: 1 });
    assert.equal(said(one.do(at(one, 'ada').acquire([...cad(), ...cad()]))), 'denied units');
    assert.equal(state(one).consumed, 0);
  });

  test('of several who are served in one entry', () => {
    const one = sold({ ...paid, quantity: 3, units: 4 });
    const [ada, ben, cem] = [at(one, 'ada'), at(one, 'ben'), at(one, 'cem')];
    one.do(ada.acquire(cad(3)));
    for (const waiter of [ben, cem]) assert.equal(said(one.do(waiter.acquire('cad', { waitMs: 9_000 }))), 'queued');
    assert.deepEqual(one.apply([ada.release(1)]).map(said), ['released', 'granted']);
    assert.equal(state(one).consumed, 4);
  });

  test('of several seats that are renewed together', () => {
    const one = sold({ ...paid, units: 3 });
    const ada = at(one, 'ada');
    one.do(ada.acquire([...cad(), ...cad()]));
    const renewed = one.do(ada.renew(), 10_000);
    assert.equal(renewed.kind === 'renewed' && renewed.grants.length, 0, 'one unit for two seats');
  });

  test('from several licenses, each as far as it goes', () => {
    const terms = { quantity: 2, units: 2, seatTime: { every: 'PT1H' } };
    const one = sold(terms, terms);
    assert.equal(said(one.do(at(one, 'ada').acquire(cad(4)))), 'granted');
  });

  test('no more names than seats, whoever waits', () => {
    const one = sold({ quantity: 2, named: { who: 'user', changes: 0, within: 'P1D' } });
    const [ada, ben, cem] = [at(one, 'ada'), at(one, 'ben'), at(one, 'cem')];
    one.do(ada.acquire(cad(2)));
    for (const waiter of [ben, cem]) one.do(waiter.acquire('cad', { waitMs: 30_000 }));
    one.apply([ada.release(1)]);
    assert.deepEqual([...state(one).names.keys()], ['ada', 'ben']);
  });

  test('who has a name in one license takes none in another', () => {
    const terms = { quantity: 1, named: { who: 'user', changes: 0, within: 'P1D' } };
    const one = new TestLedger();
    one.sell(terms, { id: 'cad-2' });
    const ada = at(one, 'ada');
    one.do(ada.acquire());
    one.do(ada.release(1));
    one.sell(terms, { id: 'cad-1' });
    one.do(ada.acquire());
    assert.deepEqual([state(one).names.size, state(one, 'cad-2').names.size], [0, 1]);
  });
});

describe('shared seats', () => {
  test('count for their features by what they have, whatever an update has moved', () => {
    const terms = (within: JsonObject) => ({
      ...{ quantity: 10, counting: ['station', 'session'] },
      features: [
        { name: 'outer', quantity: 3 },
        { name: 'f', ...within },
      ],
    });
    const one = sold(terms({}));
    const [ada, ben] = [at(one, 'ada', 'ws'), at(one, 'ben', 'ws')];
    one.do(ada.acquire(cad(1, { feature: 'f', mode: 'station' })));
    one.sell(terms({ within: 'outer' }), { version: 2 });
    one.do(ben.acquire(cad(3, { feature: 'f', mode: 'station' })));
    const other = restored(one);
    for (const session of [ada, ben])
      for (const ledger of [one, other]) {
        ledger.do(session.release(1, { requestId: 1 }));
        assert.ok((state(ledger).usedByFeature.get('outer') ?? 0) >= 0);
      }
    assert.deepEqual(state(other).usedByFeature, state(one).usedByFeature);
    assert.ok(equalBytes(other.root, one.root));
    assert.equal(said(one.do(at(one, 'cem').acquire(cad(4, { feature: 'outer', mode: 'session' })))), 'denied seats');
  });

  test('of several licenses of a product are one for a station', () => {
    const one = sold({ quantity: 1, counting: ['station'] }, { quantity: 1, counting: ['station'] });
    const [ada, ben, again] = [at(one, 'ada', 'ws-1'), at(one, 'ben', 'ws-2'), at(one, 'again', 'ws-2')];
    one.do(ada.acquire());
    one.do(ben.acquire());
    one.do(ada.release(1));
    one.do(again.acquire());
    assert.equal(state(one).used + state(one, 'cad-2').used, 1);
    const apart = sold({ quantity: 1, counting: ['exclusive'] }, { quantity: 1, counting: ['exclusive'] });
    apart.do(at(apart, 'ada', 'ws').acquire());
    assert.equal(said(apart.do(at(apart, 'ben', 'ws').acquire())), 'denied seats');
  });

  test('do not grow with tokens that an update has raised', () => {
    const terms = (tokens: number) => ({ quantity: 10, counting: ['station'], features: [{ name: 'f', tokens }] });
    const one = sold(terms(1));
    one.do(at(one, 'ada', 'ws').acquire(cad(2, { feature: 'f' })));
    one.do(at(one, 'ben').acquire(cad(8)));
    one.sell(terms(5), { version: 2 });
    one.do(at(one, 'cem', 'ws').acquire(cad(2, { feature: 'f' })));
    assert.ok(state(one).used <= 10, `${state(one).used} of 10`);
  });
});

describe('nobody waits for what cannot be had', () => {
  for (const [what, terms, items] of [
    ['by its tokens', { quantity: 10, features: [{ name: 'f', tokens: 5 }] }, cad(5, { feature: 'f' })],
    [
      'by the quantity of its feature',
      { quantity: 10, features: [{ name: 'f', quantity: 1 }] },
      cad(5, { feature: 'f' }),
    ],
    ['by its items together', { quantity: 10 }, [...cad(10), ...cad(10)]],
  ] as const)
    test(what, () => {
      const one = sold(terms);
      assert.equal(said(one.do(at(one, 'ada').acquire(items, { waitMs: WEEK_MS }))), 'denied seats');
    });

  test('a claim is of whom nothing but seats is missing', () => {
    const one = sold({ quantity: 1 });
    one.sell({ quantity: 1, notAfter: '2026-11-24T00:01:00Z' }, { id: 'sim-1', product: 'sim' });
    one.do(at(one, 'hal').acquire('sim'));
    const ada = at(one, 'ada');
    const both = [...cad(), { product: 'sim' }];
    assert.equal(said(one.do(ada.acquire(both, { waitMs: WEEK_MS }))), 'queued');
    for (let i = 0; i < 4; i++) one.do(ada.renew(), 20_000);
    assert.equal(said(one.do(at(one, 'ben').acquire())), 'granted');
  });

  test('an update that leaves too few ends the wait, and says so', () => {
    const one = sold({ quantity: 5 });
    const hal = at(one, 'hal');
    one.do(hal.acquire());
    one.do(at(one, 'ada').acquire(cad(5), { waitMs: WEEK_MS }));
    const document = one.fixture.update([one.fixture.license({ id: 'cad-1', version: 2, terms: { quantity: 4 } })], 9);
    assert.deepEqual(one.apply([{ kind: 'update', document }]).map(said), ['updated', 'unserved']);
    assert.equal(said(one.do(at(one, 'ben').acquire(cad(3)))), 'granted');
  });
});

describe('reservations', () => {
  const reserve = (feature?: string, seats = 2): JsonObject => ({
    ...{ rule: 'reserve', product: 'cad', seats, for: { users: ['vip'] } },
    ...(feature !== undefined && { feature }),
  });

  test('of a feature keep seats of the product, too', () => {
    const one = sold({ quantity: 3, features: [{ name: 'f', quantity: 2 }] });
    one.rule([reserve('f')]);
    assert.equal(said(one.do(at(one, 'ada').acquire(cad(3)))), 'denied seats');
    assert.equal(said(one.do(at(one, 'ada').acquire())), 'granted');
    assert.equal(said(one.do(at(one, 'vip').acquire(cad(2, { feature: 'f' })))), 'granted');
  });

  test('of a feature hold for those within it', () => {
    const one = sold({
      quantity: 3,
      features: [
        { name: 'o', quantity: 1 },
        { name: 'i', within: 'o' },
      ],
    });
    one.rule([reserve('o', 1)]);
    assert.equal(said(one.do(at(one, 'ada').acquire(cad(1, { feature: 'i' })))), 'denied seats');
  });

  test('weigh what is asked for in its tokens', () => {
    const one = sold({ quantity: 10, features: [{ name: 'f', tokens: 2 }] });
    one.rule([reserve()]);
    assert.equal(said(one.do(at(one, 'ada').acquire(cad(5, { feature: 'f' })))), 'denied seats');
    assert.equal(said(one.do(at(one, 'ada').acquire(cad(4, { feature: 'f' })))), 'granted');
  });

  test('are not used up by what is not counted; and what nobody holds is not remembered', () => {
    const one = sold({ quantity: 10, counting: ['session', 'uncounted'] });
    one.rule([reserve(undefined, 5), { rule: 'limit', product: 'cad', seats: 9, each: 'user' }]);
    one.do(at(one, 'vip').acquire(cad(5, { mode: 'uncounted' })));
    const ada = at(one, 'ada');
    assert.equal(said(one.do(ada.acquire(cad(6)))), 'denied seats');
    one.do(ada.acquire(cad(5)));
    one.do(ada.close());
    assert.equal(one.ledger.policy?.counts.size, 0);
  });
});
