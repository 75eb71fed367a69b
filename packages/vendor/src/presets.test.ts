import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseTerms, termsJson, unknownTerms } from '@trefoil/license';
import { presetGuide } from './preset-guide.ts';
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

test('the guide shows them as they are; to write it anew: WRITE_GUIDE=1', () => {
  const place = join(import.meta.dirname, '../../../docs/guides/choose-a-license-model.md');
  if (process.env['WRITE_GUIDE'] === '1') writeFileSync(place, presetGuide());
  assert.equal(readFileSync(place, 'utf8'), presetGuide());
});
