import type { CertifiedEntries } from '@trefoil/core';
import { LicenseError, malformed, Reader, Writer } from '@trefoil/license';
import type { TrailItem } from '@trefoil/license-server';
import { type Block, BlockFault, BlockWriter, MAX_BLOCK_BYTES, readBlocks } from './blocks.ts';

/** The documents that a log stands on, as texts. Without names, of the group document there is its hash only. */
export interface BundleDocuments {
  readonly issuingKey: string;
  readonly configuration: string;
  readonly group: string | Uint8Array;
}

/** Entries, or what is left of them where names must not be seen: their hashes. */
export interface HashedEntries {
  readonly from: number;
  readonly certificate: Uint8Array;
  readonly entries: readonly HashedEntry[];
}

export type HashedEntry = { readonly bytes: Uint8Array } | { readonly hash: Uint8Array };

/** What stands in a bundle, in this order (FORMATS §9.3). */
export type BundleItem =
  | { readonly kind: 'documents'; readonly documents: BundleDocuments }
  | Extract<TrailItem, { kind: 'snapshot' }>
  /** Where there is no snapshot, and the log does not begin with its first entry. */
  | { readonly kind: 'head'; readonly index: number; readonly head: Uint8Array }
  | { readonly kind: 'entries'; readonly entries: CertifiedEntries }
  | { readonly kind: 'hashes'; readonly entries: HashedEntries }
  /** Records of the root that the entry of this index names. */
  | { readonly kind: 'records'; readonly index: number; readonly proof: Uint8Array };

const KINDS = { documents: 1, snapshot: 2, head: 3, entries: 4, hashes: 5, records: 6 } as const;
const KIND_OF = new Map(Object.entries(KINDS).map(([kind, code]) => [code as number, kind as keyof typeof KINDS]));
const DOCUMENT_BYTES = 262_144;
const CERTIFICATE_BYTES = 4_096;
/** Snapshots fit one frame of a link. */
const MAX_WHOLE_BYTES = 256 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;

export class BundleWriter {
  readonly #blocks: BlockWriter;
  #collected: { kind: number; parts: Uint8Array[]; bytes: number } = { kind: 0, parts: [], bytes: 0 };

  private constructor(blocks: BlockWriter) {
    this.#blocks = blocks;
  }

  static async create(file: string): Promise<BundleWriter> {
    return new BundleWriter(await BlockWriter.create(file));
  }

  async write(item: BundleItem): Promise<void> {
    const kind = KINDS[item.kind];
    if (item.kind === 'entries' || item.kind === 'hashes') return this.#collect(kind, encode(item));
    await this.#flush();
    if (item.kind !== 'snapshot' && item.kind !== 'records') return this.#blocks.write({ kind, bytes: encode(item) });
    const whole = item.kind === 'snapshot' ? item.bytes : item.proof;
    const count = Math.max(1, Math.ceil(whole.length / PIECE_BYTES));
    for (let i = 0; i < count; i++) {
      const piece = whole.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES);
      await this.#blocks.write({
        kind,
        bytes: new Writer()
          .u64(item.index)
          .u32(count - i - 1)
          .bytes(piece)
          .done(),
      });
    }
  }

  /** Many in one block: they are small, and alike. */
  async #collect(kind: number, bytes: Uint8Array): Promise<void> {
    if (this.#collected.kind !== kind || this.#collected.bytes + bytes.length > PIECE_BYTES) await this.#flush();
    this.#collected.kind = kind;
    this.#collected.parts.push(bytes);
    this.#collected.bytes += bytes.length;
  }

  async #flush(): Promise<void> {
    const { kind, parts } = this.#collected;
    this.#collected = { kind: 0, parts: [], bytes: 0 };
    if (parts.length > 0) await this.#blocks.write({ kind, bytes: Buffer.concat(parts) });
  }

  async finish(): Promise<void> {
    await this.#flush();
    await this.#blocks.finish();
  }

  abandon(): Promise<void> {
    return this.#blocks.abandon();
  }
}

function encode(item: Exclude<BundleItem, { kind: 'snapshot' | 'records' }>): Uint8Array {
  const writer = new Writer();
  switch (item.kind) {
    case 'documents': {
      const { issuingKey, configuration, group } = item.documents;
      writer.bytes(Buffer.from(issuingKey)).bytes(Buffer.from(configuration));
      if (typeof group === 'string') return writer.u8(1).bytes(Buffer.from(group)).done();
      return writer.u8(0).raw(group).done();
    }
    case 'head':
      return writer.u64(item.index).raw(item.head).done();
    case 'entries': {
      const { from, certificate, entries } = item.entries;
      writer.u64(from).bytes(certificate).u32(entries.length);
      for (const entry of entries) writer.bytes(entry);
      return writer.done();
    }
    case 'hashes': {
      const { from, certificate, entries } = item.entries;
      writer.u64(from).bytes(certificate).u32(entries.length);
      for (const one of entries) {
        if ('bytes' in one) writer.u8(1).bytes(one.bytes);
        else writer.u8(0).raw(one.hash);
      }
      return writer.done();
    }
  }
}

/** @throws BlockFault, also for what is no bundle at all */
export async function* readBundle(file: string): AsyncGenerator<BundleItem> {
  let pieces: { kind: 'snapshot' | 'records'; index: number; bytes: Uint8Array[]; left: number } | undefined;
  for await (const block of readBlocks(file)) {
    const kind = KIND_OF.get(block.kind);
    if (kind === undefined) throw new BlockFault(`a part of kind ${block.kind}: it was made by a later program`);
    try {
      if (kind !== 'snapshot' && kind !== 'records') {
        if (pieces !== undefined) throw malformed('a part is not complete');
        yield* decode(kind, block);
        continue;
      }
      pieces = withPiece(pieces, kind, block);
      if (pieces.left > 0) continue;
      const { index, bytes } = pieces;
      pieces = undefined;
      const whole = Buffer.concat(bytes);
      yield kind === 'snapshot' ? { kind, index, bytes: whole } : { kind, index, proof: whole };
    } catch (error) {
      if (error instanceof LicenseError) throw new BlockFault(`its ${kind} can't be read: ${error.message}`);
      throw error;
    }
  }
  if (pieces !== undefined) throw new BlockFault(`its ${pieces.kind} is not complete`);
}

interface Pieces {
  readonly kind: 'snapshot' | 'records';
  readonly index: number;
  readonly bytes: Uint8Array[];
  readonly left: number;
}

function withPiece(before: Pieces | undefined, kind: Pieces['kind'], { bytes }: Block): Pieces {
  const reader = new Reader(bytes);
  const [index, left] = [reader.u64(), reader.u32()];
  const piece = reader.bytes(MAX_BLOCK_BYTES);
  reader.end();
  const isNext = before === undefined || (before.kind === kind && before.index === index && before.left === left + 1);
  if (!isNext || left > MAX_WHOLE_BYTES / PIECE_BYTES || piece.length > PIECE_BYTES)
    throw malformed('its pieces do not fit each other');
  return { kind, index, left, bytes: [...(before?.bytes ?? []), piece] };
}

function decode(kind: Exclude<keyof typeof KINDS, 'snapshot' | 'records'>, { bytes }: Block): BundleItem[] {
  const reader = new Reader(bytes);
  const items: BundleItem[] = [];
  do items.push(read(kind, reader));
  while (reader.offset < bytes.length);
  if (items.length > 1 && kind !== 'entries' && kind !== 'hashes') throw malformed('bytes behind the end');
  return items;
}

function read(kind: Exclude<keyof typeof KINDS, 'snapshot' | 'records'>, reader: Reader): BundleItem {
  const text = (): string => Buffer.from(reader.bytes(DOCUMENT_BYTES)).toString('utf8');
  switch (kind) {
    case 'documents': {
      const [issuingKey, configuration] = [text(), text()];
      const group = reader.code(0, 1, 'flag') === 1 ? text() : reader.raw(32);
      return { kind, documents: { issuingKey, configuration, group } };
    }
    case 'head':
      return { kind, index: reader.u64(), head: reader.raw(32) };
    case 'entries':
      return { kind, entries: { ...start(reader), entries: list(reader, () => reader.bytes(MAX_BLOCK_BYTES)) } };
    case 'hashes': {
      const one = (): HashedEntry =>
        reader.code(0, 1, 'flag') === 1 ? { bytes: reader.bytes(MAX_BLOCK_BYTES) } : { hash: reader.raw(32) };
      return { kind, entries: { ...start(reader), entries: list(reader, one) } };
    }
  }
}

function start(reader: Reader): { from: number; certificate: Uint8Array } {
  return { from: reader.u64(), certificate: reader.bytes(CERTIFICATE_BYTES) };
}

/** As many as there are bytes for: a number alone makes no memory. */
function list<T>(reader: Reader, readOne: () => T): T[] {
  const all: T[] = [];
  for (let left = reader.u32(); left > 0; left--) all.push(readOne());
  if (all.length === 0) throw malformed('no entries');
  return all;
}
