import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { Scenario } from './scenario.ts';
import { play } from './steps.ts';

/** With UPDATE_SCENARIOS=1 the texts are rewritten to what happens now; the difference is for a person to read. */
const update = process.env['UPDATE_SCENARIOS'] === '1';

describe('scenarios', () => {
  for (const file of globSync('*.txt', { cwd: import.meta.dirname }).sort()) {
    test(basename(file, '.txt'), () => {
      const path = join(import.meta.dirname, file);
      const expected = readFileSync(path, 'utf8');
      const scenario = new Scenario();
      const actual = play(scenario, expected);
      if (update) writeFileSync(path, actual);
      assert.deepEqual(scenario.check(), []);
      if (!update) assert.equal(actual, expected, `${file} differs; UPDATE_SCENARIOS=1 rewrites it`);
    });
  }
});
