import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createSegment } from './create-segment.ts';
import { StoreError } from './disk.ts';
import { FrameReader } from './frame-reader.ts';
import { SECTOR_BYTES, SECTOR_DATA_BYTES } from './layout.ts';
import { MemoryDisk } from './memory-disk.ts';
import type { Opened } from './open.ts';
import { scanSegment } from './scan-segment.ts';
import { MARK, patternBytes, SectorBuffer, sectorSeed } from './sector.ts';
import { segmentName } from './segment.ts';
import { CHUNK_BYTES, open, openStore, record, seededRandom, STORE_ID, writtenLog } from './test-log.ts';

const ALL = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];

async function verdict(disk: MemoryDisk): Promise<Opened> {
  return (await open(disk, { ifMissing: 'suspect' })).opened;
}

async function assertSuspect(disk: MemoryDisk, what: string): Promise<Opened & { kind: 'suspect' }> {
  const steps = disk.steps;
  const opened = await verdict(disk);
  assert.ok(opened.kind === 'suspect', `${what}: not noticed`);
  assert.equal(disk.steps, steps, `${what}: the disk was altered`);
  return opened;
}

function flip(disk: MemoryDisk, name: string, bit: number): void {
  disk.damage(name, (bytes) => {
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return bytes;
  });
}

test('an undamaged log opens, with all records in order', async () => {
  const disk = await writtenLog();
  const { opened, texts } = await open(disk, { ifMissing: 'suspect' });
  assert.equal(opened.kind, 'open');
  assert.deepEqual(texts, ALL);
});

test('a disk that cannot be written is no word against the log', async () => {
  for (let step = 1; step <= 3; step++) {
    const disk = await writtenLog();
    disk.failAt({ step: disk.steps + step, kind: 'io' });
    const opening = open(disk, { ifMissing: 'suspect' });
    const failed = await opening.then(
      ({ opened }) => assert.equal(opened.kind, 'open', `step ${step} comes after opening`),
      (error: unknown) => error,
    );
    if (failed === undefined) continue;
    assert.ok(failed instanceof StoreError && failed.code === 'io');
    disk.restartProcess();
    const { opened, texts } = await open(disk, { ifMissing: 'suspect' });
    assert.equal(opened.kind, 'open');
    assert.deepEqual(texts, ALL);
  }
});

test('one flipped bit anywhere, written or not: suspect, and the place is named', async () => {
  const disk = await writtenLog();
  const random = seededRandom(3);
  for (const segment of [1, 2, 3]) {
    const name = segmentName(segment);
    for (let byte = 0; byte < disk.bytes(name).length; byte += 3) {
      const bit = 8 * byte + Math.floor(8 * random());
      flip(disk, name, bit);
      const { file, offset } = await assertSuspect(disk, `bit ${bit} of ${name}`);
      assert.equal(file, name);
      assert.ok(offset <= byte);
      flip(disk, name, bit);
    }
  }
  assert.equal((await verdict(disk)).kind, 'open');
});

test('one flipped bit in a log with a torn end: suspect, never cut', async () => {
  let torn = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.integer({ min: 600, max: 5000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      async (seed, bytes, where) => {
        const disk = new MemoryDisk(seededRandom(seed));
        const { store } = await openStore(disk);
        await store.append([record('kept', 300)]);
        await store.append([record('grown', 6000)]);
        disk.failAt({ step: disk.steps + 1 + (seed % 4), kind: 'power' });
        await store.append([record('lost', bytes)]).catch(() => undefined);
        disk.restartAfterPowerLoss();
        const name = segmentName(1);
        const opened = await verdict(disk.clone(seededRandom(1)));
        assert.equal(opened.kind, 'open');
        if (opened.kind === 'open' && opened.torn) torn += 1;
        flip(disk, name, Math.floor(where * 8 * disk.bytes(name).length));
        await assertSuspect(disk, 'flipped bit');
      },
    ),
    { numRuns: 1000, seed: 1 },
  );
  assert.ok(torn > 100, `${torn} torn ends are too few`);
});

test('a final append of which the first, middle or last sectors never arrived is cut; its remains never come back', async () => {
  for (const lost of [[0], [1], [3], [0, 1], [2, 3], [1, 2], [0, 2]]) {
    const disk = new MemoryDisk(seededRandom(1));
    const { store } = await openStore(disk);
    await store.append([record('kept', 100)]);
    const from = store.segmentBytes;
    await store.append([record('lost', 1600)]);
    assert.equal(store.segmentBytes - from, 4 * SECTOR_BYTES);
    disk.damage(segmentName(1), (bytes) => {
      for (const sector of lost) patternBytes(SECTOR_BYTES).copy(bytes, from + sector * SECTOR_BYTES);
      return bytes;
    });
    const cut = await openStore(disk);
    assert.deepEqual([cut.torn, cut.texts], [true, ['kept']]);
    assert.ok(
      disk
        .bytes(segmentName(1))
        .subarray(from)
        .equals(patternBytes(disk.bytes(segmentName(1)).length - from)),
    );
    await cut.store.append([record('next', 100)]);
    assert.deepEqual((await openStore(disk)).texts, ['kept', 'next']);
  }
});

test('lost sectors of any append but the last: suspect', async () => {
  const disk = await writtenLog();
  const name = segmentName(2);
  // Segment 2: header in sector 0, then four records of three sectors each, then the seal.
  for (let sector = 0; sector <= 13; sector++) {
    for (const content of [patternBytes(SECTOR_BYTES), Buffer.alloc(SECTOR_BYTES)]) {
      const copy = disk.clone();
      copy.damage(name, (bytes) => {
        content.copy(bytes, sector * SECTOR_BYTES);
        return bytes;
      });
      await assertSuspect(copy, `sector ${sector}`);
    }
  }
});

test('a sector set to zero in the last record: suspect (no interrupted write leaves zeros)', async () => {
  const disk = await writtenLog();
  for (let sector = 1; sector <= 7; sector++) {
    const copy = disk.clone();
    copy.damage(segmentName(3), (bytes) => bytes.fill(0, sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES));
    await assertSuspect(copy, `sector ${sector}`);
  }
});

test('sectors that changed places, within a record, between records and between files: suspect', async () => {
  const disk = await writtenLog();
  const sectors = [1, 2, 3].flatMap((segment) => Array.from({ length: 6 }, (_, sector) => ({ segment, sector })));
  for (const a of sectors) {
    for (const b of sectors) {
      const copy = disk.clone();
      const from = Buffer.from(disk.bytes(segmentName(b.segment)));
      const source = from.subarray(b.sector * SECTOR_BYTES, (b.sector + 1) * SECTOR_BYTES);
      const target = disk
        .bytes(segmentName(a.segment))
        .subarray(a.sector * SECTOR_BYTES, (a.sector + 1) * SECTOR_BYTES);
      if (source.equals(target)) continue;
      copy.damage(segmentName(a.segment), (bytes) => (source.copy(bytes, a.sector * SECTOR_BYTES), bytes));
      const opened = await verdict(copy);
      const shows = source.equals(patternBytes(SECTOR_BYTES)) && a.segment === 3;
      assert.equal(opened.kind, shows ? opened.kind : 'suspect', JSON.stringify({ a, b }));
    }
  }
});

test('a segment in the middle cut to whole chunks: suspect, and no record behind the damage is given', async () => {
  for (let chunks = 1; chunks < 4; chunks++) {
    const disk = await writtenLog();
    disk.damage(segmentName(2), (bytes) => bytes.subarray(0, chunks * CHUNK_BYTES));
    const { opened, texts } = await open(disk);
    assert.equal(opened.kind, 'suspect');
    assert.ok('abcdefg'.startsWith(texts.join('')), texts.join());
  }
});

test('a file cut short anywhere: suspect', async () => {
  const disk = await writtenLog();
  for (const segment of [1, 2, 3]) {
    const name = segmentName(segment);
    for (let length = 0; length < disk.bytes(name).length; length += 64) {
      const copy = disk.clone();
      copy.damage(name, (bytes) => bytes.subarray(0, length));
      await assertSuspect(copy, `${name} cut to ${length}`);
    }
  }
});

test('missing, swapped, restored and foreign segments: suspect', async () => {
  const disk = await writtenLog();
  const put = (copy: MemoryDisk, segment: number, bytes: Uint8Array): void =>
    copy.damage(segmentName(segment), () => Buffer.from(bytes));
  const middle = disk.clone();
  await middle.remove(segmentName(2));
  assert.equal((await assertSuspect(middle, 'middle missing')).file, segmentName(2));
  const newest = disk.clone();
  await newest.remove(segmentName(3));
  assert.equal((await assertSuspect(newest, 'newest missing')).file, segmentName(3));
  const swapped = disk.clone();
  put(swapped, 1, disk.bytes(segmentName(2)));
  put(swapped, 2, disk.bytes(segmentName(1)));
  await assertSuspect(swapped, 'swapped');
  const wiped = new MemoryDisk(seededRandom(1));
  assert.match((await assertSuspect(wiped, 'wiped')).reason, /missing/);
  const foreign = await open(disk, { storeId: Buffer.alloc(16, 9) });
  assert.match(JSON.stringify(foreign.opened), /suspect.*another license server/);
});

test('an older copy of a segment put back behind a newer one: suspect', async () => {
  const disk = new MemoryDisk(seededRandom(1));
  const { store } = await openStore(disk);
  await store.append([record('a', 100)]);
  const old = Buffer.from(disk.bytes(segmentName(1)));
  await store.append([record('b', 100)]);
  await store.startSegment();
  await assertSuspectWith(disk, old);
  await store.append([record('c', 100)]);
  await assertSuspectWith(disk, old);
});

async function assertSuspectWith(disk: MemoryDisk, old: Buffer): Promise<void> {
  const copy = disk.clone();
  copy.damage(segmentName(1), () => Buffer.from(old));
  await assertSuspect(copy, 'old segment');
}

test('segments of two logs that share their past do not mix', async () => {
  const disk = new MemoryDisk(seededRandom(1));
  const { store } = await openStore(disk);
  await store.append([record('a', 100)]);
  const fork = disk.clone();
  await store.append([record('b', 100)]);
  await store.startSegment();
  await store.append([record('c', 100)]);
  const other = await openStore(fork);
  await other.store.append([record('B', 100)]);
  await other.store.startSegment();
  await other.store.append([record('C', 100)]);
  disk.damage(segmentName(2), () => Buffer.from(fork.bytes(segmentName(2))));
  await assertSuspect(disk, 'segment of the fork');
});

test('an unfinished growth of the file is finished, in whatever state it is', async () => {
  const disk = new MemoryDisk(seededRandom(1));
  const { store } = await openStore(disk);
  await store.append([record('a', 900)]);
  const name = segmentName(1);
  for (let grown = SECTOR_BYTES; grown <= CHUNK_BYTES; grown += SECTOR_BYTES) {
    for (const fill of [Buffer.alloc(grown), patternBytes(CHUNK_BYTES).subarray(0, grown)]) {
      const copy = disk.clone();
      copy.damage(name, (bytes) => Buffer.concat([bytes, fill]));
      const opened = await openStore(copy);
      assert.deepEqual([opened.torn, opened.texts], [false, ['a']]);
      assert.equal(copy.bytes(name).length, 2 * CHUNK_BYTES);
      await opened.store.append([record('b', 2000)]);
      assert.deepEqual((await openStore(copy)).texts, ['a', 'b']);
    }
  }
});

test('the first sectors of the last two appends lost: the later one was durable, so the earlier one was too: suspect', async () => {
  const disk = new MemoryDisk(seededRandom(1));
  const { store } = await openStore(disk);
  const starts: number[] = [];
  for (const label of ['a', 'b']) {
    starts.push(store.segmentBytes);
    await store.append([record(label, 900)]);
  }
  disk.damage(segmentName(1), (bytes) => {
    for (const start of starts) patternBytes(SECTOR_BYTES).copy(bytes, start);
    return bytes;
  });
  await assertSuspect(disk, 'first sectors');
});

test('sectors exchanged within a torn append: no interrupted write does that: suspect', async () => {
  const disk = new MemoryDisk(seededRandom(1));
  const { store } = await openStore(disk);
  const start = store.segmentBytes;
  await store.append([record('a', 1400)]);
  const torn = disk.clone();
  const lose = (bytes: Buffer): Buffer => (patternBytes(SECTOR_BYTES).copy(bytes, start), bytes);
  torn.damage(segmentName(1), lose);
  assert.equal((await verdict(torn)).kind, 'open');
  disk.damage(segmentName(1), (bytes) => {
    const second = Buffer.from(bytes.subarray(start + SECTOR_BYTES, start + 2 * SECTOR_BYTES));
    bytes.copyWithin(start + SECTOR_BYTES, start + 2 * SECTOR_BYTES, start + 3 * SECTOR_BYTES);
    second.copy(bytes, start + 2 * SECTOR_BYTES);
    return lose(bytes);
  });
  await assertSuspect(disk, 'exchanged');
});

test('a record altered with a right checksum breaks the chain: suspect', async () => {
  const disk = await writtenLog();
  const name = segmentName(1);
  const file = await disk.open(name);
  const reader = new FrameReader(file, name, 1);
  await reader.next();
  const sector = new SectorBuffer(1);
  disk.bytes(name).copy(sector.bytes, 0, SECTOR_BYTES, 2 * SECTOR_BYTES);
  const data = Buffer.alloc(SECTOR_DATA_BYTES);
  sector.copyData(0, data, 0);
  data[20] = (data[20] ?? 0) ^ 1;
  sector.fill(0, MARK.first, data, 0, data.length, sectorSeed(reader.chain, 1));
  disk.damage(name, (bytes) => (sector.bytes.copy(bytes, SECTOR_BYTES), bytes));
  assert.match((await assertSuspect(disk, 'altered')).reason, /chain/);
});

test('an empty segment in the place of the one that its forerunner names: suspect', async () => {
  const disk = await writtenLog();
  const name = segmentName(2);
  const { recordsChain } = await scanSegment(await disk.open(name), name, {
    check: () => undefined,
    onRecord: () => undefined,
  });
  await createSegment(disk, 3, { storeId: STORE_ID, chunkBytes: 2 * CHUNK_BYTES }, recordsChain);
  assert.match((await assertSuspect(disk, 'replaced')).reason, /not the one/);
});

test('something else in the place of a segment: suspect', async () => {
  const disk = new MemoryDisk(seededRandom(1));
  await disk.writeWhole(segmentName(1), Buffer.from('something else entirely'));
  assert.match((await assertSuspect(disk, 'short file')).reason, /header/);
});
