import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HostError, reasonOf, systemCodeOf } from './errors.ts';
import { platform } from './platform.ts';

export interface WriteOptions {
  /** Permissions of the new file; 0600 unless told, since most of what is written this way is a secret. */
  readonly mode?: number;
}

/**
 * Replaces a file so that after a crash at any moment there is either the old content or the new, never a part.
 * When the promise resolves, the new content is on the disk (file and directory synced). Throws `HostError`
 * `file-unwritable`; the old content is then untouched.
 */
export async function writeFileAtomically(
  file: string,
  content: Uint8Array | string,
  options: WriteOptions = {},
): Promise<void> {
  const directory = dirname(file);
  const temporary = join(directory, `.${basename(file)}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`);
  try {
    await writeNewFile(temporary, content, options.mode ?? 0o600);
    await rename(temporary, file);
    await platform.syncDirectory(directory);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    const reason = reasonOf(error);
    throw new HostError('file-unwritable', `cannot write ${file}: ${reason}`, { file, reason }, { cause: error });
  }
}

/** Makes a folder that only its owner may enter, if there is none. Throws `HostError` `file-unwritable`. */
export async function makeDirectory(directory: string): Promise<void> {
  try {
    await makeWithParents(directory);
  } catch (error) {
    const reason = systemCodeOf(error) === 'EEXIST' ? 'there is a file of that name' : reasonOf(error);
    const message = `cannot make the folder ${directory}: ${reason}`;
    throw new HostError('file-unwritable', message, { file: directory, reason }, { cause: error });
  }
}

/** Not by `recursive`: below /proc, where nothing can be made, Node 24 tries for ever. */
async function makeWithParents(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'EEXIST' && (await isDirectory(directory))) return;
    const parent = dirname(directory);
    if (code !== 'ENOENT' || (await isDirectory(parent))) throw error;
    await makeWithParents(parent);
    await makeWithParents(directory);
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

/** Removes what interrupted writes of this file have left. The caller knows that nobody is writing it: it holds a lock. */
export async function removeLeftovers(file: string): Promise<void> {
  const directory = dirname(file);
  const prefix = `.${basename(file)}.`;
  for (const name of await readdir(directory))
    if (name.startsWith(prefix) && TEMPORARY.test(name.slice(prefix.length)))
      await unlink(join(directory, name)).catch(() => undefined);
}

const TEMPORARY = /^[0-9]+-[0-9a-f]{12}\.tmp$/;

/** Reads a file of at most `maximumBytes`. Throws `HostError` `file-unreadable` or `file-too-large`. */
export async function readFileWithLimit(file: string, maximumBytes: number): Promise<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, constants.O_RDONLY);
    return await readUpTo(handle, file, maximumBytes);
  } catch (error) {
    if (error instanceof HostError) throw error;
    const reason = reasonOf(error);
    throw new HostError('file-unreadable', `cannot read ${file}: ${reason}`, { file, reason }, { cause: error });
  } finally {
    await handle?.close();
  }
}

async function writeNewFile(file: string, content: Uint8Array | string, mode: number): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
  try {
    await handle.writeFile(content);
    await handle.chmod(mode); // the umask may have taken bits away
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Reads one byte more than allowed, so that a file which grows while being read is noticed as well. */
async function readUpTo(handle: FileHandle, file: string, maximumBytes: number): Promise<Uint8Array> {
  const { size } = await handle.stat();
  const buffer = new Uint8Array(Math.min(size, maximumBytes) + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
  }
  if (length <= maximumBytes)
    throw new HostError('file-unreadable', `cannot read ${file}: it changes while being read`, {
      file,
      reason: 'it changes',
    });
  throw new HostError('file-too-large', `${file} is larger than ${maximumBytes} bytes`, { file, maximumBytes });
}
