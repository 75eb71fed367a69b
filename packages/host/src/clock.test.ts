import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from './clock.ts';
import { systemRandom } from './random.ts';

test('the clock goes on, and the wall clock tells the date', () => {
  const before = systemClock.monotonicMs();
  assert.ok(systemClock.monotonicMs() >= before);
  assert.ok(systemClock.wallMs() > Date.parse('2025-01-01'));
});

test('random bytes are as many as asked for, and differ', () => {
  assert.equal(systemRandom.bytes(32).length, 32);
  assert.notDeepEqual(systemRandom.bytes(32), systemRandom.bytes(32));
});
