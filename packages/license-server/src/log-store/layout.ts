/**
 * The sizes of the format (docs/formats/log-store.md). A segment is a row of sectors; a frame is what one append
 * writes, from the start of a sector on; a frame's bytes fill the data parts of its sectors.
 */
export const SECTOR_BYTES = 512;
/** u32 checksum, u8 mark. */
export const SECTOR_HEAD_BYTES = 5;
export const SECTOR_DATA_BYTES = SECTOR_BYTES - SECTOR_HEAD_BYTES;
export const DIGEST_BYTES = 32;
/** u8 kind, u32 length of the body, u32 number of records. */
export const FRAME_HEAD_BYTES = 9;
export const FRAME_OVERHEAD_BYTES = FRAME_HEAD_BYTES + DIGEST_BYTES;
/** Before each record: u32 length. */
export const RECORD_HEAD_BYTES = 4;

export const FRAME_KIND = { header: 1, records: 2, seal: 3 } as const;
export type FrameKind = (typeof FRAME_KIND)[keyof typeof FRAME_KIND];

/** How many sectors hold a frame of that many bytes (head and digest included). */
export function sectorsFor(frameBytes: number): number {
  return Math.ceil(frameBytes / SECTOR_DATA_BYTES);
}
