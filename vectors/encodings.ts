import {
  concatBytes,
  encodeAccept,
  encodePrepare,
  encodePromise,
  encodePropose,
  encodeRejoin,
  merklePath,
  merkleTree,
  TAGS,
  toBase64url,
} from '@trefoil/license';
import { GRANTED_UTC } from '@trefoil/license/fixtures';
import { nodeCrypto } from '@trefoil/license/node-crypto';

/** Named bytes and what they say; bytes in base64url, also inside. */
export interface EncodingVectors {
  readonly description: string;
  readonly valid: readonly { readonly name: string; readonly value: unknown; readonly bytes: string }[];
  readonly invalid: readonly {
    readonly name: string;
    readonly kind?: string;
    readonly why: string;
    readonly bytes: string;
  }[];
}

export const fill = (byte: number, length: number): Uint8Array => new Uint8Array(length).fill(byte);

/** Byte fields as base64url, so that JSON can carry them. */
function jsonOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return toBase64url(value);
  if (Array.isArray(value)) return value.map(jsonOf);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, jsonOf(one)]));
}

export function entry(name: string, value: object, bytes: Uint8Array) {
  return { name, value: jsonOf(value), bytes: toBase64url(bytes) };
}

export function wrong(name: string, bytes: Uint8Array, kind?: string) {
  return { name, ...(kind !== undefined && { kind }), why: 'malformed', bytes: toBase64url(bytes) };
}

export const cut = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, -1);
export const extended = (bytes: Uint8Array): Uint8Array => concatBytes(bytes, Uint8Array.of(0));

export function statementVectors(): EncodingVectors {
  const head = { set: fill(1, 16), configVersion: 3, epoch: 14 };
  const accept = {
    ...head,
    index: 42,
    head: fill(2, 32),
    outcomesRoot: fill(3, 32),
    leafCount: 7,
    logTime: 1_000_000,
    utc: GRANTED_UTC,
  };
  const promise = {
    ...head,
    member: 2 as const,
    incarnations: [fill(4, 16), fill(5, 16), fill(6, 16)] as const,
    ...{ logEpoch: 13, lastIndex: 41, lastHead: fill(7, 32), nonce: fill(8, 16) },
  };
  const prepare = { ...head, clientsWait: true, nonce: fill(9, 16) };
  const propose = { ...head, index: 42, head: fill(2, 32) };
  const { set, configVersion } = head;
  const rejoin = { set, configVersion, member: 3 as const, incarnation: fill(10, 16), replaces: fill(11, 16) };
  const bytes = {
    accept: encodeAccept(accept),
    promise: encodePromise(promise),
    prepare: encodePrepare(prepare),
    rejoin: encodeRejoin(rejoin),
  };
  return {
    description: 'FORMATS §3: what servers sign',
    valid: [
      entry('accept', { kind: 'accept', ...accept }, bytes.accept),
      entry(
        'accept-largest',
        { kind: 'accept', ...accept, epoch: 2 ** 53 - 1 },
        encodeAccept({ ...accept, epoch: 2 ** 53 - 1 }),
      ),
      entry('promise', { kind: 'promise', ...promise }, bytes.promise),
      entry('prepare', { kind: 'prepare', ...prepare }, bytes.prepare),
      entry('rejoin', { kind: 'rejoin', ...rejoin }, bytes.rejoin),
      entry('propose', { kind: 'propose', ...propose }, encodePropose(propose)),
    ],
    invalid: [
      wrong('accept-truncated', cut(bytes.accept), 'accept'),
      wrong('accept-extended', extended(bytes.accept), 'accept'),
      wrong('accept-under-the-tag-of-promises', concatBytes(TAGS.promise, bytes.accept.subarray(16)), 'accept'),
      wrong(
        'accept-epoch-above-2^53',
        concatBytes(bytes.accept.subarray(0, 36), fill(0xff, 8), bytes.accept.subarray(44)),
        'accept',
      ),
      wrong('promise-of-member-4', bytes.promise.with(44, 4), 'promise'),
      wrong('promise-truncated', cut(bytes.promise), 'promise'),
      wrong('prepare-flag-2', bytes.prepare.with(44, 2), 'prepare'),
      wrong('rejoin-of-member-0', bytes.rejoin.with(36, 0), 'rejoin'),
      wrong('rejoin-that-replaces-nothing', bytes.rejoin.subarray(0, 53), 'rejoin'),
    ],
  };
}

export function merkleVectors(): object {
  const crypto = nodeCrypto();
  const leavesOf = (count: number) =>
    Array.from({ length: count }, (_, i) => Uint8Array.from({ length: i }, (_, k) => k + i));
  return {
    description: 'FORMATS §5.1: leaves in base64url; for each tree its root and the path of every leaf',
    trees: [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 17].map((count) => {
      const tree = merkleTree(crypto, leavesOf(count));
      return {
        leaves: leavesOf(count).map(toBase64url),
        root: toBase64url(tree.root),
        paths: leavesOf(count).map((_, index) => merklePath(tree, index).map(toBase64url)),
      };
    }),
  };
}
