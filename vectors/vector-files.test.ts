import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { vectorFiles } from './vector-files.ts';

test('the vectors are those that the generator writes: no format has changed unnoticed', () => {
  const expected = vectorFiles();
  const found = globSync('**/*.json', { cwd: import.meta.dirname });
  assert.deepEqual(found.sort(), [...expected.keys()].sort());
  for (const [path, text] of expected)
    assert.equal(readFileSync(join(import.meta.dirname, path), 'utf8'), text, `${path}: run vectors/generate.ts`);
});
