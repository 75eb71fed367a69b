import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type Client, readClientFile } from '@trefoil/client';
import type { Flood, Flooded } from './flood.ts';
import { eventually, RunningGroup } from './running-group.ts';

const FLOOD_S = 3;

/** The crowd asks in a thread of its own; who has a seat renews it all the while. */
async function floodWhileRenewing(holder: Client, workerData: Flood): Promise<Flooded> {
  const worker = new Worker(new URL('flood.ts', import.meta.url), { workerData });
  const flooded = once(worker, 'message') as Promise<[Flooded]>;
  const renewalsMs: number[] = [];
  const until = performance.now() + workerData.forMs + 500;
  while (performance.now() < until) {
    const sentAt = performance.now();
    assert.equal(await holder.renew(), 'renewed', 'who has a seat is served first');
    renewalsMs.push(Math.round(performance.now() - sentAt));
  }
  const [result] = await flooded;
  const { asked, certified, refused, refusedAfterMs } = result;
  const median = Math.round(refusedAfterMs.sort((a, b) => a - b)[refusedAfterMs.length >> 1] ?? NaN);
  process.stderr.write(
    `of ${asked}: ${certified} done in time, ${refused} told to come back after ${median} ms (median); ` +
      `${renewalsMs.length} renewals meanwhile took up to ${Math.max(...renewalsMs)} ms\n`,
  );
  return result;
}

test('ten times more than it can take: refused at once with a hint, renewals first, no seat lost', {
  timeout: 180_000,
}, async () => {
  await using running = await RunningGroup.start();
  await running.hands.sell({ version: 1, quantity: 5 });
  await using holder = await running.client('holder', 10_000);
  const held = await holder.acquire('cad');
  assert.equal(held.kind, 'granted');
  // The crowd is elsewhere: it has a core of its own, the servers share the other, and the one that leads has most of it.
  for (const { pid } of running.hands.servers.values()) execFileSync('taskset', ['-a', '-c', '-p', '0', `${pid}`]);
  const active = await running.hands.waitForLeader();
  execFileSync('renice', ['-n', '-10', '-p', `${active.pid}`]);
  const flood = {
    address: `127.0.0.1:${active.folder.port}`,
    authorityPem: (await readClientFile(running.group.clientFile)).authority,
    set: holder.group.configuration.set,
    atLogTime: await holder.group.certifiedLogTime(),
    ...{ connections: 15, forMs: FLOOD_S * 1_000, patienceMs: 1_000 },
  };
  // A fast machine takes more: then the crowd is larger.
  let result = await floodWhileRenewing(holder, { ...flood, perSecond: 25_000 });
  for (let more = 0; more < 2 && result.asked < 10 * result.certified; more++)
    result = await floodWhileRenewing(holder, { ...flood, perSecond: Math.ceil((13 * result.certified) / FLOOD_S) });
  const { asked, certified, refused } = result;
  assert.ok(asked >= 10 * certified, `only ${(asked / certified).toFixed(1)} times what it can take`);
  assert.ok(refused >= 0.8 * (asked - certified), 'those that can not be served are told when to come back');
  await eventually('renewals go on', 10_000, async () => (await holder.renew()) === 'renewed');
  assert.ok(held.kind === 'granted' && held.seat.valid);
  assert.equal(await running.hands.used(), 1);
});
