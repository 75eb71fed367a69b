/**
 * The cryptography this room needs, as a port. Synchronous on purpose: the core that uses it is a plain function.
 * `@trefoil/license/node-crypto` implements it over node:crypto; the simulator brings its own.
 */
export interface Crypto {
  /** SHA-256, 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array;
  /** True only for a valid signature by `key` over exactly `message`. Never throws on hostile input. */
  verify(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean;
}

/** Fixed by the vendor-signed record that names the key, never chosen by a message (FORMATS §2, Keys). */
export type Algorithm = 'ed25519' | 'p256';

/** `bytes`: ed25519 = 32 bytes; p256 = 33 bytes, compressed point (SEC 1 §2.3.3). Signatures are 64 bytes for both. */
export interface PublicKey {
  readonly alg: Algorithm;
  readonly bytes: Uint8Array;
}

/** What signs: a container, an issuing key, a session. `sign` may be slow where the key is in hardware. */
export interface SigningKey {
  readonly publicKey: PublicKey;
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array;
}

export const SIGNATURE_BYTES = 64;
export const DIGEST_BYTES = 32;

/**
 * Encodings of the eight Ed25519 points of small order, canonical or not, without the sign bit. Under such a "key" one
 * signature is valid for every message, and node:crypto's verify accepts it; so they are refused when a document that
 * names a key is loaded.
 */
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

/** 2^255 − 19, little-endian: an encoding at or above it is not canonical. */
const FIELD_PRIME_HEX = 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f';

/** Why these bytes can't be a public key, or undefined when they can. */
export function publicKeyFault(key: PublicKey): string | undefined {
  if (key.alg === 'p256') {
    const first = key.bytes[0];
    return key.bytes.length === 33 && (first === 2 || first === 3) ? undefined : 'not a compressed P-256 point';
  }
  if (key.bytes.length !== 32) return 'not 32 bytes';
  const unsigned = Uint8Array.from(key.bytes);
  unsigned[31] = (unsigned[31] ?? 0) & 0x7f;
  if (SMALL_ORDER.has(toHex(unsigned))) return 'a key of small order';
  if (littleEndianAtLeast(unsigned, FIELD_PRIME_HEX)) return 'not a canonical point';
  return undefined;
}

function littleEndianAtLeast(bytes: Uint8Array, hex: string): boolean {
  for (let i = 31; i >= 0; i--) {
    const bound = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
    const byte = bytes[i] ?? 0;
    if (byte !== bound) return byte > bound;
  }
  return true;
}

/** The order of the Ed25519 group, little-endian: a signature's second half must be below it (RFC 8032 §5.1.7). */
const GROUP_ORDER_HEX = 'edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010';

/**
 * Malleable encodings would let one Ed25519 vote exist in two forms: R must be canonical and not of small order, S < order.
 * P-256 is left as it is, (r, n − s) beside (r, s): tokens and TPMs make either, and nothing counts, stores or looks up by a
 * vote's or a document's signature bytes: votes count by member, documents by digest of the whole text (FORMATS §3.3).
 */
export function isCanonicalSignature(alg: Algorithm, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  if (alg === 'p256') return true;
  if (littleEndianAtLeast(signature.subarray(32), GROUP_ORDER_HEX)) return false;
  return publicKeyFault({ alg, bytes: signature.subarray(0, 32) }) === undefined;
}

export function toHex(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += (byte < 16 ? '0' : '') + byte.toString(16);
  return hex;
}
