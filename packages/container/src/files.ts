import { stat } from 'node:fs/promises';
import { type FileLock, HostError, lockFile, platform, readFileWithLimit, writeFileAtomically } from '@trefoil/host';
import { ContainerError } from './errors.ts';
import { CONTAINER_LIMITS } from './limits.ts';

/** @throws ContainerError `in-use`, `unwritable` */
export function lockContainer(file: string): FileLock {
  try {
    return lockFile(`${file}.lock`);
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'locked') throw unwritable(file, error);
    const { pid } = (error as HostError<'locked'>).details;
    const who = pid === 0 ? 'a process in another container' : `process ${pid}`;
    throw new ContainerError('in-use', `${file} is in use by ${who}.`, { file, pid }, { cause: error });
  }
}

export async function exists(file: string): Promise<boolean> {
  return (await statOf(file)) !== undefined;
}

/** Undefined if there is no such file. @throws ContainerError `unreadable`, `too-open` */
export async function readSecretFile(file: string, maxBytes: number): Promise<Buffer | undefined> {
  const stats = await statOf(file);
  if (stats === undefined) return undefined;
  if (platform.isOpenToOthers(stats.mode)) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    const message = `${file} may be used by others (mode ${mode}); give it mode 0600: chmod 600 ${file}`;
    throw new ContainerError('too-open', message, { file, mode });
  }
  try {
    return Buffer.from(await readFileWithLimit(file, maxBytes));
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** 0600, whole or not at all, durable. @throws ContainerError `unwritable` */
export async function writeSecretFile(file: string, content: Uint8Array): Promise<void> {
  try {
    await writeFileAtomically(file, content, { mode: 0o600 });
  } catch (error) {
    throw unwritable(file, error);
  }
}

/**
 * A passphrase from a file (0600): its bytes without one final line end. Never from arguments or environment, which other
 * users can read. @throws ContainerError
 */
export async function readPassphraseFile(file: string): Promise<Uint8Array> {
  const bytes = await readSecretFile(file, CONTAINER_LIMITS.passphraseBytes);
  if (bytes === undefined) throw new ContainerError('missing', `There is no file ${file}.`, { file });
  const text = bytes.toString('latin1').replace(/\r?\n$/, '');
  const passphrase = Buffer.from(text, 'latin1');
  bytes.fill(0);
  if (passphrase.length === 0) {
    const details = { file, reason: 'it is empty' };
    throw new ContainerError('passphrase-invalid', `The passphrase file ${file} is empty.`, details);
  }
  return passphrase;
}

async function statOf(file: string): Promise<{ readonly mode: number } | undefined> {
  try {
    return await stat(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): ContainerError<'unreadable'> {
  const reason = reasonIn(error);
  return new ContainerError('unreadable', `Cannot read ${file}: ${reason}.`, { file, reason }, { cause: error });
}

function unwritable(file: string, error: unknown): ContainerError<'unwritable'> {
  const reason = reasonIn(error);
  return new ContainerError('unwritable', `Cannot write ${file}: ${reason}.`, { file, reason }, { cause: error });
}

function reasonIn(error: unknown): string {
  if (error instanceof HostError && 'reason' in error.details) return String(error.details.reason);
  return error instanceof Error ? error.message : String(error);
}
