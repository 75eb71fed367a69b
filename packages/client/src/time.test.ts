import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stopwatch } from './time.ts';

/** A laptop: `[awake ms, wall clock ms]` at each reading; returns what the stopwatch says. */
function read(readings: readonly (readonly [number, number])[]): number[] {
  const [first = [0, 0], ...later] = readings;
  let moment = { monotonicMs: first[0], wallMs: first[1] };
  const stopwatch = new Stopwatch({ now: () => moment });
  return later.map(([monotonicMs, wallMs]) => {
    moment = { monotonicMs, wallMs };
    return stopwatch.now();
  });
}

test('a sleep counts, also if the wall clock is set back just after it (seed 430061)', () => {
  const slept = read([
    [0, 0],
    [300, 20_300], // it has woken up
    [450, -39_550], // set back by a minute, not half a second later
    [1_300, -38_700],
    [5_000, -35_000],
  ]);
  assert.deepEqual(slept, [20_300, 20_450, 21_300, 25_000]);
});

test('a wall clock that was set back before hides no sleep', () => {
  const slept = read([
    [0, 0],
    [1_000, -59_000],
    [1_100, -38_900], // slept for 20 s
    [2_100, -37_900],
  ]);
  assert.deepEqual(slept, [1_000, 21_100, 22_100]);
});

test('one that runs a little ahead or behind counts no more than the longer of the two', () => {
  const readings = Array.from({ length: 101 }, (_, i): [number, number] => [i * 100, i * 101]);
  assert.equal(read(readings).at(-1), 10_100);
  const behind = Array.from({ length: 101 }, (_, i): [number, number] => [i * 100, i * 99]);
  assert.equal(read(behind).at(-1), 10_000);
});
