import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crowd } from './crowd.ts';

test('a thousand clients whose TMR server dies come back at once: all are renewed, nobody loses a seat', async () => {
  const { faults, seatsLost, allRenewedAfterMs } = await crowd(1_000);
  assert.deepEqual(faults, []);
  assert.equal(seatsLost, 0);
  assert.ok(allRenewedAfterMs < 5_000, `${allRenewedAfterMs} ms`);
});
