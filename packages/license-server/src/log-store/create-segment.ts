import type { Disk } from './disk.ts';
import { FrameEncoder, START_OF_CHAIN } from './frame.ts';
import { FRAME_KIND } from './layout.ts';
import { STORE_LIMITS } from './limits.ts';
import { patternBytes } from './sector.ts';
import { encodeHeader, isChunk, segmentName } from './segment.ts';

/** Makes the first chunk of a segment, header included, appear whole or not at all. Returns the chain behind it. */
export async function createSegment(
  disk: Disk,
  segment: number,
  options: { readonly storeId: Uint8Array; readonly chunkBytes?: number },
  previousChain: Buffer,
): Promise<{ chain: Buffer; sectors: number }> {
  const chunkBytes = options.chunkBytes ?? STORE_LIMITS.chunkBytes;
  if (!isChunk(chunkBytes)) throw new RangeError('chunkBytes must be a multiple of 512');
  const header = encodeHeader({ segment, chunkBytes, storeId: options.storeId, previousChain });
  const frame = new FrameEncoder().encode(FRAME_KIND.header, [header], START_OF_CHAIN, 0);
  const bytes = patternBytes(chunkBytes);
  bytes.set(frame.bytes);
  await disk.writeWhole(segmentName(segment), bytes);
  return { chain: frame.chain, sectors: frame.sectors };
}
