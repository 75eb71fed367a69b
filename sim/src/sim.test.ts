import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BUGS } from './bugs.ts';
import { FAULTS } from './faults.ts';
import { run } from './run.ts';

test('a seed is the same run again, bit for bit', async () => {
  const [one, again] = [await run(7), await run(7)];
  assert.equal(one.traceHash, again.traceHash);
  assert.deepEqual(one.notes, again.notes);
  assert.notEqual(one.traceHash, (await run(8)).traceHash);
});

test('some seeds: nothing is found, and everything that can go wrong does', async () => {
  const counts = new Map<string, number>();
  for (let seed = 1; seed <= 12; seed++) {
    const result = await run(seed);
    assert.deepEqual(result.faults, [], `seed ${seed}: npm run -s sim -- ${seed}`);
    assert.ok(result.entries >= 300, `seed ${seed} has ${result.entries} entries`);
    for (const [what, count] of result.counts) counts.set(what, (counts.get(what) ?? 0) + count);
  }
  const never = Object.keys(FAULTS).filter((name) => !counts.has(`fault: ${name}`));
  assert.deepEqual(never, [], 'faults that never happened');
});

test('each seeded bug still fits the text of the product', () => {
  for (const { name, file, find } of BUGS) {
    const text = readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
    assert.equal(text.split(find).length, 2, `${name}: ${file} does not have exactly one: ${find}`);
  }
});
