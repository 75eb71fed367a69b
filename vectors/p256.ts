import { createECDH, createHash, createHmac } from 'node:crypto';
import type { SigningKey } from '@trefoil/license';

/** n, the order of P-256. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/**
 * A P-256 key from a name whose signatures are deterministic (RFC 6979 with SHA-256), since vectors must not change from
 * run to run. Slow, not constant in time: for vectors only.
 */
export function seedP256Key(name: string): SigningKey {
  const secret = (toBigint(sha256(`trefoil fixture p256 ${name}`)) % (ORDER - 1n)) + 1n;
  return {
    publicKey: { alg: 'p256', bytes: new Uint8Array(publicPoint(secret)) },
    sign: (message) => sign(secret, message),
  };
}

/** The same signature in its other form: (r, n − s). */
export function otherForm(signature: Uint8Array): Uint8Array {
  return Buffer.concat([signature.subarray(0, 32), toBytes(ORDER - toBigint(signature.subarray(32)))]);
}

/** The same signature in DER, as other standards carry it. */
export function derForm(signature: Uint8Array): Uint8Array {
  const integer = (bytes: Uint8Array): Buffer => {
    const start = bytes.findIndex((byte) => byte !== 0);
    const digits = Buffer.from(bytes.subarray(start));
    const positive = (digits[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), digits]) : digits;
    return Buffer.concat([Buffer.of(2, positive.length), positive]);
  };
  const body = Buffer.concat([integer(signature.subarray(0, 32)), integer(signature.subarray(32))]);
  return Buffer.concat([Buffer.of(0x30, body.length), body]);
}

function sign(secret: bigint, message: Uint8Array): Uint8Array {
  const digest = toBigint(sha256(message)) % ORDER;
  for (const nonce of nonces(toBytes(secret), toBytes(digest))) {
    const r = toBigint(publicPoint(nonce).subarray(1)) % ORDER;
    const s = (inverse(nonce) * (digest + r * secret)) % ORDER;
    if (r !== 0n && s !== 0n) return Buffer.concat([toBytes(r), toBytes(s)]);
  }
  throw new Error('no signature'); // the generator has no end
}

/** RFC 6979 §3.2, steps b to h. */
function* nonces(secret: Buffer, digest: Buffer): Generator<bigint> {
  let value: Buffer = Buffer.alloc(32, 1);
  let key: Buffer = Buffer.alloc(32, 0);
  for (const round of [0, 1]) {
    key = hmac(key, Buffer.concat([value, Buffer.of(round), secret, digest]));
    value = hmac(key, value);
  }
  for (;;) {
    value = hmac(key, value);
    const nonce = toBigint(value);
    if (nonce > 0n && nonce < ORDER) yield nonce;
    key = hmac(key, Buffer.concat([value, Buffer.of(0)]));
    value = hmac(key, value);
  }
}

/** nonce^(n − 2) mod n. */
function inverse(nonce: bigint): bigint {
  let result = 1n;
  let base = nonce;
  for (let exponent = ORDER - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % ORDER;
    base = (base * base) % ORDER;
  }
  return result;
}

function publicPoint(scalar: bigint): Buffer {
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(toBytes(scalar));
  return ecdh.getPublicKey(null, 'compressed');
}

const sha256 = (input: string | Uint8Array): Buffer => createHash('sha256').update(input).digest();
const hmac = (key: Buffer, input: Buffer): Buffer => createHmac('sha256', key).update(input).digest();
const toBigint = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
const toBytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
