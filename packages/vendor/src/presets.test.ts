import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseTerms, termsJson, unknownTerms } from '@trefoil/license';
import { PRESETS } from './presets.ts';

describe('presets', () => {
  test('there are 32, each under a name of its own', () => {
    assert.equal(PRESETS.length, 32);
    assert.equal(new Set(PRESETS.map(({ name }) => name)).size, 32);
  });

  for (const { name, terms } of PRESETS)
    test(`${name}: its terms are terms, all of them known`, () => {
      assert.deepEqual(unknownTerms(terms), []);
      parseTerms(termsJson(terms));
    });
});
