import { Damage } from './damage.ts';
import { type Disk, type DiskFile, StoreError } from './disk.ts';
import { createSegment } from './create-segment.ts';
import { FrameEncoder, START_OF_CHAIN } from './frame.ts';
import { FRAME_KIND, SECTOR_BYTES } from './layout.ts';
import { type RecordSink, type ScannedSegment, scanSegment } from './scan-segment.ts';
import { patternBytes } from './sector.ts';
import { encodeSeal, type SegmentHeader, segmentName, segmentNumber, STORE_ID_BYTES } from './segment.ts';
import { Log, type LogStore } from './store.ts';

export interface OpenOptions {
  /** 16 bytes that say whose log this is (the container's serial): another server's log is `suspect`, not taken. */
  readonly storeId: Uint8Array;
  /** What to do if there is no log: begin one, or say `suspect`. A container that has signed before must have one. */
  readonly ifMissing: 'create' | 'suspect';
  /** How much a new log's segments grow at a time, in bytes, a multiple of 512. Default 1 MiB. */
  readonly chunkBytes?: number;
  /**
   * Gets every record in order while the log is verified. If the verdict is `suspect` in the end, it got the records
   * before the damage. Must not throw.
   */
  readonly onRecord?: RecordSink;
}

export type Opened =
  | {
      readonly kind: 'open';
      readonly store: LogStore;
      /** An append that was never confirmed was found in part, and cut. */
      readonly torn: boolean;
      readonly firstSegment: number;
    }
  | {
      readonly kind: 'suspect';
      readonly file: string;
      /** Bytes from the start of the file. */
      readonly offset: number;
      readonly reason: string;
    };

/**
 * Verifies the whole log to the last bit and opens it for appending. Nothing on the disk is altered unless the verdict
 * is `open`; then a torn end is overwritten with the pattern, so that its remains can't be taken for a record later.
 * The caller holds the lock on the directory.
 * @throws StoreError if the disk fails otherwise than by unreadable log sectors (those are `suspect`).
 */
export async function openLogStore(disk: Disk, options: OpenOptions): Promise<Opened> {
  if (options.storeId.length !== STORE_ID_BYTES) throw new RangeError('storeId must have 16 bytes');
  // Outside of what follows: a disk that can't be written is no word against the log.
  if (options.ifMissing === 'create' && (await segmentsOf(disk)).length === 0)
    await createSegment(disk, 1, options, START_OF_CHAIN);
  let verified: VerifiedChain;
  try {
    verified = await verifyChain(disk, options);
  } catch (error) {
    const damage = asDamage(error);
    if (damage === undefined) throw error;
    return { kind: 'suspect', file: damage.file, offset: damage.offset, reason: damage.message };
  }
  const { newest, segments, torn } = verified;
  const file = await disk.open(segmentName(newest.header.segment));
  try {
    await repair(disk, file, verified);
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  return { kind: 'open', store: new Log(disk, file, segments, newest), torn, firstSegment: segments[0] ?? 1 };
}

/** A sector that can't be read is damage like any other; a full or forbidden disk is a failure. */
function asDamage(error: unknown): Damage | undefined {
  if (error instanceof Damage) return error;
  if (error instanceof StoreError && error.code === 'io') return new Damage(error.file, 0, error.message);
  return undefined;
}

async function segmentsOf(disk: Disk): Promise<number[]> {
  const numbers = (await disk.list()).map(segmentNumber).filter((number) => number !== undefined);
  return numbers.sort((a, b) => a - b);
}

function checkNumbers(numbers: readonly number[]): void {
  if (numbers.length === 0) throw new Damage(segmentName(1), 0, 'the log is missing');
  for (const [index, number] of numbers.entries()) {
    const before = numbers[index - 1];
    if (before !== undefined && number !== before + 1) {
      throw new Damage(segmentName(before + 1), 0, 'a segment of the log is missing');
    }
  }
}

interface VerifiedChain {
  /** Numbers of all files, ascending. */
  readonly segments: number[];
  readonly newest: ScannedSegment;
  readonly previous: ScannedSegment | undefined;
  readonly torn: boolean;
}

async function verifyChain(disk: Disk, options: OpenOptions): Promise<VerifiedChain> {
  const segments = await segmentsOf(disk);
  checkNumbers(segments);
  let previous: ScannedSegment | undefined;
  let newest: ScannedSegment | undefined;
  for (const segment of segments) {
    previous = newest;
    newest = await scanFile(disk, segment, previous, options);
    if (previous !== undefined && previous.seal === undefined) checkUnsealed(previous, newest);
  }
  if (newest === undefined) throw new Error('verifyChain needs a segment');
  if (newest.seal !== undefined) {
    throw new Damage(segmentName(newest.seal.nextSegment), 0, 'the newest segment of the log is missing');
  }
  return { segments, newest, previous, torn: newest.tornEnd > newest.endSector };
}

/** Gives no record of a file that does not belong behind the one before it. */
async function scanFile(
  disk: Disk,
  segment: number,
  previous: ScannedSegment | undefined,
  options: OpenOptions,
): Promise<ScannedSegment> {
  const name = segmentName(segment);
  const file = await disk.open(name);
  const check = (header: SegmentHeader, headerChain: Buffer): void => {
    if (header.segment !== segment) throw new Damage(name, 0, 'the file holds another segment of the log');
    if (Buffer.compare(header.storeId, options.storeId) !== 0) {
      throw new Damage(name, 0, 'the log belongs to another license server');
    }
    if (previous !== undefined) checkJoint(previous, header, headerChain);
  };
  const onRecord: RecordSink = (record) => {
    if (previous !== undefined && previous.seal === undefined) throw endMissing(previous);
    options.onRecord?.(record);
  };
  try {
    return await scanSegment(file, name, { check, onRecord });
  } finally {
    await file.close();
  }
}

/** Both sides name each other: the header names the chain before it, the seal the header behind it. */
function checkJoint(previous: ScannedSegment, header: SegmentHeader, headerChain: Buffer): void {
  const name = segmentName(header.segment);
  if (!header.previousChain.equals(previous.recordsChain)) {
    throw new Damage(name, 0, 'the segment does not continue the one before it');
  }
  if (previous.tornEnd !== previous.endSector) {
    const afterEnd = previous.endSector * SECTOR_BYTES;
    throw new Damage(segmentName(previous.header.segment), afterEnd, 'a segment that was ended has a torn end');
  }
  if (previous.seal !== undefined && !previous.seal.nextChain.equals(headerChain)) {
    throw new Damage(name, 0, 'the segment is not the one that the segment before it names');
  }
}

/**
 * `startSegment` makes the new file first and the seal second, so the seal may be missing only while the new segment has no
 * record. A seal is one sector: it can't be torn.
 */
function checkUnsealed(previous: ScannedSegment, next: ScannedSegment): void {
  if (next.recordFrames !== 0 || next.tornEnd !== next.endSector || next.seal !== undefined) throw endMissing(previous);
}

function endMissing(previous: ScannedSegment): Damage {
  const afterEnd = previous.endSector * SECTOR_BYTES;
  return new Damage(segmentName(previous.header.segment), afterEnd, 'the end of the segment is missing');
}

/**
 * Brings the disk to a state in which everything that was just read is durable and unwritten space is pattern.
 * The last frame is written once more: after a failed fsync the page cache may show bytes that never reached the disk,
 * and a further fsync alone would "succeed" without writing them.
 */
async function repair(disk: Disk, file: DiskFile, { newest, previous }: VerifiedChain): Promise<void> {
  if (previous !== undefined && newest.recordFrames === 0) await sealAgain(disk, previous, newest);
  await refillUnwritten(file, newest);
  await rewriteLastFrame(file, newest);
  await file.sync();
}

async function sealAgain(disk: Disk, previous: ScannedSegment, next: ScannedSegment): Promise<void> {
  const file = await disk.open(segmentName(previous.header.segment));
  try {
    const seal = encodeSeal({ nextSegment: next.header.segment, nextChain: next.headerChain });
    const sector = previous.seal === undefined ? previous.endSector : previous.lastFrame.firstSector;
    const frame = new FrameEncoder().encode(FRAME_KIND.seal, [seal], previous.recordsChain, sector);
    await file.write(sector * SECTOR_BYTES, frame.bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * All of it, not only what was seen to be torn or unfinished: if the fsync of an earlier repair failed, remains may lie
 * on the disk that the page cache no longer shows, and would stand behind a later record after a power loss.
 */
async function refillUnwritten(file: DiskFile, { header, sizeBytes, endSector }: ScannedSegment): Promise<void> {
  const start = endSector * SECTOR_BYTES;
  const end = Math.ceil(sizeBytes / header.chunkBytes) * header.chunkBytes;
  if (end > start) await file.write(start, patternBytes(end - start));
}

async function rewriteLastFrame(file: DiskFile, { lastFrame }: ScannedSegment): Promise<void> {
  const offset = lastFrame.firstSector * SECTOR_BYTES;
  await file.write(offset, await file.read(offset, lastFrame.sectors * SECTOR_BYTES));
}
