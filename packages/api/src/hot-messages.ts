import { type CallFrame, writeCallHeader, CALL_HEADER_BYTES } from './calls.ts';

/**
 * The two messages that travel ten thousand times a second, as call frames in one piece. Protobuf by hand: the same bytes as
 * `toBinary` writes (hot-messages.test.ts), without four buffers for each.
 */

export interface SubmitFields {
  readonly set: Uint8Array;
  readonly command: Uint8Array;
  readonly patienceMs: number;
  readonly stuck: boolean;
}

/** A call of `submit` with its SubmitRequest. */
export function encodeSubmitCall(call: number, request: SubmitFields): Uint8Array {
  const { set, command, patienceMs, stuck } = request;
  const length =
    bytesLength(set) + bytesLength(command) + (patienceMs === 0 ? 0 : 1 + varintLength(patienceMs)) + (stuck ? 2 : 0);
  const frame = newFrame({ kind: 'request', call, method: 'submit' }, length);
  let at = writeBytes(frame, CALL_HEADER_BYTES, 1, set);
  at = writeBytes(frame, at, 2, command);
  if (patienceMs !== 0) at = writeVarintField(frame, at, 3, patienceMs);
  if (stuck) writeVarintField(frame, at, 4, 1);
  return frame;
}

export interface CertifiedFields {
  readonly outcome: Uint8Array;
  readonly leafIndex: number;
  readonly path: readonly Uint8Array[];
  readonly certificate: Uint8Array;
}

/** The reply to a call of `submit`: a SubmitReply with a certified outcome. */
export function encodeCertifiedReply(call: number, certified: CertifiedFields): Uint8Array {
  const { outcome, leafIndex, path, certificate } = certified;
  let inner = bytesLength(outcome) + (leafIndex === 0 ? 0 : 1 + varintLength(leafIndex)) + bytesLength(certificate);
  for (const hash of path) inner += 1 + varintLength(hash.length) + hash.length;
  const frame = newFrame({ kind: 'reply', call, method: 'submit' }, 1 + varintLength(inner) + inner);
  let at = CALL_HEADER_BYTES;
  frame[at++] = tag(1, LENGTH_DELIMITED);
  at = writeVarint(frame, at, inner);
  at = writeBytes(frame, at, 1, outcome);
  if (leafIndex !== 0) at = writeVarintField(frame, at, 2, leafIndex);
  for (const hash of path) at = writePresentBytes(frame, at, 3, hash);
  writeBytes(frame, at, 4, certificate);
  return frame;
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;

function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

/** Sent within the same turn of the event loop and then forgotten: so it may come from Node's pool. */
function newFrame(head: Omit<CallFrame, 'body'>, bodyBytes: number): Uint8Array {
  const frame = Buffer.allocUnsafe(CALL_HEADER_BYTES + bodyBytes);
  writeCallHeader(frame, head);
  return frame;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) length++;
  return length;
}

/** An empty field isn't written. */
function bytesLength(bytes: Uint8Array): number {
  return bytes.length === 0 ? 0 : 1 + varintLength(bytes.length) + bytes.length;
}

function writeVarint(frame: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) frame[at++] = (rest & 0x7f) | 0x80;
  frame[at++] = rest;
  return at;
}

function writeVarintField(frame: Uint8Array, at: number, field: number, value: number): number {
  frame[at] = tag(field, VARINT);
  return writeVarint(frame, at + 1, value);
}

function writeBytes(frame: Uint8Array, at: number, field: number, bytes: Uint8Array): number {
  return bytes.length === 0 ? at : writePresentBytes(frame, at, field, bytes);
}

function writePresentBytes(frame: Uint8Array, at: number, field: number, bytes: Uint8Array): number {
  frame[at] = tag(field, LENGTH_DELIMITED);
  const start = writeVarint(frame, at + 1, bytes.length);
  frame.set(bytes, start);
  return start + bytes.length;
}
