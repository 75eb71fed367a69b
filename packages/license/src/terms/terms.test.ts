import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatUtc, parseUtc } from '../fields.ts';
import type { Json } from '../json.ts';
import { parseTerms, termsJson, unknownTerms } from './terms.ts';

const DAY = 86_400_000;
const terms = (more: Record<string, unknown> = {}): Json => ({ version: 1, quantity: 5, ...more });

describe('terms', () => {
  test('have defaults', () => {
    assert.deepEqual(parseTerms(terms()), {
      quantity: 5,
      counting: ['session'],
      whole: { tokens: 1, weight: 1 },
      features: new Map(),
      graceMs: 0,
      downgrade: false,
      overdraft: 0,
      sessionTimeoutMs: 60_000,
      offlineGraceMs: 60_000,
      lingerMs: 0,
      queue: true,
      minimum: { server: 0, client: 0 },
      transfer: { splits: true, waitMs: 0 },
      returned: false,
    });
  });

  test('of version 1 are read in full', () => {
    const full = {
      counting: ['station', 'session'],
      features: [{ name: 'mesh', quantity: 2, notAfter: '2027-01-31T00:00:00Z' }, { name: 'export' }],
      notBefore: '2026-01-01T00:00:00Z',
      notAfter: '2028-01-01T00:00:00Z',
      units: 1_000,
      sessionTimeoutSeconds: 600,
      offlineGraceSeconds: 120,
      lingerSeconds: 30,
    };
    const read = parseTerms(terms(full));
    const scope = { notBefore: Date.UTC(2026, 0, 1), notAfter: Date.UTC(2028, 0, 1), tokens: 1, weight: 1 };
    assert.deepEqual(read.counting, ['station', 'session']);
    assert.deepEqual(read.whole, scope);
    assert.deepEqual(
      [...read.features.values()],
      [
        { ...scope, name: 'mesh', quantity: 2, notAfter: Date.UTC(2027, 0, 31), chain: ['mesh'] },
        { ...scope, name: 'export', chain: ['export'] },
      ],
    );
    assert.deepEqual([read.units, read.metering], [1_000, 'prepaid']);
    assert.deepEqual([read.sessionTimeoutMs, read.offlineGraceMs, read.lingerMs], [600_000, 120_000, 30_000]);
  });

  test('of version 2 are read in full', () => {
    const full = {
      version: 2,
      notAfter: '2028-01-01T00:00:00Z',
      features: [
        { name: 'mill', quantity: 4, tokens: 2, weight: 3, versions: { to: '8' } },
        { name: 'five-axis', within: 'mill', quantity: 2, notBefore: '2026-01-01T00:00:00Z' },
      ],
      versions: { from: '5.1', to: '7' },
      maintenance: { until: '2027-01-01T00:00:00Z' },
      ...{ downgrade: true, grace: 'P14D', usagePeriod: 'P30D', metering: 'postpaid', queue: false, standby: 'hot' },
      seatTime: { every: 'PT1M', units: 2 },
      overdraft: { percent: 30 },
      borrowing: { seats: 2, longest: 'P14D', extensions: 1, writeOffs: { count: 1, within: 'P365D' } },
      named: { who: 'device', changes: 3, within: 'P30D' },
      minimum: { server: 4, client: 2 },
      transfer: { moves: 1, returns: 2, splits: false, wait: 'P1D' },
      texts: { en: { denied: 'Call us.' }, 'de-AT': { denied: 'Rufen Sie an.' } },
      customer: { order: '4711' },
      vendorData: 'AAAA',
      returned: true,
    };
    const read = parseTerms(terms(full));
    assert.equal(read.returned, true);
    assert.equal(read.overdraft, 2); // of five seats, rounded up
    assert.deepEqual([read.graceMs, read.usagePeriodMs, read.downgrade], [14 * DAY, 30 * DAY, true]);
    assert.deepEqual([read.metering, read.units, read.queue, read.standby], ['postpaid', undefined, false, 'hot']);
    assert.deepEqual(read.seatTime, { everyMs: 60_000, units: 2 });
    const writeOffs = { count: 1, withinMs: 365 * DAY };
    assert.deepEqual(read.borrowing, { seats: 2, longestMs: 14 * DAY, extensions: 1, writeOffs });
    assert.deepEqual(read.named, { who: 'device', changes: 3, withinMs: 30 * DAY });
    assert.deepEqual(read.minimum, { server: 4, client: 2 });
    assert.deepEqual(read.transfer, { moves: 1, returns: 2, splits: false, waitMs: DAY });
    const { chain, tokens, weight, versions, notBefore, notAfter } = read.features.get('five-axis') ?? assert.fail();
    assert.deepEqual(
      { chain, tokens, weight, versions },
      {
        ...{ chain: ['five-axis', 'mill'], tokens: 2, weight: 3, versions: { to: [8] } },
      },
    );
    assert.deepEqual([notBefore, notAfter], [Date.UTC(2026, 0, 1), Date.UTC(2028, 0, 1)]);
  });

  test('a term that is not known has no effect, unless it is critical', () => {
    assert.equal(parseTerms(terms({ colour: 'red', critical: ['quantity'] })).quantity, 5);
    assert.throws(() => parseTerms(terms({ nodeLocked: true, critical: ['nodeLocked'] })), {
      code: 'unknown-term',
      message: 'the term "nodeLocked" is critical and not known here: this program is too old for the license',
    });
    assert.throws(() => parseTerms(terms({ critical: ['absent'] })), { code: 'unknown-term' });
    assert.throws(() => parseTerms(terms({ version: 3 })), {
      code: 'unknown-term',
      message: /terms\.version is above 2/,
    });
  });

  test('that need a later program say so, whatever else it would find in them', () => {
    const dongle = { features: [{ name: 'a', dongle: true }], overdraft: { dongle: 7 } };
    for (const more of [
      { version: 3, quantity: { seats: 5 } },
      { version: 2, critical: ['dongle'], ...dongle },
      { version: 1, critical: ['dongle'], ...dongle },
    ])
      assert.throws(() => parseTerms(terms(more)), { code: 'unknown-term', message: /this program is too old/ });
    assert.throws(() => parseTerms(terms({ version: 2, ...dongle })), { code: 'malformed' });
  });

  test('of version 2 may be critical in terms of version 1, which do not have them', () => {
    assert.equal(parseTerms(terms({ critical: ['grace', 'vendorData'] })).graceMs, 0);
  });

  test('names that are not known are told to whoever writes a license', () => {
    const known = { version: 1, quantity: 3, counting: [], lingerSeconds: 1, critical: ['quantity'] };
    assert.deepEqual(unknownTerms({ ...known, colour: 'red', qantity: 5 }), ['colour', 'qantity']);
    assert.deepEqual(unknownTerms(known), []);
  });

  test('termsJson puts the version in and refuses what could not be read back', () => {
    assert.deepEqual(termsJson({ quantity: 3 }), { version: 1, quantity: 3 });
    assert.throws(() => termsJson({ quantity: -1 }), { code: 'malformed' });
  });
});

describe('terms are refused in words that name the field', () => {
  const cases: readonly (readonly [Record<string, unknown>, string])[] = [
    [{ quantity: -1 }, 'terms.quantity is -1, allowed are 0 to 1000000000'],
    [{ quantity: 2_000_000_000 }, 'terms.quantity is 2000000000, allowed are 0 to 1000000000'],
    [{ quantity: '5' }, 'terms.quantity is not a whole number'],
    [{ quantity: 1.5 }, 'terms.quantity is not a whole number'],
    [{ quantity: Number.NaN }, 'terms.quantity is not a whole number'],
    [{ quantity: Infinity }, 'terms.quantity is not a whole number'],
    [{ quantity: 2 ** 53 }, 'terms.quantity is 9007199254740992, allowed are 0 to 1000000000'],
    [{ units: 2 ** 53 }, 'terms.units is 9007199254740992, allowed are 0 to 9007199254740991'],
    [{ quantity: undefined }, 'terms.quantity is not a whole number'],
    [{ version: undefined }, 'terms.version is not a whole number'],
    [{ version: 0 }, 'terms.version is 0, allowed are 1 to 1000'],
    [{ counting: [] }, 'terms.counting is empty'],
    [{ counting: 'session' }, 'terms.counting is not a list'],
    [{ counting: ['session', 'session'] }, 'terms.counting names a mode twice'],
    [{ counting: ['concurrent'] }, 'terms.counting[0] is not one of session, station, user, exclusive, uncounted'],
    [{ counting: [1] }, 'terms.counting[0] is not a text'],
    [{ features: {} }, 'terms.features is not a list'],
    [{ features: ['mesh'] }, 'terms.features[0] is not an object'],
    [{ features: [null] }, 'terms.features[0] is not an object'],
    [{ features: [{ name: 'a' }, 7] }, 'terms.features[1] is not an object'],
    [
      { features: [{ name: 'a' }, { name: 'b' }, { name: 'c', quantity: 6 }] },
      "terms.features[2].quantity is above the license's quantity",
    ],
    [{ features: [{ name: 'a' }, { name: 'a' }] }, 'terms.features[1].name "a" is there twice'],
    [
      { features: [{ name: 'A B' }] },
      'terms.features[0].name is not a code (a-z, 0-9, ".", "_", "-", beginning with a letter or digit)',
    ],
    [{ features: [{ name: 'x'.repeat(65) }] }, 'terms.features[0].name is above 64 bytes'],
    [{ features: [{}] }, 'terms.features[0].name is not a text'],
    [{ features: [{ name: 'a', seats: 1 }] }, 'unknown field "terms.features[0].seats"'],
    [
      { features: [{ name: 'a', notAfter: '2027-02-29T00:00:00Z' }] },
      'terms.features[0].notAfter is not a time like 2027-01-31T12:00:00Z',
    ],
    [
      { features: Array.from({ length: 1_001 }, (_, i) => ({ name: `f${i}` })) },
      'terms.features has 1001 items, 1000 allowed',
    ],
    [{ notAfter: '2027-01-31' }, 'terms.notAfter is not a time like 2027-01-31T12:00:00Z'],
    [{ notAfter: null }, 'terms.notAfter is not a text'],
    [
      { notBefore: '2027-01-01T00:00:00Z', notAfter: '2027-01-01T00:00:00Z' },
      'terms.notAfter is not after terms.notBefore',
    ],
    [{ units: -1 }, 'terms.units is -1, allowed are 0 to 9007199254740991'],
    [{ sessionTimeoutSeconds: 9 }, 'terms.sessionTimeoutSeconds is 9, allowed are 10 to 86400'],
    [{ sessionTimeoutSeconds: 86_401 }, 'terms.sessionTimeoutSeconds is 86401, allowed are 10 to 86400'],
    [{ offlineGraceSeconds: 61 }, 'terms.offlineGraceSeconds is above terms.sessionTimeoutSeconds'],
    [{ offlineGraceSeconds: 0 }, 'terms.offlineGraceSeconds is 0, allowed are 1 to 86400'],
    [{ lingerSeconds: 86_401 }, 'terms.lingerSeconds is 86401, allowed are 0 to 86400'],
    [{ critical: 'quantity' }, 'terms.critical is not a list'],
    [{ grace: 'P1D' }, 'terms.grace needs terms.version 2'],
    [{ features: [{ name: 'a', tokens: 2 }] }, 'terms.features[0].tokens needs terms.version 2'],
    ...(
      [
        [{ overdraft: { seats: 1 }, quantity: 0 }, 'terms.overdraft has no meaning where nothing is counted'],
        [
          { overdraft: { seats: 1 }, counting: ['uncounted'] },
          'terms.overdraft has no meaning where nothing is counted',
        ],
        [{ overdraft: {} }, 'terms.overdraft has either "seats" or "percent"'],
        [{ overdraft: { seats: 1, percent: 5 } }, 'terms.overdraft has either "seats" or "percent"'],
        [{ borrowing: { seats: 6, longest: 'P1D' } }, "terms.borrowing.seats is above the license's quantity"],
        [{ borrowing: { seats: 1 } }, 'terms.borrowing.longest is not a text'],
        [
          { borrowing: { seats: 1, longest: 'P400D' } },
          'terms.borrowing.longest is P400D, allowed are 1 minute to 366 days',
        ],
        [
          { named: { who: 'user', changes: 1, within: 'P1D' }, quantity: 0 },
          'terms.named needs a quantity: so many names there can be',
        ],
        [{ grace: 'P1D' }, 'terms.grace has no meaning without an end: give terms.notAfter or terms.usagePeriod'],
        [{ grace: '1 day' }, 'terms.grace is not a duration like P30D (30 days) or PT8H (8 hours)'],
        [
          { downgrade: true },
          'terms.downgrade has no meaning without a "from": give terms.versions.from or terms.maintenance.from',
        ],
        [{ downgrade: 1 }, 'terms.downgrade is neither true nor false'],
        [{ versions: {} }, 'terms.versions has neither "from" nor "to"'],
        [{ versions: { from: '7.1', to: '7.0' } }, 'terms.versions.to is below terms.versions.from'],
        [{ versions: { from: 'seven' } }, 'terms.versions.from is not a version like 7 or 7.2.1'],
        [{ versions: { form: '7' } }, 'unknown field "terms.versions.form"'],
        [{ metering: 'prepaid' }, 'terms.metering is prepaid without terms.units'],
        [{ seatTime: { every: 'PT1M' } }, 'terms.seatTime uses up units: give terms.units, or terms.metering postpaid'],
        [{ standby: 'cold' }, 'terms.standby cold needs terms.usagePeriod: so long it may replace the first license'],
        [{ standby: 'hot' }, 'terms.standby hot needs terms.seatTime: its use is counted by time'],
        [
          { features: [{ name: 'a', weight: 2 }] },
          'the feature a has a weight where nothing is metered: give terms.units or terms.metering',
        ],
        [
          { features: [{ name: 'a', tokens: 6 }] },
          "terms.features[0].tokens is above the license's quantity: nobody could have a seat",
        ],
        [{ features: [{ name: 'a', within: 'b' }] }, 'terms.features[0].within "b" is not a feature of this license'],
        [
          {
            features: [
              { name: 'a', within: 'b' },
              { name: 'b', within: 'a' },
            ],
          },
          'terms.features[0].within leads through more than 8 features, or in a circle',
        ],
        [
          {
            features: [
              { name: 'a', quantity: 2 },
              { name: 'b', within: 'a', quantity: 3 },
            ],
          },
          'terms.features[1].quantity is above that of the feature a',
        ],
        [
          { notAfter: '2027-01-01T00:00:00Z', features: [{ name: 'a', notBefore: '2028-01-01T00:00:00Z' }] },
          'terms.features[0] "a" would begin after it, or what is around it, has ended',
        ],
        [{ texts: { english: { a: 'b' } } }, 'terms.texts has the language "english", which is none like en or de-AT'],
        [
          { customer: { name: 'a\u202eb' } },
          'terms.customer.name contains a line break, another control character, or one that turns the direction of text',
        ],
      ] as const
    ).map(([more, message]) => [{ version: 2, ...more }, message] as const),
  ];
  for (const [more, message] of cases)
    test(message, () =>
      assert.throws(() => parseTerms(terms(more)), { name: 'LicenseError', code: 'malformed', message }),
    );

  test('no terms at all', () => {
    for (const value of [undefined, null, [], 'x'] as const)
      assert.throws(() => parseTerms(value), { code: 'malformed', message: 'terms is not an object' });
  });

  test('a feature may have as many seats as its license, and a term at most the length of a code', () => {
    assert.equal(parseTerms(terms({ features: [{ name: 'a', quantity: 5 }] })).features.get('a')?.quantity, 5);
    const named = (name: string): Json => terms({ features: [{ name }] });
    assert.equal(parseTerms(named('a'.repeat(64))).features.size, 1);
    for (const name of ['a'.repeat(65), 'a!', 'a b', 'a\n', '-a'])
      assert.throws(() => parseTerms(named(name)), { code: 'malformed' }, name);
    for (const long of ['x'.repeat(65), 'ü'.repeat(33)])
      assert.throws(() => parseTerms(terms({ critical: [long] })), { code: 'malformed', message: /is above 64 bytes/ });
  });

  test('features may exceed a license that is not counted', () => {
    assert.equal(
      parseTerms(terms({ quantity: 0, features: [{ name: 'a', quantity: 6 }] })).features.get('a')?.quantity,
      6,
    );
  });
});

test('times have one spelling', () => {
  for (const text of ['1970-01-01T00:00:00Z', '2024-02-29T23:59:59Z', '9999-12-31T23:59:59Z'])
    assert.equal(formatUtc(parseUtc(text) ?? -1), text);
  for (const text of [
    ...[
      '2027-02-29T00:00:00Z',
      '2026-13-01T00:00:00Z',
      '2026-00-10T00:00:00Z',
      '2026-01-01T24:00:00Z',
      '2026-01-01T00:60:00Z',
    ],
    ...[
      '2026-01-01T00:00:60Z',
      '2026-01-01T00:00:00',
      '2026-01-01T00:00:00.0Z',
      '2026-01-01t00:00:00z',
      '2026-01-01 00:00:00Z',
    ],
    ...[
      '2026-01-01T00:00:00+00:00',
      '0099-01-01T00:00:00Z',
      '1969-12-31T23:59:59Z',
      '9999-99-99T99:99:99Z',
      ' 2026-01-01T00:00:00Z',
    ],
  ])
    assert.equal(parseUtc(text), undefined, text);
});
