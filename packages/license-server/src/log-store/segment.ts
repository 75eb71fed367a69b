import { Damage } from './damage.ts';
import type { DecodedFrame } from './frame.ts';
import { DIGEST_BYTES, FRAME_KIND, SECTOR_BYTES } from './layout.ts';
import { STORE_LIMITS } from './limits.ts';

export const STORE_ID_BYTES = 16;
const MAGIC = 'trefoil-log\n';
const FORMAT_VERSION = 1;
const HEADER_BYTES = MAGIC.length + 2 + 4 + 4 + STORE_ID_BYTES + DIGEST_BYTES;
const SEAL_BYTES = 4 + DIGEST_BYTES;

/** The first frame of each segment. */
export interface SegmentHeader {
  readonly segment: number;
  readonly chunkBytes: number;
  readonly storeId: Uint8Array;
  /** Chain at the end of the previous segment's records, before its seal; zeros for the first segment of a store. */
  readonly previousChain: Buffer;
}

/** The last frame of a segment that has a successor: so a missing newest segment is noticed. */
export interface Seal {
  readonly nextSegment: number;
  /** The chain behind the next segment's header frame. */
  readonly nextChain: Buffer;
}

export function segmentName(segment: number): string {
  return `log-${segment.toString().padStart(10, '0')}.seg`;
}

/** The number in the name of a segment file, or undefined for any other file. */
export function segmentNumber(name: string): number | undefined {
  const digits = /^log-(\d{10})\.seg$/.exec(name)?.[1];
  if (digits === undefined) return undefined;
  const segment = Number(digits);
  return segment >= 1 && segment <= STORE_LIMITS.segmentNumber ? segment : undefined;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  let at = bytes.write(MAGIC, 'latin1');
  at = bytes.writeUInt16BE(FORMAT_VERSION, at);
  at = bytes.writeUInt32BE(header.segment, at);
  at = bytes.writeUInt32BE(header.chunkBytes, at);
  bytes.set(header.storeId, at);
  header.previousChain.copy(bytes, at + STORE_ID_BYTES);
  return bytes;
}

/** @throws Damage if the frame isn't the header of a segment in this format. */
export function decodeHeader(name: string, frame: DecodedFrame): SegmentHeader {
  const bytes = frame.records[0];
  if (frame.kind !== FRAME_KIND.header || frame.records.length !== 1 || bytes?.length !== HEADER_BYTES) {
    throw new Damage(name, 0, 'the file does not begin with the header of a log segment');
  }
  let at = MAGIC.length;
  const version = bytes.readUInt16BE(at);
  if (bytes.toString('latin1', 0, at) !== MAGIC || version !== FORMAT_VERSION) {
    throw new Damage(name, 0, `the log has format ${version}; this program reads format ${FORMAT_VERSION}`);
  }
  at += 2;
  const chunkBytes = bytes.readUInt32BE(at + 4);
  if (!isChunk(chunkBytes)) throw new Damage(name, 0, 'the header of the segment makes no sense');
  const storeId = bytes.subarray(at + 8, at + 8 + STORE_ID_BYTES);
  const previousChain = bytes.subarray(at + 8 + STORE_ID_BYTES);
  return { segment: bytes.readUInt32BE(at), chunkBytes, storeId, previousChain };
}

/** A segment grows by whole chunks of whole sectors. */
export function isChunk(bytes: number): boolean {
  return bytes > 0 && bytes % SECTOR_BYTES === 0;
}

export function encodeSeal(seal: Seal): Buffer {
  const bytes = Buffer.alloc(SEAL_BYTES);
  seal.nextChain.copy(bytes, bytes.writeUInt32BE(seal.nextSegment));
  return bytes;
}

/** @throws Damage */
export function decodeSeal(name: string, frame: DecodedFrame, sector: number): Seal {
  const bytes = frame.records[0];
  if (frame.records.length !== 1 || bytes?.length !== SEAL_BYTES) {
    throw new Damage(name, sector * SECTOR_BYTES, 'the closing mark of the segment makes no sense');
  }
  return { nextSegment: bytes.readUInt32BE(0), nextChain: bytes.subarray(4) };
}
