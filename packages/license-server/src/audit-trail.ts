import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import { type CertifiedEntries, decodeRecord, decodeEntry, type LogRecord, peekSnapshot } from '@trefoil/core';
import { readFileWithLimit } from '@trefoil/host';
import { decodeAccept, decodeCertificate, LicenseError } from '@trefoil/license';
import { ARCHIVE_FOLDER, archivedName, KEPT_DOCUMENTS, snapshotIndex, snapshotName } from './data-directory.ts';
import { Damage } from './log-store/damage.ts';
import { readSegment } from './log-store/read-segment.ts';
import { segmentName, segmentNumber } from './log-store/segment.ts';

/** What stands in a license server's data directory for an auditor, in the order of the log. */
export type TrailItem =
  /** What follows begins behind this snapshot's root entry; what was before it is not there. */
  | { readonly kind: 'snapshot'; readonly index: number; readonly bytes: Uint8Array }
  | { readonly kind: 'entries'; readonly entries: CertifiedEntries }
  /** The last one: it was voted for, and has no certificate yet. */
  | { readonly kind: 'uncertified'; readonly index: number };

/** The directory can't be read as one of a license server; the message names the file. */
export class TrailError extends Error {
  override readonly name = 'TrailError';
}

const MAX_DOCUMENT_BYTES = 512 * 1024;
const MAX_SEGMENT_BYTES = 1024 * 1024 * 1024;
const MAX_SNAPSHOT_BYTES = 1024 * 1024 * 1024;
/** A writer is at work in the newest file: what looks damaged may be half of a write. */
const TRIES = 5;
const AGAIN_MS = 40;

/**
 * Reads a data directory, also of a license server that runs, and alters nothing. `notAfterUtc`: begins at the newest snapshot that is not
 * younger; else as early as there is something. @throws TrailError
 */
export async function* readAuditTrail(directory: string, notAfterUtc = -Infinity): AsyncGenerator<TrailItem> {
  const place = new TrailPlace(directory);
  const segments = await place.segments();
  if (segments.length === 0) throw new TrailError(`${directory}: there is no log of a license server in it`);
  const chain = new TrailChain();
  let from = await startOf(place, segments, notAfterUtc);
  for (; from < segments.length; from++) {
    const segment = segments[from] as number;
    for await (const record of place.records(segment, from === segments.length - 1))
      yield* chain.take(record, (index) => place.snapshot(index));
  }
  if (chain.open !== undefined) yield { kind: 'uncertified', index: chain.open.index };
}

/** Its snapshots, newest first. @throws TrailError */
export async function* readSnapshots(directory: string): AsyncGenerator<Uint8Array> {
  const place = new TrailPlace(directory);
  for (const index of await place.snapshots()) {
    const bytes = await place.snapshot(index);
    if (bytes !== undefined) yield bytes;
  }
}

/** The documents that a license server keeps beside its log, as texts; undefined = they are not there. */
export async function readKeptDocuments(
  directory: string,
): Promise<Record<keyof typeof KEPT_DOCUMENTS, string> | undefined> {
  const read = async (name: string): Promise<string> =>
    Buffer.from((await unlessMissing(readFileWithLimit(join(directory, name), MAX_DOCUMENT_BYTES))) ?? []).toString();
  const { issuingKey, configuration, group } = KEPT_DOCUMENTS;
  const texts = {
    ...{ issuingKey: await read(issuingKey), configuration: await read(configuration), group: await read(group) },
  };
  return Object.values(texts).includes('') ? undefined : texts;
}

/** Of the segments: the first whose beginning is there, or the last that begins early enough. */
async function startOf(place: TrailPlace, segments: readonly number[], notAfterUtc: number): Promise<number> {
  if (notAfterUtc === -Infinity) return 0;
  for (let at = segments.length - 1; at >= 0; at--) {
    const bytes = await place.firstSnapshot(segments[at] as number);
    if (bytes !== undefined && utcOf(bytes) <= notAfterUtc) return at;
  }
  return 0;
}

function utcOf(snapshot: Uint8Array): number {
  return decodeAccept(decodeCertificate(peekSnapshot(snapshot).certificate).statement).utc;
}

/** Makes one row of certified entries of the records of a log; what it has had before it skips (PROTOCOL §8.4). */
class TrailChain {
  #certified: number | undefined;
  open: { readonly index: number; readonly bytes: Uint8Array } | undefined;

  async *take(
    record: LogRecord,
    snapshotAt: (index: number) => Promise<Uint8Array | undefined>,
  ): AsyncGenerator<TrailItem> {
    switch (record.kind) {
      case 'snapshot':
        if (record.index > (this.#certified ?? -1)) yield* this.#begin(record.index, await snapshotAt(record.index));
        return;
      case 'voted': {
        const { index } = decodeEntry(record.entry);
        if (index === this.#next) this.open = { index, bytes: record.entry };
        return;
      }
      case 'certified': {
        const { index } = decodeAccept(decodeCertificate(record.certificate).statement);
        if (this.open === undefined || index !== this.open.index) return;
        yield* this.#emit({ from: index, entries: [this.open.bytes], certificate: record.certificate });
        return;
      }
      case 'caughtUp': {
        const known = this.#next - record.from;
        if (known >= record.entries.length) return;
        const entries = record.entries.slice(Math.max(0, known));
        yield* this.#emit({ from: record.from + Math.max(0, known), entries, certificate: record.certificate });
        return;
      }
      default:
    }
  }

  get #next(): number {
    return (this.#certified ?? 0) + 1;
  }

  *#begin(index: number, bytes: Uint8Array | undefined): Generator<TrailItem> {
    if (bytes === undefined) return; // later segments may have theirs
    this.#certified = index;
    this.open = undefined;
    yield { kind: 'snapshot', index, bytes };
  }

  *#emit(entries: CertifiedEntries): Generator<TrailItem> {
    this.open = undefined;
    // What it begins behind is not there: the next snapshot that is there is a beginning.
    if (this.#certified === undefined && entries.from !== 1) return;
    this.#certified = entries.from + entries.entries.length - 1;
    yield { kind: 'entries', entries };
  }
}

/** The files of one data directory: what is in use, and what was archived. */
class TrailPlace {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Ascending, each once: of one that was archived and not dropped yet there are two. */
  async segments(): Promise<number[]> {
    const archived = (await this.#names(ARCHIVE_FOLDER)).flatMap(
      (name) => segmentNumber(name.replace(/\.zst$/, '')) ?? [],
    );
    const standing = (await this.#names('.')).flatMap((name) => segmentNumber(name) ?? []);
    return [...new Set([...archived, ...standing])].sort((a, b) => a - b);
  }

  /** Their indexes, newest first. */
  async snapshots(): Promise<number[]> {
    const names = [...(await this.#names('.')), ...(await this.#names(ARCHIVE_FOLDER))];
    const indexes = names.flatMap((name) => snapshotIndex(name.replace(/\.zst$/, '')) ?? []);
    return [...new Set(indexes)].sort((a, b) => b - a);
  }

  async snapshot(index: number): Promise<Uint8Array | undefined> {
    return (
      (await this.#read(snapshotName(index), MAX_SNAPSHOT_BYTES)) ??
      this.#archived(snapshotName(index), MAX_SNAPSHOT_BYTES)
    );
  }

  /** With which the segment begins. */
  async firstSnapshot(segment: number): Promise<Uint8Array | undefined> {
    for await (const record of this.records(segment, true))
      return record.kind === 'snapshot' ? this.snapshot(record.index) : undefined;
    return undefined;
  }

  async *records(segment: number, isNewest: boolean): AsyncGenerator<LogRecord> {
    for (let tries = 1, given = 0; ; tries++) {
      let seen = 0;
      try {
        for await (const record of this.#recordsOf(segment)) {
          seen++;
          if (seen <= given) continue;
          given = seen;
          yield record;
        }
        return;
      } catch (error) {
        if (!(error instanceof Damage)) throw error;
        const sentence = `${join(this.#directory, error.file)}: damaged at byte ${error.offset}: ${error.message}`;
        if (!isNewest || tries >= TRIES) throw new TrailError(sentence);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  async *#recordsOf(segment: number): AsyncGenerator<LogRecord> {
    const name = segmentName(segment);
    await using file = await this.#open(name);
    for await (const { records } of readSegment(file, name))
      for (const bytes of records) {
        try {
          yield decodeRecord(new Uint8Array(bytes));
        } catch (error) {
          if (error instanceof LicenseError) throw new TrailError(`${join(this.#directory, name)}: ${error.message}`);
          throw error;
        }
      }
  }

  /** As it stands, or as it was archived meanwhile. */
  async #open(name: string) {
    const handle = await unlessMissing(open(join(this.#directory, name), 'r'));
    if (handle !== undefined) return openedFile(handle);
    const bytes = await this.#archived(name, MAX_SEGMENT_BYTES);
    if (bytes === undefined) throw new TrailError(`${join(this.#directory, name)}: it is missing`);
    return {
      size: async () => bytes.length,
      read: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  async #archived(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const file = join(ARCHIVE_FOLDER, archivedName(name));
    const packed = await this.#read(file, maxBytes);
    if (packed === undefined) return undefined;
    try {
      return await promisify(zstdDecompress)(packed, { maxOutputLength: maxBytes });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new TrailError(`${join(this.#directory, file)}: it can't be unpacked: ${why}`);
    }
  }

  #read(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
    return unlessMissing(readFileWithLimit(join(this.#directory, file), maxBytes));
  }

  async #names(folder: string): Promise<string[]> {
    return (await unlessMissing(readdir(join(this.#directory, folder)))) ?? [];
  }
}

function openedFile(handle: FileHandle) {
  return {
    size: async () => (await handle.stat()).size,
    read: async (offset: number, length: number) => {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    const codes = [error, error instanceof Error ? error.cause : undefined].map(
      (one) => (one as { code?: string })?.code,
    );
    if (codes.includes('ENOENT') || codes.includes('ENOTDIR')) return undefined;
    throw error;
  }
}
