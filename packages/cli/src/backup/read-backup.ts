import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chown, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { buffer } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { HostError, lockFile, platform, reasonOf } from '@trefoil/host';
import { extract } from 'tar-stream';
import { isEmpty, MANIFEST, type Manifest, PLACES, type Places } from './write-backup.ts';

interface Entry {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly content: AsyncIterable<Buffer>;
}

/** Reads it once to its end: every file as it was written, and none missing. @throws HostError naming what is wrong */
export async function verifyBackup(file: string): Promise<Manifest> {
  const found = new Map<string, string>();
  let manifest: Manifest | undefined;
  await eachEntry(file, async ({ name, content }) => {
    if (name === MANIFEST) {
      manifest = parseManifest(await buffer(content), file);
      return;
    }
    const hash = createHash('sha256');
    for await (const piece of content) hash.update(piece);
    found.set(name, hash.digest('hex'));
  });
  if (manifest === undefined) throw damaged(file, 'its end is missing');
  for (const { name, sha256 } of manifest.files)
    if (found.get(name) !== sha256)
      throw damaged(file, `${name} is ${found.has(name) ? 'not what was written' : 'missing'}`);
  if (found.size !== manifest.files.length) throw damaged(file, 'it has files that were not written');
  return manifest;
}

/**
 * Puts a verified backup in its places: whole beside them first, then in. What is there is moved aside, not over it; where it does not
 * come to that, for the disk is full perhaps, it stays. @returns where to
 * @throws HostError, with nothing changed: also where a server runs, and where something is there and `replace` was not said
 */
export async function restoreBackup(
  file: string,
  places: Places,
  { replace }: { replace: boolean },
): Promise<string[]> {
  for (const place of PLACES) if (!replace && !(await isEmpty(places[place]))) throw notEmpty(places[place]);
  const locks = await lockAll(places.data);
  const stamp = new Date().toISOString().replaceAll(/[-:]|\..*/g, '');
  const staged = { etc: `${places.etc}.restoring-${stamp}`, data: `${places.data}.restoring-${stamp}` };
  try {
    await stage(file, staged, await stat(places.data).catch(() => undefined));
    const aside: string[] = [];
    for (const place of PLACES) {
      const to = `${places[place]}.before-restore-${stamp}`;
      if (await isEmpty(places[place])) await rm(places[place], { recursive: true, force: true });
      else aside.push(...(await rename(places[place], to).then(() => [to])));
      await rename(staged[place], places[place]);
    }
    return aside;
  } catch (error) {
    if (error instanceof HostError) throw error;
    const reason = reasonOf(error);
    throw new HostError(
      'file-unwritable',
      `${places.data}: ${reason}`,
      { file: places.data, reason },
      { cause: error },
    );
  } finally {
    for (const place of PLACES) await rm(staged[place], { recursive: true, force: true });
    for (const lock of locks) lock.release();
  }
}

/** The folders as they shall be. `owner`: the servers' user, whatever its number is on this host. */
async function stage(file: string, staged: Places, owner: { uid: number; gid: number } | undefined): Promise<void> {
  for (const place of PLACES) await mkdir(staged[place], { recursive: true, mode: 0o755 });
  await eachEntry(file, async (entry) => {
    const place = PLACES.find((one) => entry.name.startsWith(`${one}/`));
    if (place === undefined) return;
    await writeEntry(join(staged[place], entry.name.slice(place.length + 1)), entry, owner);
  });
  // The servers' user may write there, as before.
  if (owner !== undefined && process.getuid?.() === 0) await chown(staged.data, owner.uid, owner.gid);
}

/** @throws HostError where a living process has one */
async function lockAll(data: string): Promise<{ release(): void }[]> {
  const names = await readdir(data, { recursive: true }).catch(() => []);
  return names.filter((name) => /(^|\/)lock$/.test(name)).map((name) => lockFile(join(data, name)));
}

async function writeEntry(
  path: string,
  { mode, uid, content }: Entry,
  owner: { uid: number; gid: number } | undefined,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  const handle = await open(path, 'wx', mode);
  try {
    for await (const piece of content) await handle.write(piece);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await platform.syncDirectory(dirname(path));
  if (process.getuid?.() !== 0 || uid === 0 || owner === undefined) return;
  await chown(path, owner.uid, owner.gid);
  await chown(dirname(path), owner.uid, owner.gid);
}

async function eachEntry(file: string, take: (entry: Entry) => Promise<void>): Promise<void> {
  const reader = extract();
  const piped = pipeline(createReadStream(file), createGunzip(), reader);
  piped.catch(() => undefined); // the reader throws it, too
  let own: { readonly error: unknown } | undefined;
  try {
    for await (const entry of reader) {
      const { name, mode, uid, gid, type } = entry.header;
      // What was made to be put elsewhere, or to point there.
      if (type !== 'file' || name.split('/').includes('..')) throw damaged(file, `${name} is no file of a host`);
      const content = entry as AsyncIterable<Buffer>;
      const taken = { name, mode: mode ?? 0o600, uid: uid ?? 0, gid: gid ?? 0, content };
      await take(taken).catch((error: unknown) => {
        // Where it could not be written, the backup is not to blame.
        if ((error as NodeJS.ErrnoException).syscall !== undefined) own = { error };
        throw error;
      });
    }
    await piped;
  } catch (error) {
    if (own !== undefined) throw own.error;
    if (error instanceof HostError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'ENOENT' || code === 'EACCES'
      ? unreadable(file, reasonOf(error))
      : damaged(file, 'it is no backup, or not whole');
  }
}

function unreadable(file: string, reason: string): HostError {
  return new HostError('file-unreadable', `${file}: ${reason}`, { file, reason });
}

function parseManifest(bytes: Buffer, file: string): Manifest {
  try {
    const manifest = JSON.parse(bytes.toString('utf8')) as Manifest;
    if (manifest.format === 'trefoil-backup-1' && Array.isArray(manifest.files)) return manifest;
  } catch {
    // said below
  }
  throw damaged(file, 'its list of files is none');
}

function notEmpty(file: string): HostError {
  const reason = 'it is not empty; with --replace it is moved aside';
  return new HostError('file-unwritable', `${file}: ${reason}`, { file, reason });
}

function damaged(file: string, why: string): HostError {
  return new HostError('file-invalid', `${file}: ${why}`, { file, reason: why });
}
