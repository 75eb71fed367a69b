import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../json.ts';
import { LIMITS } from '../limits.ts';
import type { FeatureTerms } from './features.ts';
import { parseTerms, scopeOf, termsJson } from './terms.ts';

const at = (day: number): string => `2027-01-${String(day).padStart(2, '0')}T00:00:00Z`;
const utc = (day: number): number => Date.UTC(2027, 0, day);

function feature(name: string, list: readonly object[], license: object = {}): FeatureTerms {
  const terms = parseTerms({ version: 2, quantity: 10, units: 9, features: list as JsonObject[], ...license });
  return terms.features.get(name) ?? assert.fail(`no feature ${name}`);
}

const outer = {
  name: 'outer',
  ...{ quantity: 5, tokens: 2, weight: 3, notBefore: at(2), notAfter: at(20) },
  ...{ versions: { from: '5', to: '7' }, maintenance: { until: at(30) } },
};
const inherited = { tokens: 2, weight: 3, versions: { from: [5], to: [7] }, maintenance: { until: utc(30) } };

describe('a feature within another', () => {
  test('inherits what it does not set; its quantity is its own', () => {
    const inner = feature('inner', [{ name: 'inner', within: 'outer' }, outer]);
    const { name, chain, quantity, ...scope } = inner;
    assert.deepEqual([name, chain, quantity], ['inner', ['inner', 'outer'], undefined]);
    assert.deepEqual(scope, { ...inherited, notBefore: utc(2), notAfter: utc(20) });
  });

  test('keeps what it sets, as a whole: a range of versions is not mixed with that around it', () => {
    const own = { tokens: 1, weight: 0, versions: { from: '6' }, maintenance: { from: at(1), until: at(5) } };
    const inner = feature('inner', [outer, { name: 'inner', within: 'outer', ...own }]);
    assert.deepEqual([inner.tokens, inner.weight], [1, 0]);
    assert.deepEqual(inner.versions, { from: [6] });
    assert.deepEqual(inner.maintenance, { from: utc(1), until: utc(5) });
  });

  test('inherits through those between, at last of the license', () => {
    const list = [
      { name: 'c', within: 'b' },
      { name: 'b', within: 'a', weight: 7 },
      { name: 'a', tokens: 4 },
    ];
    const license = { versions: { to: '9' }, notAfter: at(9) };
    const inner = feature('c', list, license);
    assert.deepEqual(inner.chain, ['c', 'b', 'a']);
    assert.deepEqual([inner.tokens, inner.weight, inner.versions, inner.notAfter], [4, 7, { to: [9] }, utc(9)]);
  });

  test('begins with the latest begin and ends with the earliest end around it', () => {
    const cases: readonly (readonly [object, object, object, number, number])[] = [
      [{ notBefore: at(1), notAfter: at(9) }, {}, {}, 1, 9],
      [{ notBefore: at(1), notAfter: at(9) }, { notBefore: at(3) }, { notAfter: at(5) }, 3, 5],
      [{ notBefore: at(4), notAfter: at(9) }, { notBefore: at(3), notAfter: at(20) }, { notBefore: at(2) }, 4, 9],
      [{}, { notBefore: at(3), notAfter: at(8) }, { notBefore: at(5), notAfter: at(9) }, 5, 8],
    ];
    for (const [license, around, own, begin, end] of cases) {
      const list = [
        { name: 'a', ...around },
        { name: 'b', within: 'a', ...own },
      ];
      const { notBefore, notAfter } = feature('b', list, license);
      assert.deepEqual([notBefore, notAfter], [utc(begin), utc(end)]);
    }
  });

  test('has no begin, end, versions or quantity where nothing around it has', () => {
    const [outermost, inner] = [{ name: 'a' }, { name: 'b', within: 'a' }];
    const scope = { tokens: 1, weight: 1 };
    assert.deepEqual(feature('a', [outermost, inner]), { name: 'a', chain: ['a'], ...scope });
    assert.deepEqual(feature('b', [outermost, inner]), { name: 'b', chain: ['b', 'a'], ...scope });
  });

  test('may have as many seats as the nearest around it with a quantity, none of its own, or no more than none', () => {
    const list = [
      { name: 'a', quantity: 3 },
      { name: 'b', within: 'a' },
      { name: 'c', within: 'b', quantity: 3 },
      { name: 'd', within: 'c', quantity: 0 },
      { name: 'e', within: 'd', quantity: 0 },
    ];
    assert.deepEqual(
      list.map(({ name }) => feature(name, list).quantity),
      [3, undefined, 3, 0, 0],
    );
  });

  test('neither depends on the order in which they stand in the license', () => {
    const list = [
      { name: 'a', quantity: 9, tokens: 2, notAfter: at(20) },
      { name: 'b', within: 'a', quantity: 7, weight: 5 },
      { name: 'c', within: 'b', notBefore: at(3) },
      { name: 'd', within: 'b', notAfter: at(9), tokens: 1 },
    ];
    const expected = new Map(list.map(({ name }) => [name, feature(name, list)]));
    fc.assert(
      fc.property(fc.shuffledSubarray(list, { minLength: 4 }), (shuffled) => {
        for (const [name, one] of expected) assert.deepEqual(feature(name, shuffled), one);
      }),
      { numRuns: 24 },
    );
  });

  test('may have seven around it, not eight', () => {
    const chain = (length: number): object[] =>
      Array.from({ length }, (_, i) => ({ name: `f${i}`, ...(i > 0 && { within: `f${i - 1}` }) }));
    const deepest = feature(`f${LIMITS.featureDepth - 1}`, chain(LIMITS.featureDepth));
    assert.equal(deepest.chain.length, LIMITS.featureDepth);
    const message = 'terms.features[8].within leads through more than 8 features, or in a circle';
    assert.throws(() => feature('f0', chain(LIMITS.featureDepth + 1)), { code: 'malformed', message });
  });
});

describe('many features', () => {
  /** In groups of eight, each within the one before it. */
  const many = (count: number): object[] =>
    Array.from({ length: count }, (_, i) => ({ name: `f${i}`, ...(i % 8 > 0 && { within: `f${i - 1}` }) }));

  test('a thousand are read, each with all around it', () => {
    const { chain } = feature('f999', many(LIMITS.featuresPerLicense));
    assert.deepEqual([chain.length, chain.at(-1)], [8, 'f992']);
  });

  test('ten thousand are refused before any of them is read', () => {
    const message = 'terms.features has 10000 items, 1000 allowed';
    assert.throws(() => feature('f0', [{ name: 7 }, ...many(9_999)]), { code: 'malformed', message });
  });

  test('a circle of a thousand is found as soon as one of three', () => {
    const circle = (count: number): object[] =>
      Array.from({ length: count }, (_, i) => ({ name: `f${i}`, within: `f${(i + 1) % count}` }));
    const message = 'terms.features[0].within leads through more than 8 features, or in a circle';
    for (const count of [3, 1_000]) assert.throws(() => feature('f0', circle(count)), { code: 'malformed', message });
  });
});

describe('what holds for a seat', () => {
  const terms = parseTerms(termsJson({ quantity: 5, notAfter: at(9), features: [{ name: 'a', tokens: 2 }] }));

  test('of the product itself, of a feature, of none', () => {
    assert.deepEqual(scopeOf(terms, ''), { tokens: 1, weight: 1, notAfter: utc(9) });
    assert.equal(scopeOf(terms, 'a')?.tokens, 2);
    assert.equal(scopeOf(terms, 'b'), undefined);
  });

  test('names of objects are no features', () => {
    for (const name of ['constructor', '__proto__', 'toString']) assert.equal(scopeOf(terms, name), undefined);
  });
});

describe('features are refused in words that name the field', () => {
  const cases: readonly (readonly [string, readonly object[], object?])[] = [
    ['terms.features[1].within "c" is not a feature of this license', [{ name: 'a' }, { name: 'b', within: 'c' }]],
    [
      'terms.features[0].within is not a code (a-z, 0-9, ".", "_", "-", beginning with a letter or digit)',
      [{ name: 'a', within: 'B' }],
    ],
    ['terms.features[0].within leads through more than 8 features, or in a circle', [{ name: 'a', within: 'a' }]],
    [
      'terms.features[2].quantity is above that of the feature a',
      [
        { name: 'a', quantity: 2 },
        { name: 'b', within: 'a' },
        { name: 'c', within: 'b', quantity: 3 },
      ],
    ],
    [
      'terms.features[2].quantity is above that of the feature b',
      [
        { name: 'a', quantity: 3 },
        { name: 'b', within: 'a', quantity: 0 },
        { name: 'c', within: 'b', quantity: 1 },
      ],
    ],
    [
      'terms.features[0].quantity is above that of the feature b',
      [
        { name: 'a', within: 'b', quantity: 3 },
        { name: 'b', quantity: 2 },
      ],
      { quantity: 0 },
    ],
    [
      "terms.features[1].tokens is above the license's quantity: nobody could have a seat",
      [
        { name: 'a', within: 'b' },
        { name: 'b', tokens: 11 },
      ],
    ],
    ['terms.features[0].tokens has no meaning where nothing is counted', [{ name: 'a', tokens: 1 }], { quantity: 0 }],
    ['terms.features[0].tokens is 0, allowed are 1 to 1000000', [{ name: 'a', tokens: 0 }]],
    ['terms.features[0].weight is 1000001, allowed are 0 to 1000000', [{ name: 'a', weight: 1_000_001 }]],
    [
      'terms.features[0].notAfter is not after terms.features[0].notBefore',
      [{ name: 'a', notBefore: at(3), notAfter: at(3) }],
    ],
    [
      'terms.features[1] "b" would begin after it, or what is around it, has ended',
      [
        { name: 'a', notAfter: at(3) },
        { name: 'b', within: 'a', notBefore: at(3) },
      ],
    ],
    [
      'terms.features[0] "a" would begin after it, or what is around it, has ended',
      [{ name: 'a', notAfter: at(3) }],
      { notBefore: at(3) },
    ],
    ['terms.features[0].maintenance.until is not a text', [{ name: 'a', maintenance: {} }]],
    [
      'terms.features[0].maintenance.until is not after terms.features[0].maintenance.from',
      [{ name: 'a', maintenance: { from: at(3), until: at(3) } }],
    ],
    ['terms.features[0].versions has neither "from" nor "to"', [{ name: 'a', versions: {} }]],
    ['unknown field "terms.features[0].grace"', [{ name: 'a', grace: 'P1D' }]],
  ];
  for (const [message, list, license] of cases)
    test(message, () => assert.throws(() => feature('a', list, license), { code: 'malformed', message }));
});
