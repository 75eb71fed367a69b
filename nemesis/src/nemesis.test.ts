import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from './run.ts';

/** Another seed for each day: what a short run doesn't find today it may find tomorrow. The seed is in what is printed. */
const seed = Math.floor(Date.now() / 86_400_000);

test('five real servers under faults: nothing is found, and everybody is served when all is mended', async () => {
  const said: string[] = [`seed ${seed}`];
  const { findings, counts, entries } = await run({
    ...{ seed, forMs: 20_000, signal: new AbortController().signal },
    say: (line) => said.push(line),
  });
  assert.deepEqual(findings, [], said.join('\n'));
  const sum = (first: string): number =>
    [...counts].reduce((sum, [what, times]) => sum + (what.startsWith(`${first} `) ? times : 0), 0);
  assert.ok(sum('fault') >= 5 && sum('request') >= 50 && entries >= 20, JSON.stringify([...counts]));
  assert.equal(counts.get('history linearizable'), 3);
});
