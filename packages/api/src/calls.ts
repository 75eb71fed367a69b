/**
 * Calls in our own frames (ALPN `trefoil/1`): many at once on one connection, answered in any order. A frame is
 * `kind u8 ‖ call u32 ‖ method u8 ‖ protobuf message` (FORMATS §8).
 */
export const CALL_KINDS = ['request', 'reply', 'item', 'end', 'error'] as const;
export type CallKind = (typeof CALL_KINDS)[number];

/** In the order of the methods in trefoil.proto; the number is what travels. */
export const METHODS = [
  'describe',
  'submit',
  'getLicense',
  'status',
  'listLicenses',
  'listSessions',
  'watch',
  'awaitTurn',
  'getRules',
  'tryRules',
  'getUsage',
  'handOver',
] as const;
export type Method = (typeof METHODS)[number];

export interface CallFrame {
  readonly kind: CallKind;
  /** Chosen by the caller, unique among its open calls. */
  readonly call: number;
  readonly method: Method;
  /** The message; for `error` a sentence in UTF-8. */
  readonly body: Uint8Array;
}

export const CALL_HEADER_BYTES = 6;

export function encodeCallFrame(frame: CallFrame): Uint8Array {
  const bytes = new Uint8Array(CALL_HEADER_BYTES + frame.body.length);
  writeCallHeader(bytes, frame);
  bytes.set(frame.body, CALL_HEADER_BYTES);
  return bytes;
}

export function writeCallHeader(bytes: Uint8Array, { kind, call, method }: Omit<CallFrame, 'body'>): void {
  bytes[0] = CALL_KINDS.indexOf(kind);
  bytes[1] = call >>> 24;
  bytes[2] = call >>> 16;
  bytes[3] = call >>> 8;
  bytes[4] = call;
  bytes[5] = METHODS.indexOf(method);
}

/** undefined = not one of ours: the connection speaks something else. */
export function decodeCallFrame(bytes: Uint8Array): CallFrame | undefined {
  const kind = CALL_KINDS[bytes[0] ?? 255];
  const method = METHODS[bytes[5] ?? 255];
  if (kind === undefined || method === undefined || bytes.length < CALL_HEADER_BYTES) return undefined;
  const call = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  return { kind, call, method, body: bytes.subarray(CALL_HEADER_BYTES) };
}
