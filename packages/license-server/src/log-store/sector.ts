import { crc32 } from 'node:zlib';
import { SECTOR_BYTES, SECTOR_DATA_BYTES, SECTOR_HEAD_BYTES } from './layout.ts';

/** First sector of a frame; its other sectors. */
export const MARK = { first: 1, next: 2 } as const;

/** 32 bytes, readable in a hex dump. Byte 4 is no mark, so that no record can ever be written that looks unwritten. */
const PATTERN_TEXT = 'trefoil: unwritten log sector..\n';
const PATTERN = patternBytes(SECTOR_BYTES);
const ZEROS = Buffer.alloc(SECTOR_BYTES);

export type SectorState = 'first' | 'next' | 'pattern' | 'zero' | 'damaged';

/** What an unwritten part of a segment is filled with. `length` in bytes, a multiple of 32. */
export function patternBytes(length: number): Buffer {
  return Buffer.alloc(length, PATTERN_TEXT, 'latin1');
}

/**
 * Where a sector belongs: behind which hash of the chain, at which place in the segment. It is the start value of the
 * sector's checksum, so that a sound sector at a wrong place, or left over from another append, never passes.
 */
export function sectorSeed(chain: Buffer, sector: number): number {
  return (chain.readUInt32BE(0) + sector) >>> 0;
}

/** A run of sectors in memory; makes no garbage per sector. */
export class SectorBuffer {
  readonly bytes: Buffer;
  readonly capacity: number;
  /** Views of what each checksum covers, made once: a new view per sector would cost more than the checksum. */
  readonly #covered: Buffer[] = [];

  constructor(capacity: number) {
    this.capacity = capacity;
    this.bytes = Buffer.alloc(capacity * SECTOR_BYTES);
  }

  /** Copies `length` bytes of frame data into the sector, zero-padded, and closes it with its checksum. */
  fill(index: number, mark: number, frame: Buffer, offset: number, length: number, seed: number): void {
    const start = index * SECTOR_BYTES;
    const data = start + SECTOR_HEAD_BYTES;
    this.bytes[start + 4] = mark;
    frame.copy(this.bytes, data, offset, offset + length);
    if (length < SECTOR_DATA_BYTES) this.bytes.fill(0, data + length, start + SECTOR_BYTES);
    this.bytes.writeUInt32BE(crc32(this.#view(index), seed), start);
  }

  state(index: number, seed: number): SectorState {
    const start = index * SECTOR_BYTES;
    if (this.#equals(start, PATTERN)) return 'pattern';
    if (this.#equals(start, ZEROS)) return 'zero';
    if (this.bytes.readUInt32BE(start) !== crc32(this.#view(index), seed)) return 'damaged';
    const mark = this.bytes[start + 4];
    return mark === MARK.first ? 'first' : mark === MARK.next ? 'next' : 'damaged';
  }

  /** Copies the data part of a sector out. */
  copyData(index: number, target: Buffer, offset: number): void {
    const data = index * SECTOR_BYTES + SECTOR_HEAD_BYTES;
    this.bytes.copy(target, offset, data, data + SECTOR_DATA_BYTES);
  }

  #equals(start: number, other: Buffer): boolean {
    return this.bytes.compare(other, 0, SECTOR_BYTES, start, start + SECTOR_BYTES) === 0;
  }

  #view(index: number): Buffer {
    const known = this.#covered[index];
    if (known !== undefined) return known;
    const view = this.bytes.subarray(index * SECTOR_BYTES + 4, (index + 1) * SECTOR_BYTES);
    this.#covered[index] = view;
    return view;
  }
}
