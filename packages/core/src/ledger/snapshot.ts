import {
  type Accept,
  bytesKey,
  decodeAccept,
  decodeCertificate,
  equalBytes,
  LicenseError,
  malformed,
  Reader,
  tag,
  verifyCertificate,
  Writer,
} from '@trefoil/license';
import { checkRules, decodeEntry, type Entry, headAfter } from '../entry.ts';
import { LIMITS } from '../limits.ts';
import { configurationFor, decodeConfigurations, encodeConfigurations } from './configurations.ts';
import { ledgerFromRecords } from './records.ts';
import { LedgerRoot, rootOfRecords } from './root.ts';
import { type Ledger, type LedgerContext, newestRules } from './state.ts';

/**
 * A snapshot: the ledger before a root entry, and the certified entry whose root it has to have (PROTOCOL §8.3). Anyone may
 * hand it over; nothing in it is believed before the certificate and the root fit.
 */
export interface Snapshot {
  readonly head: Uint8Array;
  readonly entry: Uint8Array;
  readonly certificate: Uint8Array;
  /** As in the ledger (PROTOCOL §4.9): without them nobody new could verify the certificate. */
  readonly configurations: Uint8Array;
  readonly records: Uint8Array;
}

const TAG = tag('trefoil/snapshot');

/** The records alone. */
export function encodeRecords(ledger: Ledger): Uint8Array {
  return writtenRecords(LedgerRoot.of(ledger, true).records());
}

function writtenRecords(records: readonly Uint8Array[]): Uint8Array {
  return joinedParts([new Writer().u32(records.length).done(), ...records]);
}

/** Of one copy: a snapshot may be as large as a frame. */
export function joinedParts(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * What a snapshot consists of, one after the other, and no copy of it: a hundred thousand records could not be copied without a pause that
 * everybody feels. `records`: each of them (LedgerRoot.records), taken at the moment before the root entry.
 */
export function snapshotParts({
  records,
  ...rest
}: SnapshotHead & { readonly records: readonly Uint8Array[] }): readonly Uint8Array[] {
  const count = new Writer().u32(records.length).done();
  const length = records.reduce((sum, record) => sum + record.length, count.length);
  return [writtenHead(rest).u32(length).done(), count, ...records];
}

export function encodeSnapshot({ records, ...rest }: Snapshot): Uint8Array {
  return writtenHead(rest).bytes(records).done();
}

type SnapshotHead = Omit<Snapshot, 'records'>;

function writtenHead({ head, entry, certificate, configurations }: SnapshotHead): Writer {
  return new Writer().raw(TAG).raw(head).bytes(entry).bytes(certificate).bytes(configurations);
}

export interface Installed {
  readonly ledger: Ledger;
  readonly root: LedgerRoot;
  /** Head before the root entry, and that entry, to be applied next. */
  readonly head: Uint8Array;
  readonly entry: Entry;
  readonly entryBytes: Uint8Array;
  readonly certificate: Uint8Array;
  readonly accept: Accept;
}

/** What it is certified to be, under the configuration that it says is in force there. @throws LicenseError */
export function acceptOfSnapshot(context: LedgerContext, { certificate, configurations }: Snapshot): Accept {
  const decoded = decodeCertificate(certificate);
  const { index } = decodeAccept(decoded.statement);
  const known = { configurations: decodeConfigurations(context, configurations) };
  return verifyCertificate(context.crypto, configurationFor(known, index), decoded);
}

/** Throws LicenseError if anything in it doesn't fit. */
export function openSnapshot(context: LedgerContext, bytes: Uint8Array, maxBytes: number): Installed {
  const parts = readParts(bytes, maxBytes);
  const { head, entry: entryBytes, certificate } = parts;
  const accept = acceptOfSnapshot(context, parts);
  if (!equalBytes(accept.head, headAfter(context.crypto, head, entryBytes)))
    throw new LicenseError('wrong-proof', 'the certificate of the snapshot is for another entry');
  const entry = decodeEntry(entryBytes);
  checkRules(entry, newestRules(context));
  // Before anything is made of the records: whoever sends them may have filled them with what takes long to be read.
  const { ledgerRoot } = entry;
  if (ledgerRoot === undefined) throw new LicenseError('wrong-proof', 'the entry of the snapshot has no root');
  const records = readRecords(new Reader(parts.records));
  if (!equalBytes(rootOfRecords(context.crypto, records), ledgerRoot))
    throw new LicenseError('wrong-proof', 'the snapshot is not the ledger that was certified');
  const ledger = ledgerFromRecords(context, records);
  const root = LedgerRoot.of(ledger, true);
  // A record under another name, or written otherwise, would give the same root: this ledger's, not that of the bytes.
  if (!equalBytes(writtenRecords(root.records()), parts.records))
    throw malformed('the records of a snapshot in another form');
  if (!equalBytes(encodeConfigurations(ledger), parts.configurations))
    throw new LicenseError('wrong-proof', 'the configurations of the snapshot are not those of its ledger');
  if (ledger.index !== entry.index - 1 || !equalBytes(root.current(ledger), ledgerRoot))
    throw new LicenseError('wrong-proof', 'the snapshot is not the ledger that was certified');
  return { ledger, root, head, entry, entryBytes, certificate, accept };
}

/** The parts as they stand there, nothing of them checked: to see what a snapshot claims before reading all of it. */
export function peekSnapshot(bytes: Uint8Array): Snapshot {
  return readParts(bytes, Number.MAX_SAFE_INTEGER);
}

/** Its records by their names, as they stand there. @throws LicenseError */
export function recordsOfSnapshot(bytes: Uint8Array): Map<string, Uint8Array> {
  return readRecords(new Reader(peekSnapshot(bytes).records));
}

function readParts(bytes: Uint8Array, maxBytes: number): Snapshot {
  const reader = new Reader(bytes);
  reader.expect(TAG, 'tag');
  const parts = {
    head: new Uint8Array(reader.raw(32)),
    entry: new Uint8Array(reader.bytes(maxBytes)),
    certificate: new Uint8Array(reader.bytes(4096)),
    configurations: new Uint8Array(reader.bytes(maxBytes)),
    records: reader.bytes(maxBytes),
  };
  reader.end();
  return parts;
}

function readRecords(reader: Reader): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  const count = reader.u32();
  if (count > LIMITS.ledgerRecords) throw malformed(`a snapshot of ${count} records`);
  for (let i = count; i > 0; i--) {
    const name = bytesKey(reader.bytes(256));
    if (records.has(name)) throw malformed('a record twice in a snapshot');
    records.set(name, reader.bytes(Number.MAX_SAFE_INTEGER));
  }
  reader.end();
  return records;
}
