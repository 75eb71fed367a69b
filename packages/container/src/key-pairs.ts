import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { Algorithm, PublicKey } from '@trefoil/license';

/** The two private keys of a software container. Node keeps them in OpenSSL's memory, not in ours. */
export interface KeyPairs {
  readonly signing: KeyObject;
  readonly sealing: KeyObject;
}

export function generateKeyPairs(alg: Algorithm): KeyPairs {
  const signing =
    alg === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { signing: signing.privateKey, sealing: generateKeyPairSync('x25519').privateKey };
}

/** PKCS#8, DER. The caller overwrites it after use. */
export function exportPrivate(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'pkcs8' });
}

export function importPrivate(pkcs8: Uint8Array): KeyObject {
  return createPrivateKey({
    key: Buffer.from(pkcs8.buffer, pkcs8.byteOffset, pkcs8.length),
    format: 'der',
    type: 'pkcs8',
  });
}

/** ed25519: 32 bytes; p256: 33 bytes, compressed. */
export function signingPublicKey(privateKey: KeyObject): PublicKey {
  const publicKey = createPublicKey(privateKey);
  if (publicKey.asymmetricKeyType === 'ed25519') return { alg: 'ed25519', bytes: rawPublicKey(publicKey) };
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-64);
  const parity = (point[63] ?? 0) & 1;
  return { alg: 'p256', bytes: Uint8Array.from([2 + parity, ...point.subarray(0, 32)]) };
}

/** The last 32 bytes of an Ed25519 or X25519 SubjectPublicKeyInfo are the key. */
export function rawPublicKey(publicKey: KeyObject): Uint8Array {
  return Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
}

/** 64 bytes; for p256 r ‖ s over SHA-256 of the message. */
export function signWith(alg: Algorithm, privateKey: KeyObject, message: Uint8Array): Uint8Array {
  return alg === 'ed25519'
    ? sign(null, message, privateKey)
    : sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
}
