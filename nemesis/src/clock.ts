import { globSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';

/** Debian's package faketime; undefined = it isn't installed, and no clock can be set. */
export const fakeTime = globSync('/usr/lib/{*/,}faketime/libfaketimeMT.so.1')[0];

/** The wall clock of one process, which can be set while it runs. Its monotonic clock is left alone. */
export class WallClock {
  readonly #file: string;
  #sets = 0;

  private constructor(file: string) {
    this.#file = file;
  }

  static async at(file: string): Promise<WallClock> {
    const clock = new WallClock(file);
    await clock.set(0);
    return clock;
  }

  get environment(): Record<string, string> {
    if (fakeTime === undefined) return {};
    return {
      LD_PRELOAD: fakeTime,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  async set(offsetSeconds: number): Promise<void> {
    // Never read half-written; two that set it at once have a file each.
    const file = `${this.#file}.${this.#sets++}`;
    await writeFile(file, `${offsetSeconds < 0 ? '' : '+'}${offsetSeconds}\n`);
    await rename(file, this.#file);
  }
}

/** What libfaketime leaves of a process that was killed. */
export async function sweepUpAfter(pid: number): Promise<void> {
  for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]) await rm(`/dev/shm/${name}`, { force: true });
}
