import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore } from './explore.ts';

test('two epochs and one entry: all that two lying TMR servers can do leads to no fork', () => {
  const bounds = { epochs: [2, 3], contents: ['xy'], rollbacks: 0 };
  const { exhausted, counterexample, states } = explore(bounds, 50_000, () => undefined);
  assert.deepEqual(counterexample, undefined);
  assert.ok(exhausted);
  assert.ok(states > 1_000, `${states} states`);
});
