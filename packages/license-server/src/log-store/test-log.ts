import assert from 'node:assert/strict';
import type { Disk } from './disk.ts';
import { MemoryDisk, type Random } from './memory-disk.ts';
import { openLogStore, type Opened, type OpenOptions } from './open.ts';
import type { LogStore } from './store.ts';

/** Helpers for the tests of this folder: small chunks, so that a few records fill several. */
export const STORE_ID = Buffer.alloc(16, 0x51);
export const CHUNK_BYTES = 2048;

/** xorshift32: the tests' only randomness, so that a seed says everything. */
export function seededRandom(seed: number): Random {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

export async function open(
  disk: Disk,
  options: Partial<OpenOptions> = {},
): Promise<{ opened: Opened; texts: string[] }> {
  const texts: string[] = [];
  const opened = await openLogStore(disk, {
    storeId: STORE_ID,
    ifMissing: 'create',
    chunkBytes: CHUNK_BYTES,
    onRecord: ({ payload }) => texts.push(labelOf(payload)),
    ...options,
  });
  return { opened, texts };
}

export async function openStore(disk: Disk): Promise<{ store: LogStore; texts: string[]; torn: boolean }> {
  const { opened, texts } = await open(disk);
  assert.equal(opened.kind, 'open', JSON.stringify(opened));
  assert.ok(opened.kind === 'open');
  return { store: opened.store, texts, torn: opened.torn };
}

/** A record of that many bytes (at least 8) that carries a label and depends on it in every byte. */
export function record(label: string, bytes: number): Buffer {
  const payload = Buffer.alloc(Math.max(bytes, label.length + 1));
  payload.write(`${label};`, 'latin1');
  for (let i = label.length + 1; i < payload.length; i++) payload[i] = (i * 31 + label.length * 7) & 0xff;
  return payload;
}

export function labelOf(payload: Uint8Array): string {
  const text = Buffer.from(payload).toString('latin1');
  return text.slice(0, text.indexOf(';'));
}

/** Three segments: 1 holds a, b+c; 2 holds d … g over several chunks; 3 holds h (long), i (short). */
export async function writtenLog(): Promise<MemoryDisk> {
  const disk = new MemoryDisk(seededRandom(7));
  const { store } = await openStore(disk);
  await store.append([record('a', 20)]);
  await store.append([record('b', 700), record('c', 10)]);
  await store.startSegment();
  for (const label of ['d', 'e', 'f', 'g']) await store.append([record(label, 1200)]);
  await store.startSegment();
  await store.append([record('h', 2600)]);
  await store.append([record('i', 30)]);
  await store.close();
  return disk;
}
