import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DENIAL_CODES, LIMITS as FORMAT } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import { applyEntry } from './apply.ts';
import { encodeRecord, ledgerFromRecords, recordNames } from './records.ts';
import { LedgerRoot } from './root.ts';
import { addLicense, type LicenseState, newLicense } from './state.ts';
import { TestLedger, TestSession } from './test-ledger.ts';
import { DAY_MS, usageOf } from './usage.ts';

const HOUR_MS = 3_600_000;
const FIRST_DAY = Date.UTC(2026, 10, 24) / DAY_MS;

/** By days since the first; what is nothing left out, denials by their names. */
function figures(one: TestLedger, license = 'cad-1'): Readonly<Record<string, number>>[] {
  const state = one.ledger.licenses.get(license) as LicenseState;
  return usageOf(one.ledger, state).map(({ day, denials, ...counts }) => ({
    day: day - FIRST_DAY,
    ...Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)),
    ...Object.fromEntries(denials.flatMap((count, i) => (count > 0 ? [[`denied ${DENIAL_CODES[i]}`, count]] : []))),
  }));
}

/** `beforeMidnightMs` before the second day; with a license whose seats stay for a day. */
function ledgerWith(terms: Parameters<TestLedger['sell']>[0], beforeMidnightMs = DAY_MS): TestLedger {
  const one = new TestLedger(undefined, (FIRST_DAY + 1) * DAY_MS - beforeMidnightMs);
  one.sell({ sessionTimeoutSeconds: 86_400, ...terms });
  return one;
}

function restored(one: TestLedger): TestLedger {
  const records = recordNames(one.ledger).map((name) => [name, encodeRecord(one.ledger, name) as Uint8Array] as const);
  return new TestLedger(ledgerFromRecords(one.context, new Map(records)));
}

describe('what is used of a license, by days (PROTOCOL §5.19)', () => {
  test('a license that nobody uses leaves nothing', () => {
    const one = ledgerWith({ quantity: 3 });
    one.wait(3 * DAY_MS);
    assert.deepEqual(figures(one), []);
    assert.ok(recordNames(one.ledger).every((name) => !'UH'.includes(name.charAt(0))));
  });

  test('seats are counted by log time, split at midnight to the millisecond', () => {
    const one = ledgerWith({ quantity: 5 }, 10_000);
    const session = TestSession.opened(one, 'ada');
    one.do(session.acquire([{ product: 'cad', seats: 2 }]), 998); // nine seconds before midnight
    one.do(session.acquire(), 4_000);
    one.do(session.release(1), 11_000);
    const first = { day: 0, quantity: 5, peak: 3, seatMs: 2 * 4_000 + 3 * 5_000, grants: 2 };
    assert.deepEqual(figures(one), [first, { day: 1, quantity: 5, peak: 3, seatMs: 3 * 6_000 }]);
    one.do(session.release(2), 1_000);
    assert.deepEqual(figures(one), [first, { day: 1, quantity: 5, peak: 3, seatMs: 3 * 6_000 + 1_000 }]);
  });

  test('what UTC gains on log time is nobody’s use: the seat’s time is of the day in which log time ran', () => {
    const one = ledgerWith({ quantity: 1 }, 10_000);
    const session = TestSession.opened(one, 'ada');
    one.do(session.acquire());
    const { utc } = one.ledger;
    one.applyEntry({ ...one.entry([], 2_000), utc: utc + HOUR_MS });
    one.do(session.release(1), 500);
    assert.deepEqual(figures(one), [
      { day: 0, quantity: 1, peak: 1, seatMs: 2_000, grants: 1 },
      { day: 1, quantity: 1, peak: 1, seatMs: 500 },
    ]);
  });

  test('days in which nothing changes are counted when somebody asks, and the same when something changes', () => {
    const one = ledgerWith({ quantity: 2 });
    const session = TestSession.opened(one, 'ada');
    one.do(session.acquire());
    for (let hours = 0; hours < 60; hours += 12) one.do(session.renew(), 12 * HOUR_MS);
    const asked = figures(one);
    assert.deepEqual(
      asked.map(({ day, peak, seatMs }) => [day, peak, seatMs]),
      [
        [0, 1, DAY_MS - 3],
        [1, 1, DAY_MS],
        [2, 1, 12 * HOUR_MS + 3],
      ],
    );
    one.do(session.release(1), 0);
    assert.deepEqual(figures(one), asked);
    assert.deepEqual(figures(restored(one)), asked);
  });

  test('denials count by their code, once each however often they are asked for again', () => {
    const one = ledgerWith({ quantity: 1 });
    one.sell({ quantity: 0, units: 10 }, { id: 'sim-1', product: 'sim' });
    const [ada, ben] = [TestSession.opened(one, 'ada'), TestSession.opened(one, 'ben')];
    one.do(ada.acquire());
    const again = ben.acquire();
    for (let times = 0; times < 3; times++) one.do(again);
    one.do(ben.acquire());
    one.do(ben.acquire([{ product: 'cad', feature: 'mill' }]));
    one.do(ben.acquire('nothing-of-the-kind'));
    one.do(ben.consume(8));
    one.do(ben.consume(3));
    const [cad] = figures(one);
    assert.deepEqual([cad?.['denied seats'], cad?.['denied unknown-feature'], cad?.['grants']], [2, 1, 1]);
    assert.deepEqual(figures(one, 'sim-1'), [{ day: 0, units: 8, 'denied units': 1 }]);
  });

  test('who waits is counted, in vain or not', () => {
    const one = ledgerWith({ quantity: 1 });
    const [ada, ben] = [TestSession.opened(one, 'ada'), TestSession.opened(one, 'ben')];
    one.do(ada.acquire());
    one.do(ben.acquire('cad', { waitMs: 1_000 }));
    one.do(ben.acquire('cad', { waitMs: 100_000 }));
    one.wait(2_000);
    one.do(ada.release(1));
    const [day] = figures(one);
    assert.deepEqual([day?.['queued'], day?.['unserved'], day?.['grants'], day?.['peak']], [2, 1, 2, 1]);
  });

  test('seats beyond the quantity are counted, also those that an update put there', () => {
    const one = ledgerWith({ version: 2, quantity: 2, overdraft: { seats: 2 } });
    const session = TestSession.opened(one, 'ada');
    one.do(session.acquire([{ product: 'cad', seats: 3 }]));
    assert.deepEqual([figures(one)[0]?.['peak'], figures(one)[0]?.['overdraft']], [3, 1]);
    one.sell({ quantity: 1, sessionTimeoutSeconds: 86_400 }, { version: 2 });
    assert.deepEqual([figures(one)[0]?.['quantity'], figures(one)[0]?.['overdraft']], [1, 2]);
  });

  test('what is not limited may be taken by the billion, and its time is counted up to what a number can be', () => {
    const one = ledgerWith({ quantity: 0 });
    const session = TestSession.opened(one, 'ada');
    one.do(session.acquire([{ product: 'cad', seats: 4_000_000_000 }]));
    one.do(session.renew(), 12 * HOUR_MS);
    one.do(session.release(1));
    assert.equal(usageOf(one.ledger, one.ledger.licenses.get('cad-1') as LicenseState)[0]?.seatMs, FORMAT.units);
    assert.deepEqual(restored(one).root, one.root);
  });

  test('after 35 days a day is forgotten', () => {
    const one = ledgerWith({ quantity: 3 });
    for (let days = 0; days <= 50; days++) {
      const session = TestSession.opened(one, `ada ${days}`);
      one.do(session.acquire());
      one.do(session.release(1));
      if (days < 50) one.wait(DAY_MS - 3);
    }
    const days = figures(one).map(({ day }) => day);
    assert.deepEqual([days.at(-1), days.length], [50, LIMITS.usageDays]);
    assert.ok(one.ledger.days.length <= LIMITS.usageDays + 1);
    one.wait(40 * DAY_MS);
    assert.deepEqual(figures(one), []);
  });

  test('an entry that goes over midnight and is taken back leaves nothing', () => {
    const one = ledgerWith({ quantity: 3 }, 5_000);
    const session = TestSession.opened(one, 'ada');
    one.do(session.acquire());
    const { root } = one;
    const entry = one.entry([session.acquire(), session.release(1)], 10_000);
    const other = restored(one);
    const outcomes = applyEntry(one.ledger, entry);
    one.ledger.journal.undoTo(0);
    assert.deepEqual(one.root, root);
    assert.deepEqual(applyEntry(one.ledger, entry), outcomes);
    assert.deepEqual(applyEntry(other.ledger, entry), outcomes);
    assert.deepEqual(other.root, one.root);
  });

  test('midnight does not hold up ten thousand licenses that are in use', () => {
    const one = ledgerWith({ quantity: 3 }, 5_000);
    const { license, licenseDigest, constituents, issuingKey } = one.ledger.licenses.get('cad-1') as LicenseState;
    for (let i = 0; i < 10_000; i++) {
      const state = newLicense({ license: { ...license, id: `l-${i}` }, licenseDigest, constituents, issuingKey });
      const usage = { ...state.usage, day: FIRST_DAY, seats: 2, peak: 2, countedTo: 2 };
      addLicense(one.ledger, Object.assign(state, { used: 2, usage }));
    }
    new LedgerRoot(one.fixture.crypto).current(one.ledger);
    one.ledger.journal.clear();
    const entry = one.entry([], 10_000);
    const begun = performance.now();
    applyEntry(one.ledger, entry);
    const ms = performance.now() - begun;
    assert.ok(ms < 50, `${ms} ms`);
    assert.deepEqual([...one.ledger.dirty], ['D']);
  });
});
