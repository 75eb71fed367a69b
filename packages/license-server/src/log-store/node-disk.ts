import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { platform } from '@trefoil/host';
import { type Content, type Disk, type DiskFile, StoreError, type StoreErrorCode } from './disk.ts';

const UNFINISHED = '.tmp';
/** Only the server's own user may read what it keeps. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const PIECE_BYTES = 1024 * 1024;

/** A directory of the real file system. Names are plain file names within it. */
export class NodeDisk implements Disk {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes the directory (0700) if it doesn't exist. @throws StoreError */
  static async at(directory: string): Promise<NodeDisk> {
    await naming(directory, 'create the directory', () => mkdir(directory, { recursive: true, mode: DIRECTORY_MODE }));
    return new NodeDisk(directory);
  }

  async list(): Promise<string[]> {
    const names = await naming(this.#directory, 'list', () => readdir(this.#directory));
    return names.filter((name) => !name.endsWith(UNFINISHED));
  }

  async open(name: string): Promise<DiskFile> {
    const path = this.#path(name);
    const handle = await naming(path, 'open', () => open(path, constants.O_RDWR | constants.O_NOFOLLOW));
    try {
      await this.#syncDirectory();
    } catch (error) {
      await handle.close();
      throw error;
    }
    return new NodeFile(path, handle);
  }

  async remove(name: string): Promise<void> {
    const path = this.#path(name);
    await naming(path, 'remove', () => unlink(path).catch(unlessMissing));
    await this.#syncDirectory();
  }

  async writeWhole(name: string, content: Content): Promise<void> {
    const path = this.#path(name);
    const temporary = path + UNFINISHED;
    await naming(path, 'write', async () => {
      const handle = await open(temporary, 'w', FILE_MODE);
      try {
        let at = 0;
        for (const piece of pieces(content)) {
          await writeAll(handle, piece, at);
          at += piece.length;
        }
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
    });
    await this.#syncDirectory();
  }

  async readWhole(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const path = this.#path(name);
    return naming(path, 'read', async () => {
      const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(unlessMissing);
      if (handle === undefined) return undefined;
      try {
        const { size } = await handle.stat();
        if (size > maxBytes) throw new StoreError('too-large', path, `${path} is larger than ${maxBytes} bytes.`);
        return await readAll(handle, 0, size);
      } finally {
        await handle.close();
      }
    });
  }

  #path(name: string): string {
    if (!/^[a-z0-9][a-z0-9._-]*$/i.test(name)) throw new RangeError(`not a plain file name: ${JSON.stringify(name)}`);
    return join(this.#directory, name);
  }

  async #syncDirectory(): Promise<void> {
    await naming(this.#directory, 'sync', () => platform.syncDirectory(this.#directory));
  }
}

class NodeFile implements DiskFile {
  readonly #path: string;
  readonly #handle: FileHandle;

  constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  size(): Promise<number> {
    return naming(this.#path, 'measure', async () => (await this.#handle.stat()).size);
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return naming(this.#path, 'read', () => readAll(this.#handle, offset, length));
  }

  write(offset: number, bytes: Uint8Array): Promise<void> {
    return naming(this.#path, 'write', () => writeAll(this.#handle, bytes, offset));
  }

  sync(): Promise<void> {
    return naming(this.#path, 'sync', () => this.#handle.datasync());
  }

  isInPlace(): Promise<boolean> {
    return naming(this.#path, 'measure', async () => (await this.#handle.stat()).nlink > 0);
  }

  async close(): Promise<void> {
    if (this.#handle.fd === -1) return;
    await naming(this.#path, 'close', () => this.#handle.close());
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
  }
}

/** Small parts together, as much as can be copied in a moment. */
function* pieces(content: Content): Generator<Uint8Array> {
  if (content instanceof Uint8Array) return yield content;
  let some: Uint8Array[] = [];
  let bytes = 0;
  for (const part of content) {
    some.push(part);
    bytes += part.length;
    if (bytes < PIECE_BYTES) continue;
    yield some.length === 1 ? part : Buffer.concat(some);
    some = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(some);
}

async function readAll(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

const CAUSES: Record<string, readonly [StoreErrorCode, string]> = {
  ENOSPC: ['no-space', 'the disk is full'],
  EDQUOT: ['no-space', "the user's disk quota is used up"],
  EFBIG: ['no-space', 'the file would exceed the size limit'],
  EIO: ['io', 'the disk reports an input/output error'],
  EROFS: ['not-permitted', 'the file system is read-only'],
  EACCES: ['not-permitted', 'permission denied'],
  EPERM: ['not-permitted', 'permission denied'],
  ELOOP: ['not-permitted', 'it is a symbolic link'],
  ENOENT: ['missing', 'it does not exist'],
  ENOTDIR: ['missing', 'a part of its path is not a directory'],
};

/** Runs `act`; what it throws becomes one sentence that names the file. */
async function naming<T>(path: string, verb: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const errno = errorCode(error);
    const [code, why] = CAUSES[errno] ?? ['io', `the system says ${errno}`];
    throw new StoreError(code, path, `Cannot ${verb} ${path}: ${why}.`, { cause: error });
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

function unlessMissing(error: unknown): undefined {
  if (errorCode(error) !== 'ENOENT') throw error;
}
