import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, test } from 'node:test';
import { encodeUtf8 } from './bytes.ts';
import { isCanonicalSignature, type PublicKey, publicKeyFault, toHex } from './crypto.ts';
import { ed25519FromSeed, generateEd25519, nodeCrypto } from './node-crypto.ts';

const crypto = nodeCrypto();
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const ed25519 = (bytes: Uint8Array): PublicKey => ({ alg: 'ed25519', bytes });
const message = encodeUtf8('a vote');

/** y coordinates of the eight points of small order, and of those the spellings y + p that fit into 255 bits. */
const SMALL_Y = [
  '0000000000000000000000000000000000000000000000000000000000000000', // order 4
  '0100000000000000000000000000000000000000000000000000000000000000', // the identity
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', // order 8
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a', // order 8
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // order 2
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // 0 + p
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', // 1 + p
];

describe('weak keys', () => {
  test('Node alone accepts one signature for every message under the identity key', () => {
    const identity = hex(SMALL_Y[1] as string);
    const der = Buffer.concat([hex('302a300506032b6570032100'), identity]);
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    const signature = Buffer.concat([identity, Buffer.alloc(32)]); // R = identity, S = 0
    assert.ok(verify(null, encodeUtf8('yes'), key, signature) && verify(null, encodeUtf8('no'), key, signature));
    assert.equal(crypto.verify(ed25519(identity), encodeUtf8('yes'), signature), false);
    // With an R that is none of these the signature's form is no reason any more: the key has to be.
    const generator = hex('5866666666666666666666666666666666666666666666666666666666666666');
    const one = Buffer.concat([generator, Buffer.of(1), Buffer.alloc(31)]); // R = B, S = 1
    assert.ok(isCanonicalSignature('ed25519', one) && verify(null, encodeUtf8('yes'), key, one));
    assert.equal(crypto.verify(ed25519(identity), encodeUtf8('yes'), one), false);
  });

  test('all encodings of small order, with either sign bit', () => {
    for (const y of SMALL_Y)
      for (const sign of [0, 0x80]) {
        const bytes = hex(y);
        bytes[31] = (bytes[31] as number) | sign;
        assert.equal(publicKeyFault(ed25519(bytes)), 'a key of small order', toHex(bytes));
        assert.ok(!isCanonicalSignature('ed25519', Buffer.concat([bytes, Buffer.alloc(32)])));
      }
  });

  test('coordinates at or above 2^255 − 19, and wrong lengths', () => {
    for (let low = 0xef; low <= 0xff; low++)
      assert.equal(publicKeyFault(ed25519(hex(`${low.toString(16)}${'ff'.repeat(30)}7f`))), 'not a canonical point');
    assert.equal(publicKeyFault(ed25519(hex(`ebffffff${'ff'.repeat(27)}7f`))), undefined);
    assert.equal(publicKeyFault(ed25519(new Uint8Array(31).fill(7))), 'not 32 bytes');
    assert.equal(publicKeyFault(ed25519(new Uint8Array(33).fill(7))), 'not 32 bytes');
  });

  test('P-256 points that are not compressed', () => {
    const p256 = (text: string): PublicKey => ({ alg: 'p256', bytes: hex(text) });
    for (const text of [`04${'11'.repeat(64)}`, `00`, `05${'11'.repeat(32)}`, `02${'11'.repeat(31)}`])
      assert.equal(publicKeyFault(p256(text)), 'not a compressed P-256 point');
    // Right in form, but on no curve: it verifies nothing and does not throw.
    assert.equal(crypto.verify(p256(`02${'ff'.repeat(32)}`), message, new Uint8Array(64).fill(1)), false);
  });
});

describe('Ed25519 signatures', () => {
  // RFC 8032 §7.1, TEST 2.
  const key = ed25519FromSeed(hex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'));
  const signature = hex(
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
      '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  );

  test('are those of RFC 8032', () => {
    assert.equal(toHex(key.publicKey.bytes), '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
    assert.equal(toHex(key.sign(Uint8Array.of(0x72))), toHex(signature));
    assert.ok(crypto.verify(key.publicKey, Uint8Array.of(0x72), signature));
  });

  test('with S at or above the order of the group are refused', () => {
    const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
    const s = BigInt(`0x${toHex(Uint8Array.from(signature.subarray(32)).reverse())}`);
    const withS = (value: bigint): Uint8Array => {
      const bytes = hex(value.toString(16).padStart(64, '0')).reverse();
      return Buffer.concat([signature.subarray(0, 32), bytes]);
    };
    assert.ok(crypto.verify(key.publicKey, Uint8Array.of(0x72), withS(s)));
    assert.ok(!crypto.verify(key.publicKey, Uint8Array.of(0x72), withS(s + order)));
    assert.ok(isCanonicalSignature('ed25519', withS(order - 1n)));
    for (const value of [order, order + 1n, 2n ** 256n - 1n]) assert.ok(!isCanonicalSignature('ed25519', withS(value)));
  });

  test('of wrong length, altered, or of another message are refused without an exception', () => {
    for (const bad of [signature.subarray(1), new Uint8Array(0), Buffer.concat([signature, Buffer.alloc(1)])]) {
      assert.ok(!crypto.verify(key.publicKey, Uint8Array.of(0x72), bad));
      for (const alg of ['ed25519', 'p256'] as const) assert.ok(!isCanonicalSignature(alg, bad));
    }
    for (let i = 0; i < 64; i++)
      assert.ok(!crypto.verify(key.publicKey, Uint8Array.of(0x72), signature.with(i, (signature[i] as number) ^ 1)));
    assert.ok(!crypto.verify(key.publicKey, Uint8Array.of(0x73), signature));
  });

  test('a fresh key is what its seed says', () => {
    const { key, seed } = generateEd25519();
    assert.deepEqual(ed25519FromSeed(seed).publicKey, key.publicKey);
    assert.ok(crypto.verify(key.publicKey, message, key.sign(message)));
  });
});

describe('P-256 signatures', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y } = publicKey.export({ format: 'jwk' }) as { x: string; y: string };
  const yBytes = Buffer.from(y, 'base64url');
  const prefix = 2 + ((yBytes[31] as number) & 1);
  const key: PublicKey = { alg: 'p256', bytes: Buffer.concat([Uint8Array.of(prefix), Buffer.from(x, 'base64url')]) };
  const signature = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });

  test('of r and s, 32 bytes each, are valid; in both of their forms, which nothing depends on', () => {
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const s = BigInt(`0x${signature.subarray(32).toString('hex')}`);
    const other = Buffer.concat([signature.subarray(0, 32), hex((order - s).toString(16).padStart(64, '0'))]);
    assert.ok(crypto.verify(key, message, signature) && crypto.verify(key, message, other));
  });

  test('in DER, altered, zero, or under the other algorithm are refused', () => {
    assert.ok(!crypto.verify(key, message, sign('sha256', message, privateKey)));
    assert.ok(!crypto.verify(key, message, new Uint8Array(64)));
    assert.ok(!crypto.verify(key, message, signature.with(40, (signature[40] as number) ^ 1)));
    assert.ok(!crypto.verify({ alg: 'ed25519', bytes: key.bytes.subarray(1) }, message, signature));
  });
});
