import {
  bytesKey,
  decodeCertificate,
  equalBytes,
  LicenseError,
  malformed,
  Reader,
  tag,
  verifyCertificate,
  Writer,
} from '@trefoil/license';
import { decodeEntry, type Entry, headAfter, OtherRules, RULES_VERSION } from '../entry.ts';
import { LIMITS } from '../limits.ts';
import { encodeRecord, ledgerFromRecords, recordNames } from './records.ts';
import { LedgerRoot, nameBytes, rootOfRecords } from './root.ts';
import type { Ledger, LedgerContext } from './state.ts';

/**
 * A snapshot: the ledger before a root entry, and the certified entry whose root it has to have (PROTOCOL §8.3). Anyone may
 * hand it over; nothing in it is believed before the certificate and the root fit.
 */
export interface Snapshot {
  readonly head: Uint8Array;
  readonly entry: Uint8Array;
  readonly certificate: Uint8Array;
  readonly records: Uint8Array;
}

const TAG = tag('trefoil/snapshot');

/** The records alone, taken at the moment before the root entry; the certificate comes later. */
export function encodeRecords(ledger: Ledger): Uint8Array {
  const names = recordNames(ledger);
  const writer = new Writer().u32(names.length);
  for (const name of names) writer.bytes(nameBytes(name)).bytes(encodeRecord(ledger, name) as Uint8Array);
  return writer.done();
}

export function encodeSnapshot(snapshot: Snapshot): Uint8Array {
  return new Writer()
    .raw(TAG)
    .raw(snapshot.head)
    .bytes(snapshot.entry)
    .bytes(snapshot.certificate)
    .bytes(snapshot.records)
    .done();
}

export interface Installed {
  readonly ledger: Ledger;
  readonly root: LedgerRoot;
  /** Head before the root entry, and that entry, to be applied next. */
  readonly head: Uint8Array;
  readonly entry: Entry;
  readonly entryBytes: Uint8Array;
  readonly certificate: Uint8Array;
}

/** Throws LicenseError if anything in it doesn't fit. */
export function openSnapshot(context: LedgerContext, bytes: Uint8Array, maxBytes: number): Installed {
  const parts = readParts(bytes, maxBytes);
  const { head, entry: entryBytes, certificate } = parts;
  const accept = verifyCertificate(context.crypto, context.configuration, decodeCertificate(certificate));
  if (!equalBytes(accept.head, headAfter(context.crypto, head, entryBytes)))
    throw new LicenseError('wrong-proof', 'the certificate of the snapshot is for another entry');
  const entry = decodeEntry(entryBytes);
  if (entry.rulesVersion !== RULES_VERSION) throw new OtherRules(entry);
  // Before anything is made of the records: whoever sends them may have filled them with what takes long to be read.
  const { ledgerRoot } = entry;
  if (ledgerRoot === undefined) throw new LicenseError('wrong-proof', 'the entry of the snapshot has no root');
  const records = readRecords(new Reader(parts.records));
  if (!equalBytes(rootOfRecords(context.crypto, records), ledgerRoot))
    throw new LicenseError('wrong-proof', 'the snapshot is not the ledger that was certified');
  const ledger = ledgerFromRecords(context, records);
  // A record under another name, or written otherwise, would give the same root: this ledger's, not that of the bytes.
  if (!equalBytes(encodeRecords(ledger), parts.records)) throw malformed('the records of a snapshot in another form');
  const root = LedgerRoot.of(ledger);
  if (ledger.index !== entry.index - 1 || !equalBytes(root.current(ledger), ledgerRoot))
    throw new LicenseError('wrong-proof', 'the snapshot is not the ledger that was certified');
  return { ledger, root, head, entry, entryBytes, certificate };
}

/** The parts as they stand there, nothing of them checked: to see what a snapshot claims before reading all of it. */
export function peekSnapshot(bytes: Uint8Array): Snapshot {
  return readParts(bytes, Number.MAX_SAFE_INTEGER);
}

function readParts(bytes: Uint8Array, maxBytes: number): Snapshot {
  const reader = new Reader(bytes);
  reader.expect(TAG, 'tag');
  const parts = {
    head: new Uint8Array(reader.raw(32)),
    entry: new Uint8Array(reader.bytes(maxBytes)),
    certificate: new Uint8Array(reader.bytes(4096)),
    records: reader.bytes(maxBytes),
  };
  reader.end();
  return parts;
}

function readRecords(reader: Reader): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  let previous = '';
  const count = reader.u32();
  if (count > LIMITS.ledgerRecords) throw malformed(`a snapshot of ${count} records`);
  for (let i = count; i > 0; i--) {
    const name = bytesKey(reader.bytes(256));
    if (name <= previous) throw malformed('records out of order');
    previous = name;
    records.set(name, reader.bytes(Number.MAX_SAFE_INTEGER));
  }
  reader.end();
  return records;
}
