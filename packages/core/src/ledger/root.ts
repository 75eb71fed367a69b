import { concatBytes, type Crypto, Writer } from '@trefoil/license';
import { encodeRecord, META, recordNames } from './records.ts';
import type { Ledger } from './state.ts';

export const BUCKETS = 256;
const NOTHING = new Uint8Array(32);

interface Record {
  readonly valueHash: Uint8Array;
  /** As it stands in a snapshot: name and value, each with its length. Undefined = this root is of no use for snapshots. */
  readonly bytes: Uint8Array | undefined;
}

/**
 * The ledger's root, kept incrementally (PROTOCOL §8.2): records fall into 256 buckets by the first byte of the hash of their
 * name; a bucket's hash covers its records' (name hash ‖ value hash) in ascending order; the root covers the buckets. Only
 * what changed since the last root is hashed again. Who makes snapshots keeps the records beside their hashes: a hundred thousand
 * of them could not be written down at once without a pause that everybody feels.
 */
export class LedgerRoot {
  readonly #crypto: Crypto;
  readonly #keepsRecords: boolean;
  readonly #buckets: Map<string, Record>[] = Array.from({ length: BUCKETS }, () => new Map());
  readonly #hashes: Uint8Array[] = Array.from({ length: BUCKETS }, () => NOTHING);
  /** Of a bucket, in ascending order; undefined = some came or went. */
  readonly #orders: (readonly string[] | undefined)[] = Array.from({ length: BUCKETS }, () => []);
  readonly #names = new Map<string, { bucket: number; order: string }>();

  constructor(crypto: Crypto, keepsRecords = false) {
    this.#crypto = crypto;
    this.#keepsRecords = keepsRecords;
  }

  /** From scratch, for a ledger that was restored. */
  static of(ledger: Ledger, keepsRecords = false): LedgerRoot {
    const root = new LedgerRoot(ledger.context.crypto, keepsRecords);
    root.refresh(ledger, recordNames(ledger));
    return root;
  }

  /** Takes in what changed and returns the root of the ledger as it stands. */
  current(ledger: Ledger): Uint8Array {
    this.refresh(ledger, [META, ...ledger.dirty]);
    ledger.dirty.clear();
    return this.#crypto.sha256(concatBytes(...this.#hashes));
  }

  /** As of the last `current`, bucket by bucket; what comes later does not change them. Only of a root that keeps records. */
  records(): readonly Uint8Array[] {
    const all: Uint8Array[] = [];
    for (const [index, bucket] of this.#buckets.entries())
      for (const order of this.#orderOf(index)) all.push((bucket.get(order) as Record).bytes as Uint8Array);
    return all;
  }

  /** Ahead of time, so that little is left to do when the root is due: at most `count` changed records. */
  prepare(ledger: Ledger, count: number): void {
    const some: string[] = [];
    for (const name of ledger.dirty) {
      if (some.length >= count) break;
      some.push(name);
    }
    for (const name of some) ledger.dirty.delete(name);
    this.refresh(ledger, some);
  }

  refresh(ledger: Ledger, names: readonly string[]): void {
    const stale = new Set<number>();
    for (const name of names) {
      const place = this.#place(name);
      const value = encodeRecord(ledger, name);
      const bucket = this.#buckets[place.bucket] as Map<string, Record>;
      if (value === undefined || !bucket.has(place.order)) this.#orders[place.bucket] = undefined;
      if (value === undefined) {
        bucket.delete(place.order);
        this.#names.delete(name);
      } else bucket.set(place.order, this.#recordOf(name, value));
      stale.add(place.bucket);
    }
    for (const index of stale) this.#hashes[index] = this.#hashBucket(index);
  }

  #recordOf(name: string, value: Uint8Array): Record {
    const valueHash = this.#crypto.sha256(value);
    const bytes = this.#keepsRecords ? new Writer().bytes(nameBytes(name)).bytes(value).done() : undefined;
    return { valueHash, bytes };
  }

  #place(name: string): { bucket: number; order: string } {
    let place = this.#names.get(name);
    if (place === undefined) {
      const hash = this.#crypto.sha256(nameBytes(name));
      place = { bucket: hash[0] as number, order: String.fromCharCode(...hash) };
      this.#names.set(name, place);
    }
    return place;
  }

  #orderOf(index: number): readonly string[] {
    return (this.#orders[index] ??= [...(this.#buckets[index] as Map<string, Record>).keys()].sort());
  }

  #hashBucket(index: number): Uint8Array {
    const bucket = this.#buckets[index] as Map<string, Record>;
    const hashes = this.#orderOf(index).map((order) => [order, (bucket.get(order) as Record).valueHash] as const);
    return hashBucket(this.#crypto, hashes);
  }
}

/** In ascending order of the names' hashes. */
export function hashBucket(crypto: Crypto, records: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  if (records.length === 0) return NOTHING;
  const writer = new Writer();
  for (const [order, valueHash] of records) writer.raw(nameBytes(order)).raw(valueHash);
  return crypto.sha256(writer.done());
}

/** The root that a ledger with these records would have, whatever is in them. */
export function rootOfRecords(crypto: Crypto, records: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const buckets: Map<string, Uint8Array>[] = Array.from({ length: BUCKETS }, () => new Map());
  for (const [name, value] of records) {
    const hash = crypto.sha256(nameBytes(name));
    buckets[hash[0] as number]?.set(String.fromCharCode(...hash), crypto.sha256(value));
  }
  const hashes = buckets.map((bucket) =>
    hashBucket(
      crypto,
      [...bucket].sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  );
  return crypto.sha256(concatBytes(...hashes));
}

/** Names hold one byte a UTF-16 unit. */
export function nameBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(name.length);
  for (let i = 0; i < name.length; i++) bytes[i] = name.charCodeAt(i);
  return bytes;
}
