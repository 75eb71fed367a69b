import { hash } from 'node:crypto';
import {
  DIGEST_BYTES,
  FRAME_HEAD_BYTES,
  FRAME_OVERHEAD_BYTES,
  type FrameKind,
  RECORD_HEAD_BYTES,
  SECTOR_BYTES,
  SECTOR_DATA_BYTES,
  sectorsFor,
} from './layout.ts';
import { MAX_FRAME_SECTORS, STORE_LIMITS } from './limits.ts';
import { MARK, SectorBuffer, sectorSeed } from './sector.ts';

/** 16 bytes: keeps the hashes of this log apart from every other hash of the project. */
const TAG = Buffer.from('trefoil log v1\0\0', 'latin1');
const PREFIX_BYTES = TAG.length + DIGEST_BYTES;
/** Grows with the largest frame that is met: up to 4 MiB. */
const FIRST_CAPACITY_SECTORS = 16;

/** The chain before the first frame of a segment: its header frame can be read without knowing anything else. */
export const START_OF_CHAIN = Buffer.alloc(DIGEST_BYTES);

export interface EncodedFrame {
  /** Whole sectors; valid until the next frame is encoded. */
  readonly bytes: Buffer;
  readonly sectors: number;
  /** SHA-256(tag ‖ previous chain ‖ frame). */
  readonly chain: Buffer;
}

/** Bytes that a record takes within a frame's body. */
export function recordSpace(record: Uint8Array): number {
  return RECORD_HEAD_BYTES + record.length;
}

/** Turns records into the sectors of one frame. Owns the memory it works in, so an append allocates next to nothing. */
export class FrameEncoder {
  #sectors = new SectorBuffer(FIRST_CAPACITY_SECTORS);
  #scratch = scratchFor(FIRST_CAPACITY_SECTORS);

  encode(kind: FrameKind, records: readonly Uint8Array[], chain: Buffer, firstSector: number): EncodedFrame {
    const bodyBytes = records.reduce((sum, record) => sum + recordSpace(record), 0);
    const frameBytes = FRAME_OVERHEAD_BYTES + bodyBytes;
    const sectors = sectorsFor(frameBytes);
    this.#reserve(sectors);
    const next = this.#compose(kind, records, bodyBytes, chain);
    for (let i = 0; i < sectors; i++) {
      const offset = i * SECTOR_DATA_BYTES;
      const length = Math.min(SECTOR_DATA_BYTES, frameBytes - offset);
      const mark = i === 0 ? MARK.first : MARK.next;
      this.#sectors.fill(i, mark, this.#scratch, PREFIX_BYTES + offset, length, sectorSeed(chain, firstSector + i));
    }
    return { bytes: this.#sectors.bytes.subarray(0, sectors * SECTOR_BYTES), sectors, chain: next };
  }

  /** Writes tag, chain, head, body and digest into the scratch buffer; returns the digest. */
  #compose(kind: FrameKind, records: readonly Uint8Array[], bodyBytes: number, chain: Buffer): Buffer {
    const scratch = this.#scratch;
    chain.copy(scratch, TAG.length);
    let at = scratch.writeUInt8(kind, PREFIX_BYTES);
    at = scratch.writeUInt32BE(bodyBytes, at);
    at = scratch.writeUInt32BE(records.length, at);
    for (const record of records) {
      at = scratch.writeUInt32BE(record.length, at);
      scratch.set(record, at);
      at += record.length;
    }
    const digest = hash('sha256', scratch.subarray(0, at), 'buffer');
    digest.copy(scratch, at);
    return digest;
  }

  #reserve(sectors: number): void {
    if (sectors > MAX_FRAME_SECTORS) throw new RangeError('a frame larger than the limit');
    if (sectors <= this.#sectors.capacity) return;
    const capacity = Math.min(MAX_FRAME_SECTORS, Math.max(sectors, 2 * this.#sectors.capacity));
    this.#sectors = new SectorBuffer(capacity);
    this.#scratch = scratchFor(capacity);
  }
}

export interface DecodedFrame {
  readonly kind: number;
  readonly records: Buffer[];
  readonly chain: Buffer;
}

/** Reads frames back out of sectors whose checksums were found good. Owns its scratch memory. */
export class FrameDecoder {
  #scratch = scratchFor(FIRST_CAPACITY_SECTORS);

  /** How many sectors the frame takes that starts in this sector, or undefined if no frame can say that. */
  static sectorsOf(buffer: SectorBuffer, index: number): number | undefined {
    const head = index * SECTOR_BYTES + (SECTOR_BYTES - SECTOR_DATA_BYTES);
    const bodyBytes = buffer.bytes.readUInt32BE(head + 1);
    const records = buffer.bytes.readUInt32BE(head + 5);
    if (bodyBytes > STORE_LIMITS.frameBytes || records > STORE_LIMITS.recordsPerFrame) return undefined;
    return sectorsFor(bodyBytes + FRAME_OVERHEAD_BYTES);
  }

  /** The frame in these sectors, or the reason why it isn't one. Records are copies. */
  decode(buffer: SectorBuffer, index: number, sectors: number, chain: Buffer): DecodedFrame | string {
    if (this.#scratch.length < PREFIX_BYTES + sectors * SECTOR_DATA_BYTES) this.#scratch = scratchFor(sectors);
    const scratch = this.#scratch;
    chain.copy(scratch, TAG.length);
    for (let i = 0; i < sectors; i++) buffer.copyData(index + i, scratch, PREFIX_BYTES + i * SECTOR_DATA_BYTES);
    const bodyBytes = scratch.readUInt32BE(PREFIX_BYTES + 1);
    const end = PREFIX_BYTES + FRAME_HEAD_BYTES + bodyBytes;
    const digest = hash('sha256', scratch.subarray(0, end), 'buffer');
    if (digest.compare(scratch, end, end + DIGEST_BYTES) !== 0) {
      return 'a record does not continue the chain of the records before it';
    }
    const padding = scratch.subarray(end + DIGEST_BYTES, PREFIX_BYTES + sectors * SECTOR_DATA_BYTES);
    if (padding.some((byte) => byte !== 0)) return 'bytes stand behind the end of a frame';
    const records = splitBody(scratch, PREFIX_BYTES + FRAME_HEAD_BYTES, end, scratch.readUInt32BE(PREFIX_BYTES + 5));
    if (records === undefined) return 'the records of a frame do not fill it';
    return { kind: scratch.readUInt8(PREFIX_BYTES), records, chain: digest };
  }
}

function splitBody(bytes: Buffer, start: number, end: number, count: number): Buffer[] | undefined {
  const records: Buffer[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + RECORD_HEAD_BYTES > end) return undefined;
    const from = at + RECORD_HEAD_BYTES;
    at = from + bytes.readUInt32BE(at);
    if (at > end) return undefined;
    records.push(Buffer.from(bytes.subarray(from, at)));
  }
  return at === end ? records : undefined;
}

function scratchFor(sectors: number): Buffer {
  const scratch = Buffer.alloc(PREFIX_BYTES + sectors * SECTOR_DATA_BYTES);
  TAG.copy(scratch);
  return scratch;
}
