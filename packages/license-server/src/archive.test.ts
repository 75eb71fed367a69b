import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Archive } from './archive.ts';
import { type Disk, type LogStore, StoreError } from './log-store/index.ts';
import { type Fault, MemoryDisk } from './log-store/memory-disk.ts';
import { openStore, record, seededRandom } from './log-store/test-log.ts';

const plain = async (bytes: Uint8Array): Promise<Uint8Array> => bytes;
/** Two log files; the older one is no longer needed, nor is its snapshot. */
const OLD = ['log-0000000001.seg', 'snapshot-10'];

async function begun(): Promise<MemoryDisk> {
  const disk = new MemoryDisk(seededRandom(11));
  const { store } = await openStore(disk);
  await store.append([record('a', 700), record('b', 3_000)]);
  await disk.writeWhole('snapshot-10', Buffer.alloc(2_000, 7));
  await disk.writeWhole('snapshot-20', Buffer.alloc(2_000, 8));
  await store.startSegment();
  await store.append([record('c', 100)]);
  await store.close();
  return disk;
}

/** As the runtime does it (PROTOCOL §8.4). */
async function rotated(store: LogStore, disk: Disk, archive: Archive): Promise<string[]> {
  const { mayGo, alarms } = await archive.keep({ segmentsBefore: 2, snapshotsBefore: 20 });
  if (mayGo) {
    await store.dropSegmentsBefore(2);
    await disk.remove('snapshot-10');
  }
  return [...alarms];
}

function assertArchived(disk: MemoryDisk, original: MemoryDisk): void {
  for (const name of OLD) assert.deepEqual(disk.bytes(`${name}.zst`), original.bytes(name), name);
}

describe('the archive (PROTOCOL §8.4)', () => {
  test('takes in what is no longer needed before it goes, and nothing else', async () => {
    const original = await begun();
    const disk = original.clone();
    const { store } = await openStore(disk);
    assert.deepEqual(await rotated(store, disk, new Archive({ log: disk, archive: disk }, { pack: plain })), []);
    assertArchived(disk, original);
    const names = [...(await disk.list())].sort();
    assert.deepEqual(names, ['log-0000000001.seg.zst', 'log-0000000002.seg', 'snapshot-10.zst', 'snapshot-20']);
  });

  test('whatever happens at whichever step, the audit records are there once, and done again it is done', async () => {
    const original = await begun();
    for (const kind of ['power', 'io', 'no-space'] as const satisfies readonly Fault['kind'][])
      for (let step = 1; step <= 6; step++) {
        const disk = original.clone(seededRandom(100 + step));
        const { store } = await openStore(disk);
        disk.failAt({ step: disk.steps + step, kind });
        const archive = new Archive({ log: disk, archive: disk }, { pack: plain });
        await rotated(store, disk, archive).catch(() => undefined);
        if (kind === 'power') disk.restartAfterPowerLoss();
        else disk.restartProcess();
        const there = await disk.list();
        const isLost = kind === 'no-space' && step <= 2; // then the oldest goes, so that voting goes on
        for (const name of OLD)
          assert.ok(
            isLost || there.includes(name) || there.includes(`${name}.zst`),
            `${kind} at ${step}: ${name} is gone`,
          );
        if (isLost) continue;
        const again = await openStore(disk);
        await rotated(again.store, disk, new Archive({ log: disk, archive: disk }, { pack: plain }));
        assertArchived(disk, original);
      }
  });

  test('what can’t be archived stays, with an alarm; when too much waits, it goes', async () => {
    const disk = await begun();
    const broken: Disk = Object.assign(Object.create(disk) as Disk, {
      list: async () => [],
      writeWhole: async () => Promise.reject(new StoreError('io', 'x', 'cannot write x: the device failed.')),
    });
    const archive = new Archive({ log: disk, archive: broken }, { pack: plain });
    const kept = await archive.keep({ segmentsBefore: 2, snapshotsBefore: 20 });
    assert.equal(kept.mayGo, false);
    assert.match(kept.alarms[0] ?? '', /^audit records wait to be archived: cannot write x: the device failed/);
    for (let n = 2; n <= 9; n++) await disk.writeWhole(`log-${String(n).padStart(10, '0')}.seg`, Buffer.alloc(512));
    const dropped = await archive.keep({ segmentsBefore: 10, snapshotsBefore: 20 });
    assert.equal(dropped.mayGo, true);
    assert.match(dropped.alarms[0] ?? '', /^audit records are lost/);
  });

  test('above its size the oldest goes, and it says so once', async () => {
    const log = new MemoryDisk(seededRandom(3));
    const archived = new MemoryDisk(seededRandom(4));
    const archive = new Archive({ log, archive: archived }, { pack: plain, maxBytes: 10_000 });
    const alarms: string[] = [];
    for (let n = 1; n <= 8; n++) {
      const name = `log-${String(n).padStart(10, '0')}.seg`;
      await log.writeWhole(name, Buffer.alloc(3_000, n));
      if (n > 1) await log.writeWhole(`snapshot-${n * 10}`, Buffer.alloc(500, n));
      alarms.push(...(await archive.keep({ segmentsBefore: n + 1, snapshotsBefore: n * 10 + 1 })).alarms);
      await log.remove(name);
      await log.remove(`snapshot-${n * 10}`);
    }
    const names = [...(await archived.list())].sort();
    assert.deepEqual(names, ['log-0000000007.seg.zst', 'log-0000000008.seg.zst', 'snapshot-70.zst', 'snapshot-80.zst']);
    assert.equal(alarms.length, 1);
    assert.match(alarms[0] ?? '', /drops the oldest, for it has its 0 MiB: log-0000000001\.seg/);
  });

  test('on a full disk the oldest of the archive makes room for the newest', async () => {
    const [log, archived] = [new MemoryDisk(seededRandom(3)), new MemoryDisk(seededRandom(4))];
    for (const n of [1, 2]) await archived.writeWhole(`log-000000000${n}.seg.zst`, Buffer.alloc(600, n));
    await log.writeWhole('log-0000000003.seg', Buffer.alloc(512, 3));
    archived.failAt({ step: archived.steps + 1, kind: 'no-space' });
    const archive = new Archive({ log, archive: archived }, { pack: plain });
    const { mayGo, alarms } = await archive.keep({ segmentsBefore: 4, snapshotsBefore: 1 });
    assert.equal(mayGo, true);
    assert.deepEqual(alarms, [
      'the archive of audit records drops the oldest, for the disk is full: log-0000000001.seg',
    ]);
    assert.deepEqual([...(await archived.list())].sort(), ['log-0000000002.seg.zst', 'log-0000000003.seg.zst']);
  });
});
