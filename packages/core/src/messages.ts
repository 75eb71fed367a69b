import {
  INCARNATION_BYTES,
  malformed,
  type Member,
  Reader,
  readMember,
  SIGNATURE_BYTES,
  Writer,
} from '@trefoil/license';
import {
  type AboutProposer,
  type AboutVoter,
  readAboutProposer,
  readAboutVoter,
  writeAboutProposer,
  writeAboutVoter,
} from './about.ts';
import { LIMITS } from './limits.ts';
import { MAX_CERTIFICATE_BYTES, readMany, readSigned, type Signed, writeSigned } from './signed.ts';
import { readStatus, type VoterStatus, writeStatus } from './voter-status.ts';

/** What a TMR server says to a license server (PROTOCOL §1.3). */
export type ToVoter =
  | {
      readonly kind: 'beat';
      readonly epoch: number;
      readonly heard: number;
      readonly clients: number;
      readonly holdsVirtualIp: boolean;
    }
  /** It leads this epoch no longer, by its own decision (PROTOCOL §4.8). */
  | { readonly kind: 'resign'; readonly epoch: number }
  | { readonly kind: 'prepare'; readonly prepare: Signed }
  | {
      readonly kind: 'propose';
      readonly configVersion: number;
      readonly epoch: number;
      readonly index: number;
      readonly head: Uint8Array;
      readonly signature: Uint8Array;
      readonly entry: Uint8Array;
      /** Of index − 1; empty when the receiver is known to hold it, or at the log's start. */
      readonly certificate: Uint8Array;
      /** Promises that justify the base of this epoch; empty once the receiver has adopted it. */
      readonly justification: readonly Signed[];
    }
  | { readonly kind: 'certified'; readonly certificate: Uint8Array }
  | EntriesMessage
  | { readonly kind: 'snapshot'; readonly bytes: Uint8Array }
  | { readonly kind: 'fetch'; readonly from: number }
  /** A re-join of another member, to be stored. */
  | { readonly kind: 'rejoin'; readonly member: Member; readonly rejoin: Signed }
  /** By what a peer knows this very license server: it should sign a REJOIN that replaces it. */
  | { readonly kind: 'knownAs'; readonly incarnation: Uint8Array }
  /** The newest vote, or the newest promise, that the TMR server has of this very license server (PROTOCOL §7.2). */
  | { readonly kind: 'shown'; readonly vote: Signed }
  | AboutProposer;

export interface EntriesMessage {
  readonly kind: 'entries';
  readonly from: number;
  readonly entries: readonly Uint8Array[];
  /** Of the last of them. */
  readonly certificate: Uint8Array;
}

/** What a license server says to a TMR server. */
export type ToProposer =
  | VoterStatus
  /** Beside the vote: the sender's log clock, so that the next entry's time is up to date. */
  | { readonly kind: 'vote'; readonly vote: Signed; readonly logClock: number }
  | {
      readonly kind: 'promise';
      readonly promise: Signed;
      readonly certificate: Uint8Array;
      /** The entry after it, if the signer has one; else empty. */
      readonly tail: Uint8Array;
    }
  | { readonly kind: 'refused'; readonly what: 'prepare' | 'propose'; readonly epoch: number; readonly reason: Refusal }
  /** Somebody was promised a higher epoch: the proof that makes the active one step down. */
  | { readonly kind: 'superseded'; readonly prepare: Signed }
  /** Beside a refusal: the PREPARE that it has promised before. */
  | { readonly kind: 'asked'; readonly prepare: Signed }
  /** The other TMR server has clients that it can't forward: please hand over if you have none. */
  | { readonly kind: 'handOver'; readonly prepare: Signed }
  | EntriesMessage
  | { readonly kind: 'snapshot'; readonly bytes: Uint8Array }
  | AboutVoter;

export const REFUSALS = [
  'stale-epoch', // promised to a higher one
  'active-lives',
  'withholding',
  'behind', // lacks entries below the proposed one
  'bad-signature',
  'bad-justification',
  'bad-certificate',
  'wrong-head',
  'log-time',
  'utc',
  'rules-version',
  'malformed',
  'ledger-root',
  'equivocation',
  'epoch-jump',
  'other-configuration', // than the one that is in force here
] as const;
export type Refusal = (typeof REFUSALS)[number];

const TO_VOTER = [
  'beat',
  'prepare',
  'propose',
  'certified',
  'entries',
  'snapshot',
  'fetch',
  'rejoin',
  'shown',
  'knownAs',
  'resign',
  'about', // on links of version 2 and later only: a program of before does not know it
] as const;
const TO_PROPOSER = [
  'status',
  'vote',
  'promise',
  'refused',
  'superseded',
  'handOver',
  'entries',
  'snapshot',
  'asked',
  'about', // likewise
] as const;

const MAX_SNAPSHOT_BYTES = 1024 * 1024 * 1024;

export function encodeToVoter(message: ToVoter): Uint8Array {
  const writer = new Writer().u8(TO_VOTER.indexOf(message.kind));
  switch (message.kind) {
    case 'beat':
      writer
        .u64(message.epoch)
        .u8(message.heard)
        .u32(message.clients)
        .u8(message.holdsVirtualIp ? 1 : 0);
      break;
    case 'prepare':
      writeSigned(writer, message.prepare);
      break;
    case 'propose':
      writer.u32(message.configVersion).u64(message.epoch).u64(message.index);
      writer.raw(message.head).raw(message.signature);
      writer.bytes(message.entry).bytes(message.certificate).u8(message.justification.length);
      for (const promise of message.justification) writeSigned(writer, promise);
      break;
    case 'certified':
      writer.bytes(message.certificate);
      break;
    case 'entries':
      writeEntries(writer, message);
      break;
    case 'snapshot':
      writer.bytes(message.bytes);
      break;
    case 'fetch':
      writer.u64(message.from);
      break;
    case 'rejoin':
      writeSigned(writer.u8(message.member), message.rejoin);
      break;
    case 'knownAs':
      writer.raw(message.incarnation);
      break;
    case 'shown':
      writeSigned(writer, message.vote);
      break;
    case 'resign':
      writer.u64(message.epoch);
      break;
    case 'about':
      writeAboutProposer(writer, message);
      break;
  }
  return writer.done();
}

export function decodeToVoter(bytes: Uint8Array): ToVoter {
  const reader = new Reader(bytes);
  const message = readToVoter(reader, TO_VOTER[reader.code(0, TO_VOTER.length - 1, 'message')] as ToVoter['kind']);
  reader.end();
  return message;
}

function readToVoter(reader: Reader, kind: ToVoter['kind']): ToVoter {
  switch (kind) {
    case 'beat':
      return {
        ...{ kind, epoch: reader.u64(), heard: reader.u8(), clients: reader.u32() },
        holdsVirtualIp: reader.code(0, 1, 'flag') === 1,
      };
    case 'prepare':
      return { kind, prepare: readSigned(reader) };
    case 'propose':
      return {
        kind,
        configVersion: reader.u32(),
        epoch: reader.u64(),
        index: reader.u64(),
        head: reader.raw(32),
        signature: reader.raw(SIGNATURE_BYTES),
        entry: reader.bytes(LIMITS.entryBytes),
        certificate: reader.bytes(MAX_CERTIFICATE_BYTES),
        justification: readMany(reader, reader.code(0, 3, 'count'), readSigned),
      };
    case 'certified':
      return { kind, certificate: reader.bytes(MAX_CERTIFICATE_BYTES) };
    case 'entries':
      return readEntries(reader);
    case 'snapshot':
      return { kind, bytes: reader.bytes(MAX_SNAPSHOT_BYTES) };
    case 'fetch':
      return { kind, from: reader.u64() };
    case 'rejoin':
      return { kind, member: readMember(reader), rejoin: readSigned(reader) };
    case 'knownAs':
      return { kind, incarnation: reader.raw(INCARNATION_BYTES) };
    case 'shown':
      return { kind, vote: readSigned(reader) };
    case 'resign':
      return { kind, epoch: reader.u64() };
    case 'about':
      return readAboutProposer(reader);
  }
}

export function encodeToProposer(message: ToProposer): Uint8Array {
  const writer = new Writer().u8(TO_PROPOSER.indexOf(message.kind));
  switch (message.kind) {
    case 'status':
      writeStatus(writer, message);
      break;
    case 'vote':
      writeSigned(writer, message.vote).u64(message.logClock);
      break;
    case 'promise':
      writeSigned(writer, message.promise).bytes(message.certificate).bytes(message.tail);
      break;
    case 'refused':
      writer
        .u8(message.what === 'prepare' ? 0 : 1)
        .u64(message.epoch)
        .u8(REFUSALS.indexOf(message.reason));
      break;
    case 'superseded':
    case 'asked':
    case 'handOver':
      writeSigned(writer, message.prepare);
      break;
    case 'entries':
      writeEntries(writer, message);
      break;
    case 'snapshot':
      writer.bytes(message.bytes);
      break;
    case 'about':
      writeAboutVoter(writer, message);
      break;
  }
  return writer.done();
}

export function decodeToProposer(bytes: Uint8Array): ToProposer {
  const reader = new Reader(bytes);
  const message = readToProposer(
    reader,
    TO_PROPOSER[reader.code(0, TO_PROPOSER.length - 1, 'message')] as ToProposer['kind'],
  );
  reader.end();
  return message;
}

function readToProposer(reader: Reader, kind: ToProposer['kind']): ToProposer {
  switch (kind) {
    case 'status':
      return readStatus(reader);
    case 'vote':
      return { kind, vote: readSigned(reader), logClock: reader.u64() };
    case 'promise':
      return {
        kind,
        promise: readSigned(reader),
        certificate: reader.bytes(MAX_CERTIFICATE_BYTES),
        tail: reader.bytes(LIMITS.entryBytes),
      };
    case 'refused':
      return {
        kind,
        what: reader.code(0, 1, 'flag') === 0 ? 'prepare' : 'propose',
        epoch: reader.u64(),
        reason: REFUSALS[reader.code(0, REFUSALS.length - 1, 'refusal')] as Refusal,
      };
    case 'superseded':
    case 'asked':
    case 'handOver':
      return { kind, prepare: readSigned(reader) };
    case 'entries':
      return readEntries(reader);
    case 'snapshot':
      return { kind, bytes: reader.bytes(MAX_SNAPSHOT_BYTES) };
    case 'about':
      return readAboutVoter(reader);
  }
}

const LENGTH_BYTES = 4;

function writeEntries(writer: Writer, message: EntriesMessage): void {
  writer.u64(message.from).u32(message.entries.length);
  for (const entry of message.entries) writer.bytes(entry);
  writer.bytes(message.certificate);
}

function readEntries(reader: Reader): EntriesMessage {
  const from = reader.u64();
  const count = reader.u32();
  if (count > 1_000_000) throw malformed(`${count} entries`);
  let room: number = LIMITS.chunkBytes;
  const entries = readMany(reader, count, () => {
    const entry = reader.bytes(LIMITS.entryBytes);
    room -= LENGTH_BYTES + entry.length;
    if (room < 0) throw malformed(`entries of more than ${LIMITS.chunkBytes} bytes`);
    return entry;
  });
  return { kind: 'entries', from, entries, certificate: reader.bytes(MAX_CERTIFICATE_BYTES) };
}
