import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { HostError, reasonOf } from '@trefoil/host';
import { pack } from 'tar-stream';

/** Where a host's files are. */
export interface Places {
  /** Configurations, certificates, keys. */
  readonly etc: string;
  /** Logs, containers. */
  readonly data: string;
}

export const PLACES = ['etc', 'data'] as const;

/** Last in the archive: what it has to have. */
export interface Manifest {
  readonly format: 'trefoil-backup-1';
  readonly host: string;
  /** UTC. */
  readonly at: string;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
}

export const MANIFEST = 'manifest.json';

/** Of a lock and its drafts: they say who runs now. */
const LOCKS = /(^|\/)lock(\.|$)/;
const PIECE_BYTES = 1024 * 1024;
const MOST_TRIES = 5;

/**
 * Everything of this host in one file of mode 0600, while its servers run: logs only grow, and what is half written at the
 * end of one is cut when it is opened. A log file that went while it was read is no harm either: it is begun anew. @throws HostError
 */
export async function writeBackup(
  places: Places,
  { output, host }: { output: string; host: string },
): Promise<Manifest> {
  for (const place of PLACES)
    if (resolve(output).startsWith(resolve(places[place]) + sep))
      throw unwritable(output, `it would be a part of itself: write it outside of ${places[place]}`);
  for (let tries = 1; ; tries++) {
    try {
      return await writeOnce(places, output, host);
    } catch (error) {
      await rm(output, { force: true }); // half a backup is none
      if (error instanceof HostError) throw error;
      if (!(error instanceof Gone)) throw unwritable(output, reasonOf(error));
      if (tries === MOST_TRIES) throw unwritable(output, 'files change faster than they are read; try again');
    }
  }
}

function unwritable(file: string, reason: string): HostError {
  return new HostError('file-unwritable', `${file}: ${reason}`, { file, reason });
}

/** It was there when the folder was read. */
class Gone extends Error {}

async function writeOnce(places: Places, output: string, host: string): Promise<Manifest> {
  const handle = await open(output, 'w', 0o600);
  const tar = pack();
  const out = handle.createWriteStream();
  out.on('error', () => undefined); // once more, when it is closed: the pipeline has said it
  const written = pipeline(tar, createGzip({ level: 6 }), out);
  const files: Manifest['files'][number][] = [];
  const add = async (): Promise<Manifest> => {
    for (const place of PLACES)
      for (const name of await namesIn(places[place]))
        files.push(await addFile(tar, `${place}/${name}`, join(places[place], name)));
    const manifest: Manifest = { format: 'trefoil-backup-1', host, at: new Date().toISOString(), files };
    tar.entry({ name: MANIFEST, mode: 0o600 }, JSON.stringify(manifest));
    tar.finalize();
    return manifest;
  };
  const adding = add();
  adding.catch(() => tar.destroy());
  try {
    const [manifest] = await Promise.all([adding, written]);
    return manifest;
  } catch (error) {
    tar.destroy();
    await written.catch(() => undefined);
    throw error;
  }
}

/** Relative, sorted: so older files of a log come before newer ones. @throws HostError where there is nothing */
async function namesIn(directory: string): Promise<string[]> {
  const there = await readdir(directory, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    const reason = reasonOf(error);
    throw new HostError('file-unreadable', `${directory}: ${reason}`, { file: directory, reason }, { cause: error });
  });
  const names = there.map((one) => join(one.parentPath, one.name).slice(directory.length + 1));
  // What a link leads to, too: the host needs it.
  const isFile = (name: string): Promise<boolean> =>
    stat(join(directory, name)).then(
      (about) => about.isFile(),
      () => false,
    );
  const kept = await Promise.all(names.map(async (name) => !LOCKS.test(name) && (await isFile(name))));
  return names.filter((_, i) => kept[i]).sort();
}

async function addFile(tar: ReturnType<typeof pack>, name: string, file: string): Promise<Manifest['files'][number]> {
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new Gone();
    const reason = reasonOf(error);
    throw new HostError('file-unreadable', `${file}: ${reason}`, { file, reason }, { cause: error });
  });
  try {
    // As long as it is now: what comes after belongs to later.
    const about = await handle.stat();
    const hash = createHash('sha256');
    const entry = tar.entry({ name, ...headerOf(about) });
    entry.on('error', () => undefined); // the pipeline says it
    for (let at = 0; at < about.size; ) {
      const { bytesRead, buffer } = await handle.read(
        Buffer.alloc(Math.min(PIECE_BYTES, about.size - at)),
        0,
        null,
        at,
      );
      if (bytesRead === 0) throw new Gone(); // it was made shorter
      const piece = buffer.subarray(0, bytesRead);
      hash.update(piece);
      at += bytesRead;
      if (entry.destroyed) throw new Gone(); // the disk was full, as the pipeline says
      if (!entry.write(piece)) await drained(entry);
    }
    entry.end(undefined);
    return { name, bytes: about.size, sha256: hash.digest('hex') };
  } finally {
    await handle.close();
  }
}

/** Or closed: then nothing is ever drained. */
function drained(entry: ReturnType<ReturnType<typeof pack>['entry']>): Promise<void> {
  return new Promise((resolve) => {
    entry.once('drain', () => resolve());
    entry.once('close', () => resolve());
  });
}

function headerOf({ mode, uid, gid, size, mtime }: Stats) {
  return { mode: mode & 0o777, uid, gid, size, mtime };
}

/** Whether there is anything in it. */
export async function isEmpty(directory: string): Promise<boolean> {
  const names = await readdir(directory).catch(() => []);
  return names.length === 0 || !(await stat(directory)).isDirectory();
}
