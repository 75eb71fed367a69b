/** A bad sector, under the log or under the snapshot with which it begins, is damage: the server comes back by re-joining. */
import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Container } from '@trefoil/container';
import { encodeRecord } from '@trefoil/core';
import { silentLog, systemClock } from '@trefoil/host';
import { fixture } from '@trefoil/license/fixtures';
import { type Disk, NodeDisk, openLogStore, StoreError } from './log-store/index.ts';
import { openLog } from './open-voter.ts';

const one = fixture();
const context = {
  crypto: one.crypto,
  vendorRoot: one.root.publicKey,
  configuration: one.configuration,
  group: one.group,
  issuingKey: one.issuingKey.text,
};
const serial = new Uint8Array(16).fill(1);
const container = { serial, watermark: { epoch: 2, index: 1 } } as unknown as Container;

for (const what of ['log-', 'snapshot-'])
  test(`a sector of ${what}… that can't be read makes the server suspect, and it starts`, async () => {
    const disk = await NodeDisk.at(await mkdtemp(join(tmpdir(), 'trefoil-')));
    const opened = await openLogStore(disk, { storeId: serial, ifMissing: 'create' });
    assert.ok(opened.kind === 'open');
    await opened.store.append([encodeRecord({ kind: 'snapshot', index: 1, logEpoch: 2, configVersion: 1 })]);
    await opened.store.close();
    await disk.writeWhole('snapshot-1', new Uint8Array(1000));
    const eio = (name: string): never => {
      throw new StoreError('io', name, `Cannot read ${name}: the disk reports an input/output error.`);
    };
    const bad: Disk = {
      list: () => disk.list(),
      remove: (name) => disk.remove(name),
      writeWhole: (name, bytes) => disk.writeWhole(name, bytes),
      open: async (name) => {
        const file = await disk.open(name);
        if (what === 'log-') file.read = async () => eio(name);
        return file;
      },
      readWhole: async (name, max) => (name.startsWith(what) ? eio(name) : disk.readWhole(name, max)),
    };
    const result = await openLog({ context, member: 1, clock: systemClock, log: silentLog }, container, bad);
    assert.match(result.suspect ?? '', /input\/output error/);
  });
