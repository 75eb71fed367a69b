import { FRAME_OVERHEAD_BYTES, sectorsFor } from './layout.ts';

/** Every maximum of the log. */
export const STORE_LIMITS = {
  /** An entry is at most 768 KiB (PROTOCOL §2.1), entries taken over come in records of at most 1 MiB: room for the largest of them. */
  recordBytes: 1024 * 1024 + 64 * 1024,
  /** One write and one sync: bounds memory, and how far a torn end can reach. */
  frameBytes: 4 * 1024 * 1024,
  recordsPerFrame: 65_536,
  /**
   * How much a segment grows at a time. Growing 1 MiB takes 3–4 ms on the disks we measured, once in ten large
   * appends; 4 MiB at once would be a pause that clients see.
   */
  chunkBytes: 1024 * 1024,
  segmentNumber: 0xffff_ffff,
} as const;

/** No sector of an unfinished append lies farther than this behind the end of the log. */
export const MAX_FRAME_SECTORS = sectorsFor(STORE_LIMITS.frameBytes + FRAME_OVERHEAD_BYTES);
