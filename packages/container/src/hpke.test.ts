import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ephemeral, openSealed, openWith, seal, sealWith, type Suite } from './hpke.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** RFC 9180, appendix A.1.1: the same key agreement and key derivation, with AES-128-GCM. */
const RFC_SUITE: Suite = { aeadId: 1, cipher: 'aes-128-gcm', keyBytes: 16 };
const RFC = {
  info: hex('4f6465206f6e2061204772656369616e2055726e'),
  sender: hex('52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736'),
  receiver: hex('4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8'),
  receiverPublic: hex('3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d'),
  encapsulated: hex('37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431'),
  plaintext: hex('4265617574792069732074727574682c20747275746820626561757479'),
  associated: hex('436f756e742d30'),
  ciphertext: hex('f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a'),
};

function x25519(raw: Buffer): ReturnType<typeof ephemeral> {
  const key = Buffer.concat([hex('302e020100300506032b656e04220420'), raw]);
  return ephemeral(createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
}

test('the vector of RFC 9180 A.1.1, both ways', () => {
  const { info, plaintext, associated } = RFC;
  const sealed = sealWith(RFC_SUITE, x25519(RFC.sender), RFC.receiverPublic, info, plaintext, associated);
  assert.equal(Buffer.from(sealed).toString('hex'), Buffer.concat([RFC.encapsulated, RFC.ciphertext]).toString('hex'));
  assert.deepEqual(openWith(RFC_SUITE, x25519(RFC.receiver), info, sealed, associated), plaintext);
});

test('what was sealed opens with its key and info only, and not after any change', () => {
  const mine = ephemeral(generateKeyPairSync('x25519').privateKey);
  const other = ephemeral(generateKeyPairSync('x25519').privateKey);
  const info = Buffer.from('share 1');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (secret, where) => {
      const sealed = seal(mine.publicKey, info, secret);
      assert.deepEqual(Buffer.from(openSealed(mine, info, sealed)), Buffer.from(secret));
      assert.throws(() => openSealed(other, info, sealed), { code: 'cannot-open' });
      assert.throws(() => openSealed(mine, Buffer.from('share 2'), sealed), { code: 'cannot-open' });
      assert.throws(() => openSealed(mine, info, sealed.subarray(0, where % sealed.length)), { code: 'cannot-open' });
      const altered = Uint8Array.from(sealed);
      // The top bit of an X25519 public key is ignored (RFC 7748), but the key schedule covers it.
      altered[where % sealed.length] = (altered[where % sealed.length] ?? 0) ^ (1 << (where % 8));
      assert.throws(() => openSealed(mine, info, altered), { code: 'cannot-open' });
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('an encapsulated key of small order is refused: everyone would know the secret', () => {
  const mine = ephemeral(generateKeyPairSync('x25519').privateKey);
  assert.throws(() => openSealed(mine, Buffer.alloc(0), Buffer.alloc(64)), { code: 'cannot-open' });
});
