import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { NodeDisk, openLogStore, STORE_LIMITS, StoreError } from './index.ts';
import { MemoryDisk } from './memory-disk.ts';
import { segmentName } from './segment.ts';
import { labelOf, openStore, record, seededRandom, STORE_ID } from './test-log.ts';

test('appends that overlap are joined in one write and one sync, and keep their order', async () => {
  const disk = new MemoryDisk(seededRandom(1));
  const { store } = await openStore(disk);
  const first = store.append([record('0', 20)]);
  const rest = Array.from({ length: 20 }, (_, i) => store.append([record(String(i + 1), 40)]));
  await first;
  const steps = disk.steps;
  await Promise.all(rest);
  assert.equal(disk.steps - steps, 2, 'one write, one sync');
  assert.deepEqual(
    (await openStore(disk)).texts,
    Array.from({ length: 21 }, (_, i) => String(i)),
  );
});

test('what is larger than the limits is refused before it is written, and harms nothing', async () => {
  const { store } = await openStore(new MemoryDisk(seededRandom(1)));
  await assert.rejects(store.append([Buffer.alloc(STORE_LIMITS.recordBytes + 1)]), RangeError);
  await assert.rejects(store.append(Array.from({ length: 5 }, () => Buffer.alloc(1024 * 1024))), RangeError);
  await store.append([record('ok', 10)]);
});

test('empty records and empty appends are kept and passed over', async () => {
  const disk = new MemoryDisk(seededRandom(1));
  const { store } = await openStore(disk);
  await store.append([]);
  await store.append([new Uint8Array(0), record('x', 10)]);
  const sizes: number[] = [];
  for await (const { payload } of store.read()) sizes.push(payload.length);
  assert.deepEqual(sizes, [0, 10]);
});

test('old segments are dropped, oldest first, never the present one; what remains still opens', async () => {
  const disk = new MemoryDisk(seededRandom(1));
  const { store } = await openStore(disk);
  for (const label of ['a', 'b', 'c', 'd']) {
    await store.append([record(label, 30)]);
    await store.startSegment();
  }
  await store.dropSegmentsBefore(3);
  assert.deepEqual((await openStore(disk)).texts, ['c', 'd']);
  await store.dropSegmentsBefore(99);
  assert.deepEqual(await disk.list(), [segmentName(5)]);
  await store.append([record('e', 30)]);
  assert.deepEqual((await openStore(disk)).texts, ['e']);
});

test('reading from a segment on gives what is durable, also while appends go on', async () => {
  const { store } = await openStore(new MemoryDisk(seededRandom(1)));
  await store.append([record('a', 30)]);
  const second = await store.startSegment();
  await store.append([record('b', 3000)]);
  const running = store.append([record('c', 30)]);
  const labels: string[] = [];
  for await (const { segment, payload } of store.read(second)) labels.push(`${segment}:${labelOf(payload)}`);
  assert.deepEqual(labels, ['2:b']);
  await running;
});

test('a closed store says so; closing twice is no error and waits for what was asked', async () => {
  const disk = new MemoryDisk(seededRandom(1));
  const { store } = await openStore(disk);
  const running = store.append([record('a', 30)]);
  await Promise.all([store.close(), store.close()]);
  await running;
  await assert.rejects(store.append([record('b', 30)]), { code: 'closed' });
  assert.deepEqual((await openStore(disk)).texts, ['a']);
});

test('on a real disk: the same, files 0600 in a directory 0700, records of every size up to the limit', async (t) => {
  const directory = join(await temporary(t), 'log');
  const disk = await NodeDisk.at(directory);
  const options = { storeId: STORE_ID, ifMissing: 'create' } as const;
  const opened = await openLogStore(disk, options);
  assert.ok(opened.kind === 'open');
  const sizes = [0, 1, 454, 455, 456, 507, 508, 100_000, STORE_LIMITS.recordBytes];
  for (const size of sizes) await opened.store.append([Buffer.alloc(size, size)]);
  await opened.store.startSegment();
  await opened.store.append(Array.from({ length: 3 }, () => Buffer.alloc(STORE_LIMITS.recordBytes, 3)));
  await opened.store.close();
  const read: number[] = [];
  const again = await openLogStore(disk, { ...options, onRecord: ({ payload }) => read.push(payload.length) });
  assert.ok(again.kind === 'open');
  assert.deepEqual(read, [...sizes, ...Array.from({ length: 3 }, () => STORE_LIMITS.recordBytes)]);
  await again.store.close();
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  for (const name of await readdir(directory)) assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600);
});

test('a log that is removed while it is in use is noticed, and nothing more is appended', async (t) => {
  const directory = await temporary(t);
  const { store } = await openStore(await NodeDisk.at(directory));
  await store.append([record('kept', 100)]);
  await store.checkInPlace();
  await rm(directory, { recursive: true });
  await assert.rejects(store.checkInPlace(), { code: 'missing', message: /was removed while it was in use/ });
  await assert.rejects(store.append([record('lost', 100)]), { code: 'missing' });
  await store.close();
});

test('errors of the real disk are one sentence that names the file', async (t) => {
  const directory = await temporary(t);
  const disk = await NodeDisk.at(directory);
  const path = join(directory, 'log-1');
  await assert.rejects(disk.open('log-1'), new StoreError('missing', path, `Cannot open ${path}: it does not exist.`));
  await symlink('/etc/passwd', path);
  await assert.rejects(disk.open('log-1'), { code: 'not-permitted' });
  await assert.rejects(disk.open('../log-1'), RangeError);
  await writeFile(join(directory, 'big'), 'x'.repeat(100));
  await assert.rejects(disk.readWhole('big', 99), { code: 'too-large' });
  assert.equal(await disk.readWhole('none', 99), undefined);
  await disk.writeWhole('whole', Buffer.from('abc'));
  assert.deepEqual(await disk.readWhole('whole', 3), Buffer.from('abc'));
  await assert.rejects(NodeDisk.at(join(directory, 'big', 'x')), { code: 'missing' });
});

test('what is written in parts is all of them, in their order, whatever their sizes', async (t) => {
  const disk = await NodeDisk.at(await temporary(t));
  for (const sizes of [[], [0, 1, 0], Array.from({ length: 40_000 }, (_, i) => i % 80), [5, 3_000_000, 7, 1_048_576]]) {
    const parts = sizes.map((size, i) => Buffer.alloc(size, i));
    await disk.writeWhole('parts', parts);
    assert.ok(Buffer.concat(parts).equals((await disk.readWhole('parts', 10_000_000)) ?? Buffer.from('none')));
  }
});

async function temporary(t: { after(fn: () => Promise<void>): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-log-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
