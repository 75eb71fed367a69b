import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { CompactSign, compactVerify, importJWK } from 'jose';
import { encodeUtf8, fromBase64url, toBase64url } from './bytes.ts';
import type { PublicKey, SigningKey } from './crypto.ts';
import { checkEnvelope, keyId, readEnvelope, sealEnvelope } from './envelope.ts';
import { LicenseError } from './errors.ts';
import { seedKey } from './fixtures.ts';
import { LIMITS } from './limits.ts';
import { ed25519FromSeed, nodeCrypto } from './node-crypto.ts';

const crypto = nodeCrypto();
const payload = { format: 1, vendor: 'acme', note: 'grün "ja" 😀', list: [1, { a: null }] };
const refused = (code: string, message?: RegExp) => ({ name: 'LicenseError', code, ...(message && { message }) });

const seed = new Uint8Array(32).fill(5);
const ed25519 = ed25519FromSeed(seed);
const edPrivate = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
  format: 'der',
  type: 'pkcs8',
});
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ecJwk = ec.publicKey.export({ format: 'jwk' }) as { kty: string; crv: string; x: string; y: string };
const p256: SigningKey = {
  publicKey: { alg: 'p256', bytes: compressed(ecJwk) },
  sign: (message) => sign('sha256', message, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }),
};

function compressed({ x, y }: { x: string; y: string }): Uint8Array {
  const odd = (fromBase64url(y)[31] as number) & 1;
  return Buffer.concat([Uint8Array.of(2 + odd), fromBase64url(x)]);
}

function joseKey(key: PublicKey) {
  return key.alg === 'p256'
    ? importJWK(ecJwk, 'ES256')
    : importJWK({ kty: 'OKP', crv: 'Ed25519', x: toBase64url(key.bytes) }, 'Ed25519');
}

/** What the reader says of a text that `key` should have signed. */
function open(text: string, key: PublicKey): unknown {
  const envelope = readEnvelope(text, 'trefoil-license');
  checkEnvelope(crypto, envelope, key);
  return envelope.payload;
}

function forged(header: object | string, key: SigningKey = ed25519, body: object | string = payload): string {
  const part = (value: object | string) =>
    toBase64url(encodeUtf8(typeof value === 'string' ? value : JSON.stringify(value)));
  const input = `${part(header)}.${part(body)}`;
  return `${input}.${toBase64url(key.sign(encodeUtf8(input)))}`;
}

const goodHeader = { alg: 'Ed25519', kid: keyId(crypto, ed25519.publicKey), typ: 'trefoil-license' };

describe('envelopes and jose', () => {
  for (const key of [ed25519, p256]) {
    const alg = key.publicKey.alg === 'p256' ? 'ES256' : 'Ed25519';

    test(`${alg}: jose verifies what we sign`, async () => {
      const text = sealEnvelope(crypto, 'trefoil-license', payload, key);
      const result = await compactVerify(text, await joseKey(key.publicKey), { algorithms: [alg] });
      assert.deepEqual(result.protectedHeader, { alg, kid: keyId(crypto, key.publicKey), typ: 'trefoil-license' });
      assert.deepEqual(JSON.parse(new TextDecoder().decode(result.payload)), payload);
    });

    test(`${alg}: we verify what jose signs`, async () => {
      const text = await new CompactSign(encodeUtf8(JSON.stringify(payload)))
        .setProtectedHeader({ alg, kid: keyId(crypto, key.publicKey), typ: 'trefoil-license' })
        .sign(key === p256 ? ec.privateKey : edPrivate);
      assert.equal(JSON.stringify(open(text, key.publicKey)), JSON.stringify(payload));
    });
  }
});

describe('an envelope is refused', () => {
  const text = sealEnvelope(crypto, 'trefoil-license', payload, ed25519);

  test('when any character of it is another', () => {
    for (let i = 0; i < text.length; i++) {
      const other = text[i] === 'A' ? 'B' : 'A';
      const altered = text.slice(0, i) + other + text.slice(i + 1);
      assert.throws(() => open(altered, ed25519.publicKey), LicenseError, `character ${i}`);
    }
  });

  test('when it is cut or extended anywhere', () => {
    for (let length = 0; length < text.length; length++)
      assert.throws(() => open(text.slice(0, length), ed25519.publicKey), LicenseError);
    for (const tail of ['A', 'AAAA', '.', '\n', ' ', '=', '.AAAA'])
      assert.throws(() => open(text + tail, ed25519.publicKey), LicenseError, tail);
    assert.throws(() => open(` ${text}`, ed25519.publicKey), LicenseError);
  });

  test('under another algorithm than the key record says', () => {
    assert.throws(() => open(forged({ ...goodHeader, alg: 'none' }), ed25519.publicKey), refused('unknown-key'));
    assert.throws(() => open(forged({ ...goodHeader, alg: 'EdDSA' }), ed25519.publicKey), refused('unknown-key'));
    assert.throws(() => open(forged({ ...goodHeader, alg: 'ES256' }), ed25519.publicKey), refused('unknown-key'));
    // HMAC with the public key as its secret: the classic.
    assert.throws(() => open(forged({ ...goodHeader, alg: 'HS256' }), ed25519.publicKey), refused('unknown-key'));
    const unsigned = `${text.split('.').slice(0, 2).join('.')}.`;
    assert.throws(() => open(unsigned, ed25519.publicKey), refused('bad-signature'));
  });

  test('with a foreign key id, or a foreign key under the right id', () => {
    const other = seedKey('somebody else');
    const foreign = sealEnvelope(crypto, 'trefoil-license', payload, other);
    assert.throws(() => open(foreign, ed25519.publicKey), refused('unknown-key'));
    assert.throws(() => open(forged(goodHeader, other), ed25519.publicKey), refused('bad-signature'));
  });

  test('with another type', () => {
    const configuration = sealEnvelope(crypto, 'trefoil-configuration', payload, ed25519);
    assert.throws(
      () => open(configuration, ed25519.publicKey),
      refused('wrong-type', /"trefoil-configuration", not a trefoil-license/),
    );
    assert.throws(() => open(forged({ ...goodHeader, typ: 'JWT' }), ed25519.publicKey), refused('wrong-type'));
  });

  test('with anything else in the header, or less', () => {
    for (const more of [
      { crit: ['exp'] },
      { b64: false },
      { jwk: {} },
      { x5c: [] },
      { cty: 'json' },
      { jku: 'https://x' },
    ])
      assert.throws(
        () => open(forged({ ...goodHeader, ...more }), ed25519.publicKey),
        refused('malformed', /unknown field/),
      );
    for (const name of ['alg', 'kid', 'typ'])
      assert.throws(
        () => open(forged({ ...goodHeader, [name]: undefined }), ed25519.publicKey),
        refused('malformed', new RegExp(`header\\.${name} is not a text`)),
      );
    const doubled = JSON.stringify(goodHeader).replace('{', '{"alg":"none",');
    assert.throws(() => open(forged(doubled), ed25519.publicKey), refused('malformed', /duplicate key "alg"/));
  });

  test('when its payload is no object, or too large', () => {
    for (const body of ['[]', '1', 'null', '"x"', ''])
      assert.throws(() => open(forged(goodHeader, ed25519, body), ed25519.publicKey), refused('malformed'));
    const large = forged(goodHeader, ed25519, { text: 'x'.repeat(LIMITS.documentBytes) });
    assert.throws(() => open(large, ed25519.publicKey), refused('too-large'));
  });
});

test('one key has one id, and it depends on the algorithm', () => {
  const bytes = new Uint8Array(33).fill(2);
  assert.notEqual(keyId(crypto, { alg: 'p256', bytes }), keyId(crypto, { alg: 'ed25519', bytes }));
  assert.match(keyId(crypto, ed25519.publicKey), /^[A-Za-z0-9_-]{22}$/);
});
