import { concatBytes, type Crypto, Writer } from '@trefoil/license';
import { encodeRecord, META, recordNames } from './records.ts';
import type { Ledger } from './state.ts';

const BUCKETS = 256;
const NOTHING = new Uint8Array(32);

/**
 * The ledger's root, kept incrementally (PROTOCOL §8.2): records fall into 256 buckets by the first byte of the hash of their
 * name; a bucket's hash covers its records' (name hash ‖ value hash) in ascending order; the root covers the buckets. Only
 * what changed since the last root is hashed again.
 */
export class LedgerRoot {
  readonly #crypto: Crypto;
  readonly #buckets: Map<string, Uint8Array>[] = Array.from({ length: BUCKETS }, () => new Map());
  readonly #hashes: Uint8Array[] = Array.from({ length: BUCKETS }, () => NOTHING);
  readonly #names = new Map<string, { bucket: number; order: string }>();

  constructor(crypto: Crypto) {
    this.#crypto = crypto;
  }

  /** From scratch, for a ledger that was restored. */
  static of(ledger: Ledger): LedgerRoot {
    const root = new LedgerRoot(ledger.context.crypto);
    root.refresh(ledger, recordNames(ledger));
    return root;
  }

  /** Takes in what changed and returns the root of the ledger as it stands. */
  current(ledger: Ledger): Uint8Array {
    this.refresh(ledger, [META, ...ledger.dirty]);
    ledger.dirty.clear();
    return this.#crypto.sha256(concatBytes(...this.#hashes));
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
      const bucket = this.#buckets[place.bucket] as Map<string, Uint8Array>;
      if (value === undefined) {
        bucket.delete(place.order);
        this.#names.delete(name);
      } else bucket.set(place.order, this.#crypto.sha256(value));
      stale.add(place.bucket);
    }
    for (const index of stale)
      this.#hashes[index] = hashBucket(this.#crypto, this.#buckets[index] as Map<string, Uint8Array>);
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
}

function hashBucket(crypto: Crypto, bucket: ReadonlyMap<string, Uint8Array>): Uint8Array {
  if (bucket.size === 0) return NOTHING;
  const writer = new Writer();
  for (const order of [...bucket.keys()].sort()) writer.raw(nameBytes(order)).raw(bucket.get(order) as Uint8Array);
  return crypto.sha256(writer.done());
}

/** The root that a ledger with these records would have, whatever is in them. */
export function rootOfRecords(crypto: Crypto, records: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const buckets: Map<string, Uint8Array>[] = Array.from({ length: BUCKETS }, () => new Map());
  for (const [name, value] of records) {
    const hash = crypto.sha256(nameBytes(name));
    buckets[hash[0] as number]?.set(String.fromCharCode(...hash), crypto.sha256(value));
  }
  return crypto.sha256(concatBytes(...buckets.map((bucket) => hashBucket(crypto, bucket))));
}

/** Names hold one byte a UTF-16 unit. */
export function nameBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(name.length);
  for (let i = 0; i < name.length; i++) bytes[i] = name.charCodeAt(i);
  return bytes;
}
