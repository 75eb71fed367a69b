import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatUtc, parseUtc } from './fields.ts';
import type { Json } from './json.ts';
import { parseTerms, termsJson, unknownTerms } from './terms.ts';

const terms = (more: Record<string, unknown> = {}): Json => ({ version: 1, quantity: 5, ...more });

describe('terms', () => {
  test('have defaults', () => {
    assert.deepEqual(parseTerms(terms()), {
      quantity: 5,
      counting: ['session'],
      features: [],
      sessionTimeoutMs: 60_000,
      offlineGraceMs: 60_000,
      lingerMs: 0,
    });
  });

  test('are read in full', () => {
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
    assert.deepEqual(parseTerms(terms(full)), {
      quantity: 5,
      counting: ['station', 'session'],
      features: [{ name: 'mesh', quantity: 2, notAfter: Date.UTC(2027, 0, 31) }, { name: 'export' }],
      notBefore: Date.UTC(2026, 0, 1),
      notAfter: Date.UTC(2028, 0, 1),
      units: 1_000,
      sessionTimeoutMs: 600_000,
      offlineGraceMs: 120_000,
      lingerMs: 30_000,
    });
  });

  test('a term that is not known has no effect, unless it is critical', () => {
    assert.equal(parseTerms(terms({ colour: 'red', critical: ['quantity'] })).quantity, 5);
    assert.throws(() => parseTerms(terms({ nodeLocked: true, critical: ['nodeLocked'] })), {
      code: 'unknown-term',
      message: 'the term "nodeLocked" is critical and not known here: this program is too old for the license',
    });
    assert.throws(() => parseTerms(terms({ critical: ['absent'] })), { code: 'unknown-term' });
    assert.throws(() => parseTerms(terms({ version: 2 })), {
      code: 'unknown-term',
      message: /terms\.version is above 1/,
    });
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
    assert.equal(parseTerms(terms({ features: [{ name: 'a', quantity: 5 }] })).features[0]?.quantity, 5);
    const named = (name: string): Json => terms({ features: [{ name }] });
    assert.equal(parseTerms(named('a'.repeat(64))).features[0]?.name.length, 64);
    for (const name of ['a'.repeat(65), 'a!', 'a b', 'a\n', '-a'])
      assert.throws(() => parseTerms(named(name)), { code: 'malformed' }, name);
    for (const long of ['x'.repeat(65), 'ü'.repeat(33)])
      assert.throws(() => parseTerms(terms({ critical: [long] })), { code: 'malformed', message: /is above 64 bytes/ });
  });

  test('features may exceed a license that is not counted', () => {
    assert.equal(parseTerms(terms({ quantity: 0, features: [{ name: 'a', quantity: 6 }] })).features[0]?.quantity, 6);
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
