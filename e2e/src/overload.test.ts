import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SubmitResult } from '@trefoil/client';
import { eventually, RunningGroup } from './running-group.ts';

/** Together they ask, at once, three times as much as is done in the time that they give, and as may wait. */
const FLOODERS = 15;
const REQUESTS_EACH = 4_000;
const PATIENCE_MS = 1_500;

/** A renewal of a session that doesn't exist: cheap to ask, and an entry's work all the same. */
function uselessCommand(session: Uint8Array, requestId: number): Uint8Array {
  const command = new Uint8Array(1 + 16 + 8 + 8);
  command[0] = 2;
  command.set(session, 1);
  const view = new DataView(command.buffer);
  view.setUint32(21, requestId);
  view.setUint32(29, requestId);
  return command;
}

test('far more at once than it can take: refused at once with a hint, renewals first, no seat lost', {
  timeout: 120_000,
}, async () => {
  await using running = await RunningGroup.start();
  await running.hands.sell({ version: 1, quantity: 5 });
  await using holder = await running.client('holder', 10_000);
  const held = await holder.acquire('cad');
  assert.equal(held.kind, 'granted');
  const flooders = await Promise.all(
    Array.from({ length: FLOODERS }, (_, i) => running.client(`flood-${i}`, PATIENCE_MS)),
  );
  const calls = flooders.flatMap((flooder, k) =>
    Array.from({ length: REQUESTS_EACH }, (_, i) =>
      flooder.group.servers.submit(uselessCommand(new Uint8Array(16).fill(k + 1), i + 1), PATIENCE_MS),
    ),
  );
  const sentAt = performance.now();
  const renewed = holder.renew().then((result) => ({ result, tookMs: Math.round(performance.now() - sentAt) }));
  const results = await Promise.all(calls);
  const { result, tookMs } = await renewed;
  const count = (holds: (one: SubmitResult) => boolean): number => results.filter(holds).length;
  const done = count((one) => one.kind === 'certified');
  const overloaded = count((one) => one.kind === 'unknown' && one.reason.includes('overloaded'));
  process.stderr.write(
    `of ${results.length} at once: ${done} done in time, ${overloaded} told to come back; a renewal meanwhile: ${tookMs} ms\n`,
  );
  assert.ok(overloaded > 0, 'some were refused with a hint when to come back');
  assert.equal(result, 'renewed', 'who has a seat is served first');
  await eventually('renewals go on', 10_000, async () => (await holder.renew()) === 'renewed');
  assert.ok(held.kind === 'granted' && held.seat.valid);
  assert.equal(await running.hands.used(), 1);
  for (const flooder of flooders) await flooder.close();
});
