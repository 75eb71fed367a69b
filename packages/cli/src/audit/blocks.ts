import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { platform } from '@trefoil/host';

/**
 * The outer form of a bundle (FORMATS §9.2): blocks, each packed for itself and chained to the one before. So a reader needs little memory
 * whatever the file says of itself, and a flipped bit, a block left out or a missing end is noticed before anything is made of it.
 */
export interface Block {
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** Of one block, unpacked: more than a record of the log. */
export const MAX_BLOCK_BYTES = 4 * 1024 * 1024;
const END = 0;
const MAGIC = Buffer.from('trefoil audit 1\n', 'latin1');
const HEAD_BYTES = 9;
const DIGEST_BYTES = 32;
/** What packing may add to bytes that can't be packed. */
const PACKING_BYTES = 64 * 1024;
const [pack, unpack] = [promisify(zstdCompress), promisify(zstdDecompress)];

/** The file is not a whole bundle; the message says what is wrong with it. */
export class BlockFault extends Error {
  override readonly name = 'BlockFault';
}

/** Writes a file that is there whole, or not at all. */
export class BlockWriter {
  readonly #file: string;
  /** Its own: somebody else may be writing the same file, and what two write into one is no bundle. */
  readonly #temporary: string;
  readonly #handle: FileHandle;
  #chain: Buffer;

  private constructor(file: string, temporary: string, handle: FileHandle) {
    this.#file = file;
    this.#temporary = temporary;
    this.#handle = handle;
    this.#chain = digest(MAGIC);
  }

  /** 0600: it may name people. */
  static async create(file: string): Promise<BlockWriter> {
    const temporary = join(dirname(file), `.${basename(file)}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
    const writer = new BlockWriter(file, temporary, await open(temporary, 'wx', 0o600));
    try {
      await writer.#handle.write(MAGIC);
      return writer;
    } catch (error) {
      await writer.abandon();
      throw error;
    }
  }

  async write({ kind, bytes }: Block): Promise<void> {
    if (bytes.length > MAX_BLOCK_BYTES) throw new RangeError(`a block of ${bytes.length} bytes`);
    const packed = await pack(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 6 } });
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt8(kind, 0);
    head.writeUInt32BE(bytes.length, 1);
    head.writeUInt32BE(packed.length, 5);
    this.#chain = digest(this.#chain, head, packed);
    for (const part of [head, packed, this.#chain]) await this.#handle.write(part);
  }

  async finish(): Promise<void> {
    await this.write({ kind: END, bytes: new Uint8Array(0) });
    await this.#handle.sync();
    await this.#handle.close();
    await rename(this.#temporary, this.#file);
    await platform.syncDirectory(dirname(this.#file));
  }

  async abandon(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    await unlink(this.#temporary).catch(() => undefined);
  }
}

/** Without the end, which has to be there. @throws BlockFault */
export async function* readBlocks(file: string): AsyncGenerator<Block> {
  const handle = await open(file, 'r');
  try {
    let at = 0;
    const take = async (length: number): Promise<Buffer> => {
      const bytes = Buffer.alloc(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await handle.read(bytes, done, length - done, at + done);
        if (bytesRead === 0) throw new BlockFault(`the file ends at byte ${at + done}, and is not complete`);
        done += bytesRead;
      }
      at += length;
      return bytes;
    };
    if (!(await take(MAGIC.length)).equals(MAGIC)) throw new BlockFault('it does not begin like a bundle');
    let chain = digest(MAGIC);
    for (;;) {
      const place = at;
      const block = await readBlock(take, place, chain);
      chain = block.chain;
      if (block.kind !== END) {
        yield { kind: block.kind, bytes: block.bytes };
        continue;
      }
      if ((await handle.stat()).size !== at) throw new BlockFault(`something stands behind its end, at byte ${at}`);
      return;
    }
  } finally {
    await handle.close();
  }
}

async function readBlock(
  take: (length: number) => Promise<Buffer>,
  place: number,
  before: Buffer,
): Promise<Block & { chain: Buffer }> {
  const head = await take(HEAD_BYTES);
  const [kind, bytes, packedBytes] = [head.readUInt8(0), head.readUInt32BE(1), head.readUInt32BE(5)];
  if (bytes > MAX_BLOCK_BYTES || packedBytes > bytes + PACKING_BYTES)
    throw new BlockFault(`the block at byte ${place} is damaged: it says that it has ${bytes} bytes`);
  const packed = await take(packedBytes);
  const chain = await take(DIGEST_BYTES);
  if (!digest(before, head, packed).equals(chain))
    throw new BlockFault(`the block at byte ${place} is not what was written: the file is damaged or was altered`);
  const unpacked = await unpack(packed, { maxOutputLength: Math.max(1, bytes) }).catch(() => undefined);
  if (unpacked?.length !== bytes) throw new BlockFault(`the block at byte ${place} has another length than it says`);
  return { kind, bytes: unpacked, chain };
}

function digest(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}
