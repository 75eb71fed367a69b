import { execFile } from 'node:child_process';
import { mkdir, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Room for the log of an hour: it begins anew with each snapshot. */
const SIZE_KIB = 512 * 1_024;
/** What is left when it is full: less than a log grows at a time. */
const LEFT_KIB = 64;

/** A file system of its own for one server's data, in memory. Needs root. */
export class SmallDisk implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async mount(directory: string): Promise<SmallDisk> {
    await mkdir(directory, { mode: 0o700 });
    await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_KIB}k,mode=0700,nosuid,nodev`, 'tmpfs', directory]);
    return new SmallDisk(directory);
  }

  async fill(): Promise<void> {
    const { blocks, bfree, bsize } = await statfs(this.#directory);
    await this.#resize(((blocks - bfree) * bsize) / 1_024 + LEFT_KIB);
  }

  free(): Promise<void> {
    return this.#resize(SIZE_KIB);
  }

  async #resize(kib: number): Promise<void> {
    await run('mount', ['-o', `remount,size=${Math.ceil(kib)}k`, this.#directory]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', ['--lazy', this.#directory]);
  }
}
