import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { HostError, reasonOf, systemCodeOf } from './errors.ts';
import { tryFlock } from './flock.ts';

/** Held until released or until the process ends, however it ends. */
export interface FileLock extends Disposable {
  readonly file: string;
  release(): void;
}

/** Who holds a lock, precisely enough that a reused pid is not mistaken for the holder. */
interface Holder {
  readonly pid: number;
  /** When the process started, in clock ticks since the machine did. */
  readonly started: string;
  readonly bootId: string;
  /** Pids mean something only within their namespace. */
  readonly pidNamespace: string;
  readonly nonce: string;
  /** It has the kernel's lock on the file, too. */
  readonly flock: boolean;
}

/**
 * Takes an exclusive lock: the file `file` exists while somebody holds it. A lock whose holder was killed is taken over.
 * Throws `HostError` `locked`, naming the holder, if a living process has it.
 *
 * A holder in another pid namespace (another container) cannot be seen from here. If it had the kernel's lock on the file, that says if
 * it lives. Else it counts as living: two servers on one store would be worse than one that has to be told.
 */
export function lockFile(file: string): FileLock {
  const draft = `${file}.${process.pid}-${randomBytes(6).toString('hex')}`;
  let descriptor: number | undefined;
  try {
    descriptor = openSync(draft, 'wx', 0o600);
    // Of this very file, whatever its name becomes: gone with the process, and seen from every container of the machine.
    writeFileSync(descriptor, JSON.stringify(describeMyself(tryFlock(descriptor) === true)));
    claim(file, draft, file);
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor);
    if (error instanceof HostError) throw error;
    const reason = reasonOf(error);
    throw new HostError('file-unwritable', `cannot write ${file}: ${reason}`, { file, reason }, { cause: error });
  } finally {
    unlinkIfThere(draft);
  }
  let held = true;
  const release = () => {
    if (!held) return;
    held = false;
    unlinkIfThere(file);
    closeSync(descriptor);
  };
  return { file, release, [Symbol.dispose]: release };
}

/**
 * Gives `file` the content of `draft`, atomically, if nobody living holds it. A dead holder's lock may be replaced only by
 * whoever holds the marker named after its content. So of several that find the same dead lock one wins, and one that
 * looked long ago finds other content under its marker and starts over. A marker is itself such a lock.
 */
function claim(file: string, draft: string, asked: string): void {
  for (;;) {
    if (linkUnlessThere(draft, file)) return;
    const found = readIfThere(file);
    if (found === undefined) continue;
    refuseIfAlive(asked, found);
    const marker = `${file}.${createHash('sha256').update(found).digest('hex').slice(0, 12)}`;
    claim(marker, draft, asked);
    try {
      if (readIfThere(file) !== found) continue;
      const copy = `${draft}.replacement`;
      linkSync(draft, copy);
      renameSync(copy, file);
      return;
    } finally {
      unlinkIfThere(marker);
    }
  }
}

function refuseIfAlive(file: string, content: string): void {
  const holder = parseHolder(content);
  if (holder === undefined || holder.bootId !== bootId()) return;
  if (holder.pidNamespace !== pidNamespace()) {
    if (holder.flock && isUnlocked(file)) return;
    const message = `${file} is held by a process in another container; if that one is gone for good, remove the file`;
    throw new HostError('locked', message, { file, pid: 0 });
  }
  if (startOf(holder.pid) !== holder.started) return;
  throw new HostError('locked', `${file} is held by process ${holder.pid}`, { file, pid: holder.pid });
}

/** Nobody has the kernel's lock on it; undefined or false: that is not sure. */
function isUnlocked(file: string): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    return tryFlock(descriptor) === true;
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return true;
    throw error;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function describeMyself(flock: boolean): Holder {
  return {
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    bootId: bootId(),
    pidNamespace: pidNamespace(),
    nonce: randomBytes(8).toString('hex'),
    flock,
  };
}

/** Anything that is not a whole description was left by a crash: a lock is linked only when its content is complete. */
function parseHolder(content: string): Holder | undefined {
  try {
    const { pid, started, bootId, pidNamespace, nonce, flock } = JSON.parse(content) as Record<string, unknown>;
    if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
    if (typeof started !== 'string' || typeof bootId !== 'string') return undefined;
    if (typeof pidNamespace !== 'string' || typeof nonce !== 'string') return undefined;
    return { pid, started, bootId, pidNamespace, nonce, flock: flock === true };
  } catch {
    return undefined;
  }
}

/** The start time of a process (field 22 of its stat line), '' where /proc is missing but it lives, undefined if it does not. */
function startOf(pid: number): string | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  // The second field is the program's name in brackets, and may itself contain blanks and brackets.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields?.[0];
  if (state === 'Z' || state === 'X') return undefined;
  if (fields !== undefined) return fields[19];
  if (process.platform === 'linux') return undefined;
  try {
    process.kill(pid, 0);
    return '';
  } catch (error) {
    return systemCodeOf(error) === 'EPERM' ? '' : undefined;
  }
}

const bootId = () => readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? '';

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function linkUnlessThere(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (systemCodeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    // ESRCH: the process ended while its stat line was being read.
    if (['ENOENT', 'ESRCH'].includes(systemCodeOf(error) ?? '')) return undefined;
    throw error;
  }
}

function unlinkIfThere(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw error;
  }
}
