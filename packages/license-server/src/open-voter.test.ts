import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container } from '@trefoil/container';
import { silentLog, systemClock } from '@trefoil/host';
import { fixture } from '@trefoil/license/fixtures';
import { MemoryDisk } from './log-store/memory-disk.ts';
import { beginSuspectLog, openLog } from './open-voter.ts';

const one = fixture();
const { crypto, configuration, group } = one;
const context = { crypto, vendorRoot: one.root.publicKey, configuration, group, issuingKey: one.issuingKey.text };
const options = { context, member: 1, clock: systemClock, log: silentLog } as const;

test('a log that was begun because another was suspect is suspect at every start, and not set aside again', async () => {
  const container = {
    serial: new Uint8Array(16).fill(1),
    watermark: { epoch: 5, index: 4 },
  } as unknown as Container;
  const disk = new MemoryDisk(() => 0.5);
  await beginSuspectLog(container, disk, 'a bit has flipped');
  for (let start = 0; start < 3; start++) {
    const opened = await openLog(options, container, disk);
    assert.ok(opened.suspect === undefined, opened.suspect);
    assert.equal(opened.opened.voter.withholding, 'a bit has flipped');
    await opened.opened.store.close();
    disk.restartAfterPowerLoss();
  }
});

test('what is less than its container has signed is suspect', async () => {
  const container = { serial: new Uint8Array(16).fill(1), watermark: { epoch: 5, index: 4 } } as unknown as Container;
  const opened = await openLog(options, container, new MemoryDisk(() => 0.5));
  assert.ok(opened.suspect === undefined);
  assert.match(opened.rejoin, /the container has signed epoch 5, entry 4/);
});
