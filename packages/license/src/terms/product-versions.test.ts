import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Fields } from '../fields.ts';
import { isAbove, isBelow, parseProductVersion, type ProductVersion, versionRange } from './product-versions.ts';

const range = (from?: string, to?: string) =>
  versionRange(new Fields({ ...(from !== undefined && { from }), ...(to !== undefined && { to }) }, 'terms.versions'));
const version = (text: string): ProductVersion => parseProductVersion(text) ?? assert.fail(`${text} is no version`);

describe('versions of applications', () => {
  test('are one to four numbers', () => {
    assert.deepEqual(version('7'), [7]);
    assert.deepEqual(version('0.0.0.0'), [0, 0, 0, 0]);
    assert.deepEqual(version('7.20.1.999999999'), [7, 20, 1, 999_999_999]);
    for (const text of [
      ...[
        '',
        '.',
        '7.',
        '.7',
        '7..2',
        '7.2.1.0.1',
        '07',
        '7.02',
        '00',
        '1000000000',
        '-7',
        '+7',
        '7.-2',
        'v7',
        '7.2-beta',
      ],
      ...['7,2', ' 7', '7 ', '7\n', '7.٢', '7.x', '0x7', '7e1'],
    ])
      assert.equal(parseProductVersion(text), undefined, JSON.stringify(text));
  });

  const cases: readonly (readonly [string, string | undefined, string | undefined, 'below' | 'in' | 'above'])[] = [
    ['7', '7', '7', 'in'],
    ['7.0.0.0', '7', '7', 'in'],
    ['7.99', '7', '7', 'in'],
    ['7.99.99.99', undefined, '7', 'in'],
    ['8', undefined, '7', 'above'],
    ['8.0.0.0', undefined, '7', 'above'],
    ['7.2.0.1', undefined, '7.2', 'in'],
    ['7.3', undefined, '7.2', 'above'],
    ['7.2.1', undefined, '7.2.0', 'above'],
    ['7.2', undefined, '7.2.0.0', 'in'],
    ['7', undefined, '6.99', 'above'],
    ['7', '7.0.0.1', undefined, 'below'],
    ['6.99.99.99', '7', undefined, 'below'],
    ['7.9', '7.10', undefined, 'below'],
    ['7.10', '7.9', undefined, 'in'],
    ['7.2', '7.2.0.0', '7.2', 'in'],
    ['0', '0', '0', 'in'],
    ['7.5', '7.5', '7', 'in'],
  ];
  for (const [text, from, to, where] of cases)
    test(`${text} is ${where}: from ${from ?? 'any'} to ${to ?? 'any'}`, () => {
      const [one, allowed] = [version(text), range(from, to)];
      assert.equal(isBelow(one, allowed) ? 'below' : isAbove(one, allowed) ? 'above' : 'in', where);
    });

  const numbers = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 4 });

  test('compare as texts of equal length do: number by number, missing ones 0, at the end of a range any', () => {
    const key = (one: readonly number[], missing: number): string =>
      [0, 1, 2, 3].map((i) => String(one[i] ?? missing).padStart(9, '0')).join('.');
    fc.assert(
      fc.property(numbers, numbers, (one, bound) => {
        assert.equal(isBelow(one, { from: bound }), key(one, 0) < key(bound, 0));
        assert.equal(isAbove(one, { to: bound }), key(one, 0) > key(bound, 999_999_999));
      }),
    );
  });

  test('a range holds what it names and all that begins like its end', () => {
    fc.assert(
      fc.property(numbers, fc.array(fc.integer({ min: 0, max: 999_999_999 }), { maxLength: 3 }), (bound, rest) => {
        const named = { from: bound, to: bound };
        const longer = [...bound, ...rest].slice(0, 4);
        assert.deepEqual([isBelow(bound, named), isAbove(bound, named)], [false, false]);
        assert.deepEqual([isBelow(longer, named), isAbove(longer, named)], [false, false]);
      }),
    );
  });

  test('nothing is both below and above a range', () => {
    fc.assert(
      fc.property(numbers, numbers, numbers, (one, from, to) => {
        fc.pre(!isAbove(from, { to }));
        assert.ok(!(isBelow(one, { from, to }) && isAbove(one, { from, to })));
      }),
    );
  });
});

describe('a range of versions is refused', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [{}, 'terms.versions has neither "from" nor "to"'],
    [{ from: 7 }, 'terms.versions.from is not a text'],
    [{ from: '07' }, 'terms.versions.from is not a version like 7 or 7.2.1'],
    [{ to: '7.x' }, 'terms.versions.to is not a version like 7 or 7.2.1'],
    [{ from: '8', to: '7' }, 'terms.versions.to is below terms.versions.from'],
    [{ from: '7.10', to: '7.9' }, 'terms.versions.to is below terms.versions.from'],
    [{ from: '7.0.0.1', to: '7.0.0.0' }, 'terms.versions.to is below terms.versions.from'],
    [{ from: '7', until: '8' }, 'unknown field "terms.versions.until"'],
    ['7', 'terms.versions is not an object'],
  ];
  for (const [value, message] of cases)
    test(message, () =>
      assert.throws(() => versionRange(new Fields(value as string, 'terms.versions')), { code: 'malformed', message }),
    );
});
