import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { archivedName, snapshotIndex } from './data-directory.ts';
import { type Disk, StoreError } from './log-store/index.ts';
import { segmentNumber } from './log-store/segment.ts';

/** Of one virtual container: some years of a small group, some days of a very busy one. Then the oldest goes. */
const ARCHIVE_BYTES = 16 * 1024 * 1024 * 1024;
/** Log files that could not be archived stay in the log, so many; then they go all the same, for the disk would fill up. */
const MOST_WAITING = 8;
const MAX_FILE_BYTES = 1024 * 1024 * 1024;

/** Packs the content of a file, off the thread that votes. */
export type Pack = (bytes: Uint8Array) => Promise<Uint8Array>;

const zstd = promisify(zstdCompress);
/** Level 3: signatures and hashes can't be packed, and the rest is easy. With a checksum. */
const packWithZstd: Pack = (bytes) =>
  zstd(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 } });

/** What became of log files that are no longer needed. */
export interface Archived {
  /** They may be removed. */
  readonly mayGo: boolean;
  /** What an admin has to know, one sentence each. */
  readonly alarms: readonly string[];
}

/**
 * What an auditor needs of a log that goes on without it (PROTOCOL §8.4): its old files and the snapshots that they begin with, packed,
 * in a folder of their own. Each is there whole or not at all, and before the original goes; so a crash at any moment leaves one or the
 * other, and it is done again. A disk that is full stops no voting: then the oldest of the archive goes, and at last what should go in.
 */
export class Archive {
  readonly #log: Disk;
  readonly #archive: Disk;
  readonly #maxBytes: number;
  readonly #pack: Pack;
  #isDropping = false;

  constructor(disks: { log: Disk; archive: Disk }, { maxBytes = ARCHIVE_BYTES, pack = packWithZstd } = {}) {
    this.#log = disks.log;
    this.#archive = disks.archive;
    this.#maxBytes = maxBytes;
    this.#pack = pack;
  }

  /** Never rejects: what can't be archived is an alarm. */
  async keep({
    segmentsBefore,
    snapshotsBefore,
  }: {
    segmentsBefore: number;
    snapshotsBefore: number;
  }): Promise<Archived> {
    const alarms: string[] = [];
    try {
      const names = await this.#log.list();
      const segments = names.filter((name) => (segmentNumber(name) ?? Infinity) < segmentsBefore).sort();
      const snapshots = names.filter((name) => (snapshotIndex(name) ?? Infinity) < snapshotsBefore);
      for (const name of [...snapshots, ...segments]) {
        const why = await this.#keepFile(name, alarms);
        if (why === undefined) continue;
        const isLost = why.isFull || segments.length > MOST_WAITING;
        alarms.push(
          isLost ? `audit records are lost: ${why.message}` : `audit records wait to be archived: ${why.message}`,
        );
        return { mayGo: isLost, alarms };
      }
      await this.#keepWithin(this.#maxBytes, alarms);
      return { mayGo: true, alarms };
    } catch (error) {
      alarms.push(`the archive of audit records can't be looked after: ${messageOf(error)}`);
      return { mayGo: false, alarms };
    }
  }

  /** Why it could not be. On a full disk the oldest of the archive make room. */
  async #keepFile(name: string, alarms: string[]): Promise<{ message: string; isFull: boolean } | undefined> {
    if ((await this.#names()).includes(name)) return undefined; // before a crash
    const archived = archivedName(name);
    const packed = await this.#packed(name);
    for (;;) {
      try {
        await this.#archive.writeWhole(archived, packed);
        return undefined;
      } catch (error) {
        const isFull = error instanceof StoreError && error.code === 'no-space';
        if (isFull && (await this.#dropOldest(alarms, 'the disk is full'))) continue;
        return { message: messageOf(error), isFull };
      }
    }
  }

  async #packed(name: string): Promise<Uint8Array> {
    const bytes = await this.#log.readWhole(name, MAX_FILE_BYTES);
    if (bytes === undefined) throw new StoreError('missing', name, `${name} does not exist.`);
    return this.#pack(bytes);
  }

  async #keepWithin(maxBytes: number, alarms: string[]): Promise<void> {
    let bytes = 0;
    for (const name of await this.#names()) bytes += await this.#sizeOf(archivedName(name));
    while (bytes > maxBytes) {
      const freed = await this.#dropOldest(alarms, `it has its ${Math.round(maxBytes / 2 ** 20)} MiB`);
      if (freed === 0) return;
      bytes -= freed;
    }
  }

  /** Of what is archived, as the originals were called. */
  async #names(): Promise<string[]> {
    return (await this.#archive.list()).flatMap((name) => /^(.*)\.zst$/.exec(name)?.[1] ?? []);
  }

  async #sizeOf(name: string): Promise<number> {
    const file = await this.#archive.open(name);
    try {
      return await file.size();
    } finally {
      await file.close();
    }
  }

  /** A segment, and the snapshot that none of the others begins with. Returns its bytes; 0 = there is nothing to drop. */
  async #dropOldest(alarms: string[], why: string): Promise<number> {
    const names = await this.#names();
    const segments = names.filter((name) => segmentNumber(name) !== undefined).sort();
    const snapshots = names
      .filter((name) => snapshotIndex(name) !== undefined)
      .sort((a, b) => (snapshotIndex(a) as number) - (snapshotIndex(b) as number));
    // Each segment but the first begins with a snapshot: of as many of both, the newest belong together.
    const old = [...segments.slice(0, 1), ...snapshots.slice(0, Math.max(0, snapshots.length - segments.length + 1))];
    let bytes = 0;
    for (const name of old) {
      bytes += await this.#sizeOf(archivedName(name));
      await this.#archive.remove(archivedName(name));
    }
    if (bytes > 0 && !this.#isDropping) {
      this.#isDropping = true;
      alarms.push(`the archive of audit records drops the oldest, for ${why}: ${segments[0] ?? old[0]}`);
    }
    return bytes;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
