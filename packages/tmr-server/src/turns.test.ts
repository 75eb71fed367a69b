import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from './turns.ts';

test('a burst is worked off in order, and timers get their turn in between', async () => {
  const turns = new Turns();
  const done: number[] = [];
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  for (let i = 0; i < 200; i++)
    turns.run(() => {
      const until = performance.now() + 1;
      while (performance.now() < until);
      done.push(i);
    });
  assert.ok(done.length < 50, 'not all in this turn');
  while (done.length < 200) await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(timer);
  assert.deepEqual(done, [...done.keys()]);
  assert.ok(ticks >= 5, `the timer ran ${ticks} times`);
});
