import { encodeUtf8, malformed, Reader, Writer } from './bytes.ts';
import { DIGEST_BYTES } from './crypto.ts';

/**
 * What servers sign, as fixed-width bytes (FORMATS §3.1 and §3.4). Each begins with a tag of 16 bytes, so that a signature under one
 * meaning is never one under another.
 */
export type Member = 1 | 2 | 3;

export const SET_ID_BYTES = 16;
export const INCARNATION_BYTES = 16;
export const NONCE_BYTES = 16;

/** An ASCII tag, padded with NUL to 16 bytes. */
export function tag(name: string): Uint8Array {
  const bytes = encodeUtf8(name);
  if (bytes.length > 16) throw new RangeError('a tag has at most 16 bytes');
  const padded = new Uint8Array(16);
  padded.set(bytes);
  return padded;
}

export const TAGS = {
  accept: tag('trefoil/accept'),
  promise: tag('trefoil/promise'),
  prepare: tag('trefoil/prepare'),
  propose: tag('trefoil/propose'),
  rejoin: tag('trefoil/rejoin'),
  head: tag('trefoil/head'),
  genesis: tag('trefoil/genesis'),
  entry: tag('trefoil/entry'),
  keyId: tag('trefoil/key'),
  session: tag('trefoil/session'),
  handle: tag('trefoil/handle'),
  open: tag('trefoil/open'),
  consume: tag('trefoil/consume'),
  borrow: tag('trefoil/borrow'),
  extend: tag('trefoil/extend'),
  evict: tag('trefoil/evict'),
  rules: tag('trefoil/rules'),
  unname: tag('trefoil/unname'),
  writeOff: tag('trefoil/writeoff'),
} as const;

/** A vote: "my log up to `index` has this head, and these are the outcomes of its last entry". */
export interface Accept {
  readonly set: Uint8Array;
  readonly configVersion: number;
  readonly epoch: number;
  readonly index: number;
  readonly head: Uint8Array;
  readonly outcomesRoot: Uint8Array;
  readonly leafCount: number;
  /** Milliseconds since the log's start; rules seats and sessions. */
  readonly logTime: number;
  /** Milliseconds since 1970; rules license dates. */
  readonly utc: number;
}

export const ACCEPT_BYTES = 16 + SET_ID_BYTES + 4 + 8 + 8 + DIGEST_BYTES + DIGEST_BYTES + 4 + 8 + 8;

export function encodeAccept(accept: Accept): Uint8Array {
  return new Writer()
    .raw(TAGS.accept)
    .raw(accept.set)
    .u32(accept.configVersion)
    .u64(accept.epoch)
    .u64(accept.index)
    .raw(accept.head)
    .raw(accept.outcomesRoot)
    .u32(accept.leafCount)
    .u64(accept.logTime)
    .u64(accept.utc)
    .done();
}

export function decodeAccept(bytes: Uint8Array): Accept {
  const reader = new Reader(bytes);
  reader.expect(TAGS.accept, 'tag');
  const accept = {
    set: reader.raw(SET_ID_BYTES),
    configVersion: reader.u32(),
    epoch: reader.u64(),
    index: reader.u64(),
    head: reader.raw(DIGEST_BYTES),
    outcomesRoot: reader.raw(DIGEST_BYTES),
    leafCount: reader.u32(),
    logTime: reader.u64(),
    utc: reader.u64(),
  };
  reader.end();
  return accept;
}

/** "I will sign nothing of a lower epoch, and this is my log." */
export interface LogPromise {
  readonly set: Uint8Array;
  readonly configVersion: number;
  readonly epoch: number;
  readonly member: Member;
  /** As the signer knows all three, in member order. */
  readonly incarnations: readonly [Uint8Array, Uint8Array, Uint8Array];
  readonly logEpoch: number;
  readonly lastIndex: number;
  readonly lastHead: Uint8Array;
  /** From the PREPARE that it answers. */
  readonly nonce: Uint8Array;
}

export function encodePromise(promise: LogPromise): Uint8Array {
  const writer = new Writer()
    .raw(TAGS.promise)
    .raw(promise.set)
    .u32(promise.configVersion)
    .u64(promise.epoch)
    .u8(promise.member);
  for (const incarnation of promise.incarnations) writer.raw(incarnation);
  return writer.u64(promise.logEpoch).u64(promise.lastIndex).raw(promise.lastHead).raw(promise.nonce).done();
}

export function decodePromise(bytes: Uint8Array): LogPromise {
  const reader = new Reader(bytes);
  reader.expect(TAGS.promise, 'tag');
  const promise = {
    set: reader.raw(SET_ID_BYTES),
    configVersion: reader.u32(),
    epoch: reader.u64(),
    member: readMember(reader),
    incarnations: [
      reader.raw(INCARNATION_BYTES),
      reader.raw(INCARNATION_BYTES),
      reader.raw(INCARNATION_BYTES),
    ] as const,
    logEpoch: reader.u64(),
    lastIndex: reader.u64(),
    lastHead: reader.raw(DIGEST_BYTES),
    nonce: reader.raw(NONCE_BYTES),
  };
  reader.end();
  return promise;
}

export function readMember(reader: Reader): Member {
  const member = reader.u8();
  if (member !== 1 && member !== 2 && member !== 3) throw malformed(`no member ${member}`);
  return member;
}

/** A TMR server asks for an epoch. Signed, so that duels and lies can be shown. */
export interface Prepare {
  readonly set: Uint8Array;
  readonly configVersion: number;
  readonly epoch: number;
  /** Clients wait that this TMR server can't forward to the active one (PROTOCOL §4.6). */
  readonly clientsWait: boolean;
  readonly nonce: Uint8Array;
}

export function encodePrepare(prepare: Prepare): Uint8Array {
  return new Writer()
    .raw(TAGS.prepare)
    .raw(prepare.set)
    .u32(prepare.configVersion)
    .u64(prepare.epoch)
    .u8(prepare.clientsWait ? 1 : 0)
    .raw(prepare.nonce)
    .done();
}

export function decodePrepare(bytes: Uint8Array): Prepare {
  const reader = new Reader(bytes);
  reader.expect(TAGS.prepare, 'tag');
  const prepare = {
    set: reader.raw(SET_ID_BYTES),
    configVersion: reader.u32(),
    epoch: reader.u64(),
    clientsWait: reader.code(0, 1, 'flag') === 1,
    nonce: reader.raw(NONCE_BYTES),
  };
  reader.end();
  return prepare;
}

/** "I have started anew; what I signed before this start I may have forgotten." */
export interface Rejoin {
  readonly set: Uint8Array;
  readonly configVersion: number;
  readonly member: Member;
  /** Drawn at this start. */
  readonly incarnation: Uint8Array;
  /** The one by which a peer knows it: only that peer takes this statement, so an old one never counts again. */
  readonly replaces: Uint8Array;
}

export function encodeRejoin(rejoin: Rejoin): Uint8Array {
  const writer = new Writer().raw(TAGS.rejoin).raw(rejoin.set).u32(rejoin.configVersion).u8(rejoin.member);
  return writer.raw(rejoin.incarnation).raw(rejoin.replaces).done();
}

export function decodeRejoin(bytes: Uint8Array): Rejoin {
  const reader = new Reader(bytes);
  reader.expect(TAGS.rejoin, 'tag');
  const rejoin = {
    set: reader.raw(SET_ID_BYTES),
    configVersion: reader.u32(),
    member: readMember(reader),
    incarnation: reader.raw(INCARNATION_BYTES),
    replaces: reader.raw(INCARNATION_BYTES),
  };
  reader.end();
  return rejoin;
}

/** What the signature of a PROPOSE covers; certificate and justification are outside, or an honest re-send would look like a lie. */
export function encodePropose(propose: {
  set: Uint8Array;
  configVersion: number;
  epoch: number;
  index: number;
  head: Uint8Array;
}): Uint8Array {
  return new Writer()
    .raw(TAGS.propose)
    .raw(propose.set)
    .u32(propose.configVersion)
    .u64(propose.epoch)
    .u64(propose.index)
    .raw(propose.head)
    .done();
}

export type TmrServer = 'A' | 'B';

/** Every epoch belongs to one TMR server for ever: epoch = counter · 2 + number (PROTOCOL §1.2). */
export function epochOwner(epoch: number): TmrServer {
  return epoch % 2 === 0 ? 'A' : 'B';
}

export function epochCounter(epoch: number): number {
  return Math.floor(epoch / 2);
}

export function epochOf(counter: number, owner: TmrServer): number {
  return counter * 2 + (owner === 'A' ? 0 : 1);
}
