import { INCARNATION_BYTES, type Member, Reader, readMember, Writer } from '@trefoil/license';
import { LIMITS } from './limits.ts';
import { readSigned, type Signed, writeSigned } from './signed.ts';

/** The records of a license server's log file: everything durable it has, in the order in which it happened (PROTOCOL §1.4). */
export type LogRecord =
  /**
   * Entry and the statement signed over it, in one record. If its epoch is above the log's, this is an ADOPT as well: the log
   * is cut, logically, to index − 1 before the entry is put on.
   */
  | { readonly kind: 'voted'; readonly statement: Uint8Array; readonly entry: Uint8Array }
  | { readonly kind: 'certified'; readonly certificate: Uint8Array }
  /** Entries taken over without voting, up to the certificate's index. */
  | {
      readonly kind: 'caughtUp';
      readonly from: number;
      readonly entries: readonly Uint8Array[];
      readonly certificate: Uint8Array;
    }
  /** The promise and the PREPARE it answers; a repeated PREPARE gets the same promise. */
  | { readonly kind: 'promised'; readonly promise: Uint8Array; readonly prepare: Signed }
  | { readonly kind: 'incarnation'; readonly member: Member; readonly incarnation: Uint8Array }
  /** The log begins after this snapshot's root entry; `logEpoch` as it was, under that version of the configuration. */
  | {
      readonly kind: 'snapshot';
      readonly index: number;
      readonly logEpoch: number;
      readonly configVersion: number;
    }
  /** The last signed statement, where its entry is no longer in the file. */
  | { readonly kind: 'signedHigh'; readonly statement: Uint8Array }
  /** Why this server may have forgotten something: true until its next vote, through any number of starts. */
  | { readonly kind: 'suspect'; readonly why: string };

const KINDS = [
  'voted',
  'certified',
  'caughtUp',
  'promised',
  'incarnation',
  'snapshot',
  'signedHigh',
  'suspect',
] as const;

export function encodeRecord(record: LogRecord): Uint8Array {
  const writer = new Writer().u8(KINDS.indexOf(record.kind));
  switch (record.kind) {
    case 'voted':
      return writer.bytes(record.statement).bytes(record.entry).done();
    case 'certified':
      return writer.bytes(record.certificate).done();
    case 'caughtUp':
      writer.u64(record.from).bytes(record.certificate).u32(record.entries.length);
      for (const entry of record.entries) writer.bytes(entry);
      return writer.done();
    case 'promised':
      return writeSigned(writer.bytes(record.promise), record.prepare).done();
    case 'incarnation':
      return writer.u8(record.member).raw(record.incarnation).done();
    case 'snapshot':
      return writer.u64(record.index).u64(record.logEpoch).u32(record.configVersion).done();
    case 'signedHigh':
      return writer.bytes(record.statement).done();
    case 'suspect':
      return writer.text(record.why).done();
  }
}

export function decodeRecord(bytes: Uint8Array): LogRecord {
  const reader = new Reader(bytes);
  const record = readRecord(reader, KINDS[reader.code(0, KINDS.length - 1, 'record')] as LogRecord['kind']);
  reader.end();
  return record;
}

function readRecord(reader: Reader, kind: LogRecord['kind']): LogRecord {
  switch (kind) {
    case 'voted':
      return { kind, statement: reader.bytes(1024), entry: reader.bytes(LIMITS.entryBytes) };
    case 'certified':
      return { kind, certificate: reader.bytes(4096) };
    case 'caughtUp': {
      const from = reader.u64();
      const certificate = reader.bytes(4096);
      const entries: Uint8Array[] = [];
      for (let i = reader.u32(); i > 0; i--) entries.push(reader.bytes(LIMITS.entryBytes));
      return { kind, from, entries, certificate };
    }
    case 'promised':
      return { kind, promise: reader.bytes(1024), prepare: readSigned(reader) };
    case 'incarnation':
      return { kind, member: readMember(reader), incarnation: reader.raw(INCARNATION_BYTES) };
    case 'snapshot':
      return { kind, index: reader.u64(), logEpoch: reader.u64(), configVersion: reader.u32() };
    case 'signedHigh':
      return { kind, statement: reader.bytes(1024) };
    case 'suspect':
      return { kind, why: reader.text(1024) };
  }
}
