import { existsSync } from 'node:fs';
import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { failed, type Finding, ok, problem, warning } from './finding.ts';

const MIB = 1_048_576;
const LITTLE_MIB = 2_048;
const TOO_LITTLE_MIB = 256;
/** Every entry of the log waits for the disks of two license servers. */
const SLOW_MS = 20;
const WRITES = 100;
const WRITE_BYTES = 4_096;
/** A disk that is so slow has shown it by then. */
const MEASURE_MS = 2_000;

/** By the number that statfs(2) gives. */
const UNFIT: Readonly<Record<number, string>> = {
  0x0102_1994: 'tmpfs',
  0x8584_58f6: 'ramfs',
  0x6969: 'NFS',
  0xff53_4d42: 'CIFS',
  0xfe53_4d42: 'SMB',
};

export async function diskFindings(name: string, dataDirectory: string): Promise<Finding[]> {
  const directory = nearest(dataDirectory);
  const system = await statfs(directory);
  const kind = systemFinding(`file system of ${name}`, directory, system.type);
  const room = roomFinding(`room of ${name}`, directory, system.bavail * system.bsize);
  return [kind, room, await speedOf(`disk of ${name}`, directory)];
}

/** Room alone: for those who are about to install something. */
export async function roomOf(name: string, dataDirectory: string): Promise<Finding> {
  const directory = nearest(dataDirectory);
  const { bavail, bsize } = await statfs(directory);
  return roomFinding(`room of ${name}`, directory, bavail * bsize);
}

/** The server makes its folder at its first start. */
function nearest(directory: string): string {
  return existsSync(directory) || dirname(directory) === directory ? directory : nearest(dirname(directory));
}

export function systemFinding(what: string, directory: string, type: number): Finding {
  const unfit = UNFIT[type];
  if (unfit === undefined) return ok(what, `${directory} is on a disk of this host`);
  const why = unfit === 'tmpfs' || unfit === 'ramfs' ? 'is memory, gone with the power' : 'is not a disk of this host';
  return problem(
    what,
    `${directory} is on ${unfit}`,
    `${unfit} ${why}: a server that forgets what it has signed has to be set up anew. Put dataDirectory on a local disk.`,
  );
}

export function roomFinding(what: string, directory: string, bytes: number): Finding {
  const free = bytes >= 1_024 * MIB ? `${(bytes / (1_024 * MIB)).toFixed(1)} GiB` : `${Math.floor(bytes / MIB)} MiB`;
  const found = `${free} free at ${directory}`;
  if (bytes >= LITTLE_MIB * MIB) return ok(what, found);
  const advice =
    `A license server with a full disk stops voting: make room ("du -xh --max-depth=2 ${directory}"; archives ` +
    'of the log may be moved elsewhere), or enlarge the disk.';
  return bytes < TOO_LITTLE_MIB * MIB ? problem(what, found, advice) : warning(what, found, advice);
}

async function speedOf(what: string, directory: string): Promise<Finding> {
  try {
    return speedFinding(what, await measure(directory));
  } catch (error) {
    return failed(
      what,
      error,
      `Nothing can be written to ${directory}, so the server can't either: look at the mount ("findmnt -T ${directory}").`,
    );
  }
}

/** As the log does: append, and wait until it is on the disk. What it makes is gone afterwards. */
async function measure(directory: string): Promise<number[]> {
  const own = await mkdtemp(join(directory, '.trefoil-doctor-'));
  try {
    await using file = await open(join(own, 'appended'), 'a');
    const bytes = new Uint8Array(WRITE_BYTES).fill(1);
    const tookMs: number[] = [];
    const until = performance.now() + MEASURE_MS;
    while (tookMs.length < WRITES && performance.now() < until) {
      const began = performance.now();
      await file.write(bytes);
      await file.datasync();
      tookMs.push(performance.now() - began);
    }
    return tookMs;
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

export function speedFinding(what: string, tookMs: readonly number[]): Finding {
  const sorted = [...tookMs].sort((a, b) => a - b);
  const p99 = sorted[Math.max(0, Math.ceil(sorted.length * 0.99) - 1)] ?? Infinity;
  const found = `99 of 100 writes reach it within ${p99.toFixed(1)} ms`;
  if (p99 <= SLOW_MS) return ok(what, found);
  return warning(
    what,
    found,
    `Every seat waits for the disks of two license servers, and above ${SLOW_MS} ms users notice: put dataDirectory ` +
      'on a faster disk (SSD), or take other load off this one.',
  );
}
