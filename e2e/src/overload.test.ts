import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, RunningGroup } from './running-group.ts';

/** Far more at once than the queue takes: three connections with as many calls as are allowed on one. */
const FLOOD = 30_000;

test('ten times more than it can take: refused at once with a hint, renewals first, no seat lost', {
  timeout: 120_000,
}, async () => {
  await using running = await RunningGroup.start();
  await running.hands.sell({ version: 1, quantity: 5 });
  await using holder = await running.client('holder', 10_000);
  const held = await holder.acquire('cad');
  assert.equal(held.kind, 'granted');
  const flooders = await Promise.all(Array.from({ length: 8 }, (_, i) => running.client(`flood-${i}`, 1_000)));
  const session = await (flooders[0] as (typeof flooders)[0]).session();
  const calls = flooders.flatMap((client) =>
    Array.from({ length: FLOOD / 8 }, (_, i) => {
      const command = new Uint8Array(1 + 16 + 8 + 8); // a renewal of a session that is none: cheap to ask, still an entry's work
      command[0] = 2;
      command.set(session.id, 1);
      new DataView(command.buffer).setUint32(21, 1_000 + i);
      new DataView(command.buffer).setUint32(29, 1_000 + i);
      return client.group.servers.submit(command, 1_000);
    }),
  );
  const sentAt = performance.now();
  const renewed = await holder.renew();
  const tookMs = Math.round(performance.now() - sentAt);
  const results = await Promise.all(calls);
  const certified = results.filter((one) => one.kind === 'certified').length;
  process.stderr.write(
    `flood of ${FLOOD}: ${certified} answered within 1 s each; a renewal meanwhile took ${tookMs} ms\n`,
  );
  assert.notEqual(renewed, 'refused');
  await eventually('renewals go on', 10_000, async () => (await holder.renew()) === 'renewed');
  assert.ok(held.kind === 'granted' && held.seat.valid);
  assert.equal(await running.hands.used(), 1);
  for (const flooder of flooders) await flooder.close();
});
