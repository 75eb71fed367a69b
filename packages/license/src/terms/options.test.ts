import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseTerms, type Terms, termsJson } from './terms.ts';

const read = (more: object): Terms => parseTerms({ version: 2, quantity: 5, ...more });

describe('options', () => {
  test('an overdraft in percent is rounded up to whole seats', () => {
    const seats = (quantity: number, percent: number): number => read({ quantity, overdraft: { percent } }).overdraft;
    assert.deepEqual([seats(5, 1), seats(5, 20), seats(5, 21), seats(5, 1_000)], [1, 1, 2, 50]);
    assert.deepEqual([seats(100, 7), seats(1_000_000_000, 1_000), seats(1, 100)], [7, 10_000_000_000, 1]);
    assert.equal(read({ overdraft: { seats: 9 } }).overdraft, 9);
  });

  test('what is left out of an option has the default', () => {
    assert.deepEqual(read({ borrowing: { seats: 5, longest: 'P1D' } }).borrowing, {
      ...{ seats: 5, longestMs: 86_400_000, extensions: 0 },
    });
    assert.deepEqual(read({ units: 1, seatTime: { every: 'PT1S' } }).seatTime, { everyMs: 1_000, units: 1 });
    assert.deepEqual(read({ minimum: { server: 3 } }).minimum, { server: 3, client: 0 });
    assert.deepEqual(read({ minimum: {} }).minimum, { server: 0, client: 0 });
    assert.deepEqual(read({ transfer: { returns: 0 } }).transfer, { returns: 0, splits: true, waitMs: 0 });
    assert.deepEqual(read({ transfer: {} }).transfer, { splits: true, waitMs: 0 });
    assert.deepEqual([read({ downgrade: false }).downgrade, read({ queue: true }).queue], [false, true]);
  });

  test('units are prepaid unless said otherwise', () => {
    assert.equal(read({}).metering, undefined);
    assert.equal(read({ units: 0 }).metering, 'prepaid');
    assert.deepEqual([read({ units: 7, metering: 'postpaid' }).metering], ['postpaid']);
    assert.equal(read({ metering: 'postpaid' }).units, undefined);
  });

  test('an end may be that of a feature or of the usage period, for what needs one', () => {
    const end = '2027-01-01T00:00:00Z';
    for (const more of [{ notAfter: end }, { usagePeriod: 'P1D' }, { features: [{ name: 'a', notAfter: end }] }])
      assert.equal(read({ grace: 'P1D', ...more }).graceMs, 86_400_000);
  });

  test('a right to earlier versions may be that of a feature', () => {
    assert.ok(read({ downgrade: true, features: [{ name: 'a', versions: { from: '5' } }] }).downgrade);
    assert.ok(read({ downgrade: true, maintenance: { from: '2026-01-01T00:00:00Z', until: '2027-01-01T00:00:00Z' } }));
  });

  test('names need a quantity, not that seats are counted', () => {
    const named = { who: 'user', changes: 0, within: 'P1D' };
    assert.equal(read({ named, counting: ['uncounted'] }).named?.changes, 0);
  });

  test('termsJson says version 2 if a term or a field of a feature needs it, and only then', () => {
    assert.equal(termsJson({ quantity: 3, units: 1 })['version'], 1);
    assert.equal(termsJson({ quantity: 3, queue: true })['version'], 2);
    assert.equal(termsJson({ quantity: 3, features: [{ name: 'a' }, { name: 'b', within: 'a' }] })['version'], 2);
    assert.throws(() => termsJson({ version: 1, quantity: 3, queue: true }), {
      message: 'terms.queue needs terms.version 2',
    });
  });
});

describe('options are refused in words that name the field', () => {
  const cases: readonly (readonly [object, string])[] = [
    [{ overdraft: 1 }, 'terms.overdraft is not an object'],
    [{ overdraft: { seats: 0 } }, 'terms.overdraft.seats is 0, allowed are 1 to 1000000000'],
    [{ overdraft: { percent: 1_001 } }, 'terms.overdraft.percent is 1001, allowed are 1 to 1000'],
    [{ overdraft: { seats: 1, each: 'user' } }, 'unknown field "terms.overdraft.each"'],
    [
      { borrowing: { seats: 1, longest: 'P1D' }, quantity: 0 },
      'terms.borrowing has no meaning where nothing is counted',
    ],
    [
      { borrowing: { seats: 1, longest: 'P1D' }, counting: ['uncounted'] },
      'terms.borrowing has no meaning where nothing is counted',
    ],
    [{ borrowing: { longest: 'P1D' } }, 'terms.borrowing.seats is not a whole number'],
    [
      { borrowing: { seats: 1, longest: 'PT59S' } },
      'terms.borrowing.longest is PT59S, allowed are 1 minute to 366 days',
    ],
    [
      { borrowing: { seats: 1, longest: 'P1D', extensions: 1_001 } },
      'terms.borrowing.extensions is 1001, allowed are 0 to 1000',
    ],
    [{ borrowing: { seats: 1, longest: 'P1D', back: 1 } }, 'unknown field "terms.borrowing.back"'],
    [
      { borrowing: { seats: 1, longest: 'P1D', writeOffs: { count: 0, within: 'P1D' } } },
      'terms.borrowing.writeOffs.count is 0, allowed are 1 to 1000',
    ],
    [
      { borrowing: { seats: 1, longest: 'P1D', writeOffs: { count: 1 } } },
      'terms.borrowing.writeOffs.within is not a text',
    ],
    [
      { borrowing: { seats: 1, longest: 'P1D', writeOffs: { count: 1, within: 'P1D', each: 1 } } },
      'unknown field "terms.borrowing.writeOffs.each"',
    ],
    [{ named: { who: 'team', changes: 1, within: 'P1D' } }, 'terms.named.who is not one of user, device'],
    [{ named: { who: 'user', within: 'P1D' } }, 'terms.named.changes is not a whole number'],
    [{ named: { who: 'user', changes: 1_001, within: 'P1D' } }, 'terms.named.changes is 1001, allowed are 0 to 1000'],
    [
      { named: { who: 'user', changes: 1, within: 'P3651D' } },
      'terms.named.within is P3651D, allowed are 1 minute to 3650 days',
    ],
    [{ units: 1, seatTime: { every: 'P2D' } }, 'terms.seatTime.every is P2D, allowed are 1 second to 1 day'],
    [{ units: 1, seatTime: { every: 'P1D', units: 0 } }, 'terms.seatTime.units is 0, allowed are 1 to 1000000'],
    [{ metering: 'free' }, 'terms.metering is not one of prepaid, postpaid'],
    [{ queue: 'no' }, 'terms.queue is neither true nor false'],
    [{ minimum: { client: 0 } }, 'terms.minimum.client is 0, allowed are 1 to 65535'],
    [{ minimum: { server: 65_536 } }, 'terms.minimum.server is 65536, allowed are 1 to 65535'],
    [{ minimum: { os: 1 } }, 'unknown field "terms.minimum.os"'],
    [{ standby: 'warm' }, 'terms.standby is not one of cold, hot'],
    [{ transfer: { moves: -1 } }, 'terms.transfer.moves is -1, allowed are 0 to 1000'],
    [{ transfer: { splits: 1 } }, 'terms.transfer.splits is neither true nor false'],
    [{ transfer: { wait: 'P3651D' } }, 'terms.transfer.wait is P3651D, allowed are 0 seconds to 3650 days'],
    [
      { maintenance: { from: '2027-01-01T00:00:00Z', until: '2027-01-01T00:00:00Z' } },
      'terms.maintenance.until is not after terms.maintenance.from',
    ],
    [{ maintenance: { from: '2027-01-01T00:00:00Z' } }, 'terms.maintenance.until is not a text'],
    [
      { versions: { to: '5' }, downgrade: true },
      'terms.downgrade has no meaning without a "from": give terms.versions.from or terms.maintenance.from',
    ],
    [{ usagePeriod: 'P1M' }, 'terms.usagePeriod is not a duration like P30D (30 days) or PT8H (8 hours)'],
    [{ usagePeriod: 'PT0S' }, 'terms.usagePeriod is PT0S, allowed are 1 second to 3650 days'],
  ];
  for (const [more, message] of cases)
    test(message, () => assert.throws(() => read(more), { name: 'LicenseError', code: 'malformed', message }));
});
