import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Crypto, equalBytes, SIGNATURE_BYTES, type SigningKey } from '@trefoil/license';
import { type Fixture, fixture } from '@trefoil/license/fixtures';
import { nodeCrypto } from '@trefoil/license/node-crypto';

/**
 * Keys for speed: a signature is a checksum that anybody could make. The simulated servers don't know that; what a liar may sign,
 * the lie decides. One run in a hundred has real keys.
 */
export function quickFixture(): Fixture {
  return fixture('acme', 2, quickKey, quickCrypto());
}

function quickCrypto(): Crypto {
  const real = nodeCrypto();
  const sha256 = (bytes: Uint8Array): Uint8Array => real.sha256(bytes);
  return { sha256, verify: (key, message, signature) => equalBytes(quickSignature(key.bytes, message), signature) };
}

export function quickKey(name: string): SigningKey {
  const bytes = new Uint8Array(hash('sha256', `quick key ${name}`, 'buffer'));
  return { publicKey: { alg: 'ed25519', bytes }, sign: (message) => quickSignature(bytes, message) };
}

function quickSignature(key: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(new Uint32Array(SIGNATURE_BYTES / 4).fill(crc32(message, crc32(key))).buffer);
}
