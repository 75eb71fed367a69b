import type { DiskFile } from './disk.ts';
import { FrameReader, isFrame } from './frame-reader.ts';
import { FRAME_KIND, SECTOR_BYTES } from './layout.ts';
import { decodeHeader, type SegmentHeader } from './segment.ts';

/**
 * The records of one segment, for who only reads: also of one that is being written, up to the last whole append. Checksums and chain
 * are checked as far as it goes; what stands behind the end is not looked at. @throws Damage
 */
export async function* readSegment(
  file: Pick<DiskFile, 'read' | 'size'>,
  name: string,
): AsyncGenerator<{ readonly header: SegmentHeader; readonly records: readonly Uint8Array[] }> {
  const reader = new FrameReader(file, name, Math.floor((await file.size()) / SECTOR_BYTES));
  const first = await reader.next();
  if (!isFrame(first)) throw reader.damage(0, 'the segment has no header');
  const header = decodeHeader(name, first);
  for (let step = await reader.next(); isFrame(step); step = await reader.next())
    if (step.kind === FRAME_KIND.records) yield { header, records: step.records };
}
