import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import {
  type Algorithm,
  type Crypto,
  isCanonicalSignature,
  type PublicKey,
  publicKeyFault,
  type SigningKey,
} from './crypto.ts';

/** DER in front of the raw key: SubjectPublicKeyInfo for Ed25519 (RFC 8410) and for a compressed P-256 point (RFC 5480). */
const SPKI_PREFIX: Record<Algorithm, Uint8Array> = {
  ed25519: Buffer.from('302a300506032b6570032100', 'hex'),
  p256: Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
};

/** PKCS#8 in front of an Ed25519 seed (RFC 8410 §7). */
const PKCS8_ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Building a KeyObject costs more than one verification; sessions come and go, so the cache is bounded. */
const MAX_CACHED_KEYS = 4_096;

/** The Crypto port over node:crypto (OpenSSL). Works on Node ≥ 20. */
export function nodeCrypto(): Crypto {
  const keys = new Map<string, KeyObject | undefined>();
  const keyObject = (key: PublicKey): KeyObject | undefined => {
    const name = `${key.alg}${Buffer.from(key.bytes.buffer, key.bytes.byteOffset, key.bytes.length).toString('latin1')}`;
    const cached = keys.get(name);
    if (cached !== undefined) return cached;
    const built = publicKeyObject(key);
    if (keys.size >= MAX_CACHED_KEYS) keys.clear();
    keys.set(name, built);
    return built;
  };
  return {
    sha256,
    verify: (key, message, signature) => {
      if (!isCanonicalSignature(key.alg, signature)) return false;
      const object = keyObject(key);
      if (object === undefined) return false;
      return key.alg === 'ed25519'
        ? verify(null, message, object, signature)
        : verify('sha256', message, { key: object, dsaEncoding: 'ieee-p1363' }, signature);
    },
  };
}

/** By way of a string: a Buffer for each hash costs more than the hashing. */
function sha256(bytes: Uint8Array): Uint8Array {
  const text = hash('sha256', bytes, 'binary');
  const digest = new Uint8Array(32);
  for (let i = 0; i < 32; i++) digest[i] = text.charCodeAt(i);
  return digest;
}

function publicKeyObject(key: PublicKey): KeyObject | undefined {
  if (publicKeyFault(key) !== undefined) return undefined;
  try {
    return createPublicKey({ key: Buffer.concat([SPKI_PREFIX[key.alg], key.bytes]), format: 'der', type: 'spki' });
  } catch {
    return undefined; // a point that is not on the curve
  }
}

/** A fresh Ed25519 key. `seed` (32 bytes) is the whole secret: keep it as such. */
export function generateEd25519(): { key: SigningKey; seed: Uint8Array } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const seed = new Uint8Array(
    privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_ED25519_PREFIX.length),
  );
  return { key: ed25519FromSeed(seed), seed };
}

/** The Ed25519 key whose secret is this 32-byte seed (RFC 8032 §5.1.5). */
export function ed25519FromSeed(seed: Uint8Array): SigningKey {
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_ED25519_PREFIX, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const publicKey: PublicKey = { alg: 'ed25519', bytes: new Uint8Array(spki.subarray(SPKI_PREFIX.ed25519.length)) };
  return { publicKey, sign: (message) => sign(null, message, privateKey) };
}
