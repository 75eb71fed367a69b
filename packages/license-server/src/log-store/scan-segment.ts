import type { DiskFile } from './disk.ts';
import { type EndOfFrames, type Frame, FrameReader, isFrame } from './frame-reader.ts';
import { FRAME_KIND, SECTOR_BYTES } from './layout.ts';
import { MAX_FRAME_SECTORS } from './limits.ts';
import { decodeHeader, decodeSeal, type Seal, type SegmentHeader } from './segment.ts';

/** One record, as the log gives it back. */
export interface StoredRecord {
  readonly segment: number;
  readonly payload: Uint8Array;
}

export type RecordSink = (record: StoredRecord) => void;

/** Told of the header, and the chain behind it, before any record; throws Damage if the segment does not belong there. */
export type HeaderCheck = (header: SegmentHeader, headerChain: Buffer) => void;

/** What a whole, verified segment turned out to be. */
export interface ScannedSegment {
  readonly header: SegmentHeader;
  /** Chain behind the header frame, and behind the last record frame (before a seal). */
  readonly headerChain: Buffer;
  readonly recordsChain: Buffer;
  readonly recordFrames: number;
  readonly seal: Seal | undefined;
  /** Chain and sector at which the next frame goes. */
  readonly endChain: Buffer;
  readonly endSector: number;
  readonly lastFrame: { readonly firstSector: number; readonly sectors: number };
  /** Sectors [endSector, tornEnd) hold remains of an append that was never confirmed. Equal to endSector if none. */
  readonly tornEnd: number;
  readonly sizeBytes: number;
}

/**
 * Verifies a segment from its first to its last bit, giving each record to `onRecord` on the way.
 * @throws Damage for everything but a torn end; StoreError if the disk fails.
 */
export async function scanSegment(
  file: DiskFile,
  name: string,
  { check, onRecord }: { check: HeaderCheck; onRecord: RecordSink },
): Promise<ScannedSegment> {
  const sizeBytes = await file.size();
  const reader = new FrameReader(file, name, Math.floor(sizeBytes / SECTOR_BYTES));
  const first = await reader.next();
  if (!isFrame(first)) throw reader.damage(0, 'the segment has no header');
  const header = decodeHeader(name, first);
  const headerChain = reader.chain;
  check(header, headerChain);
  let lastFrame: Frame = first;
  let recordsChain = headerChain;
  let recordFrames = 0;
  let seal: Seal | undefined;
  let step = await reader.next();
  for (; isFrame(step); step = await reader.next()) {
    if (seal !== undefined) throw reader.damage(step.firstSector, 'records stand behind the closing mark');
    if (step.kind === FRAME_KIND.seal) {
      seal = decodeSeal(name, step, step.firstSector);
    } else if (step.kind === FRAME_KIND.records) {
      for (const payload of step.records) onRecord({ segment: header.segment, payload });
      recordFrames += 1;
      recordsChain = reader.chain;
    } else {
      throw reader.damage(step.firstSector, 'an unknown kind of record stands in the log');
    }
    lastFrame = step;
  }
  const tornEnd = await checkRest(reader, step, header.chunkBytes, sizeBytes);
  const { position: endSector, chain: endChain } = reader;
  return { header, headerChain, recordsChain, recordFrames, seal, endChain, endSector, lastFrame, tornEnd, sizeBytes };
}

/**
 * Looks at everything behind the last whole frame, to the end of the file. Allowed there:
 * - unwritten pattern;
 * - a torn append: sectors that are sound *as parts of the frame that comes next in the chain*, the others of it still
 *   pattern. A durable later frame hangs on another chain value, so it can't pass for one;
 * - an unfinished growth of the file: its last chunk short, or zeros in it, and no record in that chunk.
 * A bit flipped in unwritten space is damage too: nobody can tell it from the remains of a record that was whole.
 * @returns the sector behind the torn append, or the present end if there is none.
 */
async function checkRest(
  reader: FrameReader,
  end: EndOfFrames,
  chunkBytes: number,
  sizeBytes: number,
): Promise<number> {
  const start = reader.position;
  const reach = start + (end.kind === 'torn' ? end.sectors : MAX_FRAME_SECTORS);
  let tornEnd = start;
  let firstZero: number | undefined;
  for (let sector = start; sector < reader.limit; sector++) {
    const state = await reader.state(sector);
    if (state === 'pattern') continue;
    if (state === 'zero') {
      firstZero ??= sector;
    } else if (state === 'damaged' || sector >= reach || (state === 'first' && sector !== start)) {
      throw reader.damage(sector, 'behind the last whole record stands something that no interrupted write leaves');
    } else {
      tornEnd = sector + 1;
    }
  }
  const lastChunk = Math.floor((sizeBytes - 1) / chunkBytes) * (chunkBytes / SECTOR_BYTES);
  // Growth is synced before the write that needs it: where there is a torn write, or a record, growth was complete.
  const mayBeUnfinished = tornEnd === start && start <= lastChunk;
  if (sizeBytes % (mayBeUnfinished ? SECTOR_BYTES : chunkBytes) !== 0)
    throw reader.damage(reader.limit, 'the file was cut short');
  if (firstZero !== undefined && (!mayBeUnfinished || firstZero < lastChunk)) {
    throw reader.damage(firstZero, 'a sector of the log was set to zero');
  }
  return tornEnd;
}
