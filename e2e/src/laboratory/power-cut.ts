import { execFile } from 'node:child_process';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LabHost } from './lab-host.ts';

const run = promisify(execFile);
const JOURNAL = '/root/unsynced';
const SECTOR = 512;
/** A slow disk, so that the cut finds it at work; the two others are quick. */
const SLOW_MS = 30;
const AT_WORK_MS = 5_000;

interface Written {
  readonly offset: number;
  readonly length: number;
  /** What was there before: where it is kept, and how much there was. */
  readonly place: number;
  readonly kept: number;
  /** Its place in the journal. */
  readonly at: number;
}

/**
 * A power cut as disks know it. A killed process leaves all that it has written in the kernel's memory; here what no sync has made durable
 * is taken back, sector by sector, as chance has it. What it does not know is renames that no sync of their folder has made durable:
 * that is in the simulator's disk.
 */
export class PowerCut {
  readonly #library: string;

  private constructor(library: string) {
    this.#library = library;
  }

  /** Compiles what is loaded into servers; `directory`: to be seen by all hosts. */
  static async prepare(directory: string): Promise<PowerCut> {
    const library = join(directory, 'unsynced.so');
    const source = join(import.meta.dirname, 'unsynced.c');
    await run('gcc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl']);
    return new PowerCut(library);
  }

  /** For a server's next start. `lies`: files with this in their path are not durable although their disk says so. */
  environment(lies?: string): Record<string, string> {
    const lying: Record<string, string> = lies === undefined ? {} : { UNSYNCED_LIES: lies };
    return { LD_PRELOAD: this.#library, UNSYNCED_JOURNAL: JOURNAL, UNSYNCED_SLOW_MS: String(SLOW_MS), ...lying };
  }

  /** Resolves when something is written that no sync has made durable yet. */
  async atWork(host: LabHost): Promise<void> {
    for (const until = performance.now() + AT_WORK_MS; performance.now() < until; ) {
      const files = unsynced(await readFile(host.file(JOURNAL), 'utf8'));
      if ([...files.values()].some((writes) => writes.length > 0)) return;
    }
    throw new Error(`${host.name} has written nothing within ${AT_WORK_MS} ms`);
  }

  /** The host's power goes. Returns how many sectors were lost. `random`: from 0 to below 1. */
  async cut(host: LabHost, random: () => number): Promise<number> {
    const journal = host.file(JOURNAL);
    await host.powerOff();
    const lost = unsynced(await readFile(journal, 'utf8'));
    const before = await readFile(`${journal}.before`);
    await Promise.all([rm(journal), rm(`${journal}.before`)]);
    let sectors = 0;
    for (const [path, writes] of lost) sectors += await takeBack(host.file(path), { writes, before, random });
    return sectors;
  }
}

/** By file. What was written while a sync ran may have missed it. */
function unsynced(journal: string): ReadonlyMap<string, readonly Written[]> {
  const files = new Map<string, Written[]>();
  const begun = new Map<string, number>();
  for (const [at, line] of journal.split('\n').entries()) {
    const [event, path = '', first, ...rest] = line.split('\t');
    const writes = files.get(path) ?? [];
    if (event === 'W') {
      const [length, place, kept] = rest.map(Number) as [number, number, number];
      writes.push({ offset: Number(first), length, place, kept, at });
      files.set(path, writes);
    }
    if (event === 'B') begun.set(`${path}\t${first}`, at);
    if (event === 'S') {
      const since = begun.get(`${path}\t${first}`) ?? 0;
      files.set(
        path,
        writes.filter((one) => one.at > since),
      );
    }
  }
  return files;
}

async function takeBack(
  file: string,
  { writes, before, random }: { writes: readonly Written[]; before: Uint8Array; random: () => number },
): Promise<number> {
  if (writes.length === 0) return 0;
  const handle = await open(file, 'r+').catch(() => undefined); // it was removed, or has another name by now
  if (handle === undefined) return 0;
  let sectors = 0;
  // The newest first: what was there before it may be of an older one.
  for (const { offset, length, place, kept } of writes.toReversed()) {
    const old = new Uint8Array(length);
    old.set(before.subarray(place, place + kept));
    for (let at = offset; at < offset + length; at += SECTOR - (at % SECTOR)) {
      if (random() < 0.5) continue;
      const end = Math.min(offset + length, at + SECTOR - (at % SECTOR));
      await handle.write(old, at - offset, end - at, at);
      sectors++;
    }
  }
  await handle.close();
  return sectors;
}
