import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeUtf8, fromBase64url, toBase64url } from './bytes.ts';
import { verifyConfiguration, verifyConstituent, verifyIssuingKey, verifyLicense, verifyUpdate } from './documents.ts';
import { type DocumentType, sealEnvelope } from './envelope.ts';
import { fixture, seedKey } from './fixtures.ts';
import type { JsonObject } from './json.ts';

const one = fixture();
const { crypto, issuing, issuingKey, root } = one;
const refused = (code: string, message: RegExp) => ({ name: 'LicenseError', code, message });

type Changes = Record<string, unknown>;

/** The document again, with some fields changed (`undefined` = left out), signed by whom it should be. */
function changed(type: DocumentType, text: string, changes: Changes, key = issuing): string {
  const payload = JSON.parse(decodeUtf8(fromBase64url(text.split('.')[1] as string))) as JsonObject;
  return sealEnvelope(crypto, type, { ...payload, ...changes } as JsonObject, key);
}

describe('issuing key', () => {
  const reseal = (changes: Changes, key = root) => changed('trefoil-issuing-key', issuingKey.text, changes, key);
  const verify = (text: string) => verifyIssuingKey(crypto, root.publicKey, text);

  test('is vouched for by the root, and by nobody else', () => {
    assert.equal(verify(reseal({})).vendor, 'acme');
    assert.throws(() => verify(reseal({}, issuing)), refused('unknown-key', /not signed by the key/));
    assert.throws(() => verify(fixture('globex').issuingKey.text), refused('unknown-key', /./));
  });

  test('is refused when it is weak, in another format, or has anything more or less', () => {
    const weak = toBase64url(Uint8Array.of(1, ...new Uint8Array(31)));
    assert.throws(() => verify(reseal({ key: weak })), refused('weak-key', /key is a key of small order/));
    assert.throws(() => verify(reseal({ key: 'AAAA' })), refused('malformed', /key has 3 bytes, not 32/));
    assert.throws(() => verify(reseal({ alg: 'rsa' })), refused('malformed', /alg is not one of ed25519, p256/));
    assert.throws(() => verify(reseal({ format: 2 })), refused('malformed', /format is 2, allowed are 1 to 1/));
    assert.throws(() => verify(reseal({ notAfter: undefined })), refused('malformed', /notAfter is not a text/));
    assert.throws(
      () => verify(reseal({ notAfter: '2026-01-01T00:00:00Z' })),
      refused('malformed', /not after notBefore/),
    );
    assert.throws(() => verify(reseal({ canDoAnything: true })), refused('malformed', /unknown field "canDoAnything"/));
    assert.throws(() => verify(reseal({ ['x\n\u001b[31m']: 1 })), refused('malformed', /unknown field "x\?\?\[31m"/));
    assert.throws(() => verify(reseal({ vendor: 'ACME' })), refused('malformed', /vendor is not a code/));
  });
});

describe('configuration', () => {
  const reseal = (changes: Changes, key = issuing) =>
    changed('trefoil-configuration', one.configuration.text, changes, key);
  const verify = (text: string) => verifyConfiguration(crypto, issuingKey, text);
  const payload = JSON.parse(decodeUtf8(fromBase64url(one.configuration.text.split('.')[1] as string))) as {
    containers: JsonObject[];
  };
  const [first, second, third] = payload.containers as [JsonObject, JsonObject, JsonObject];

  test('names three containers and two of them as enough, or one alone', () => {
    assert.equal(verify(reseal({})).threshold, 2);
    assert.equal(fixture('single', 1).configuration.containers.length, 1);
    const only = /only 2 of 3 and 1 of 1 exist/;
    assert.throws(() => verify(reseal({ threshold: 1 })), refused('malformed', only));
    assert.throws(() => verify(reseal({ containers: [first] })), refused('malformed', only));
    assert.throws(() => verify(reseal({ containers: [first, second] })), refused('malformed', only));
    assert.throws(() => verify(reseal({ threshold: 3 })), refused('malformed', /threshold is 3/));
    assert.throws(
      () => verify(reseal({ containers: [first, second, third, third] })),
      refused('malformed', /4 items, 3/),
    );
  });

  test('names each container once, with a key of its own that is none of small order', () => {
    const twice = { ...second, signingKey: first['signingKey'] as string };
    const same = { ...second, serial: first['serial'] as string };
    const weak = { ...second, signingKey: toBase64url(new Uint8Array(32)) };
    const cases: readonly (readonly [JsonObject[], string, RegExp])[] = [
      [[first, twice, third], 'malformed', /two containers have the same signing key/],
      [[first, same, third], 'malformed', /two containers have the same serial/],
      [[second, first, third], 'malformed', /not numbered 1, 2, 3/],
      [[first, first, third], 'malformed', /not numbered 1, 2, 3/],
      [[first, weak, third], 'weak-key', /containers\[1\]\.signingKey is a key of small order/],
      [[first, { ...second, kind: 'cloud' }, third], 'malformed', /containers\[1\]\.kind is not one of/],
      [[first, second, { ...third, extra: 1 }], 'malformed', /unknown field "containers\[2\]\.extra"/],
    ];
    for (const [containers, code, message] of cases)
      assert.throws(() => verify(reseal({ containers })), refused(code, message));
  });

  test('is of the vendor of its issuing key, and issued while that was valid', () => {
    assert.throws(() => verify(reseal({ vendor: 'globex' })), refused('wrong-vendor', /of vendor globex/));
    assert.throws(
      () => verify(reseal({ issuedAt: '2025-12-31T23:59:59Z' })),
      refused('not-yet', /older than its issuing key/),
    );
    const late = { issuedAt: '2028-01-01T00:00:00Z', expires: '2029-01-01T00:00:00Z' };
    assert.throws(() => verify(reseal(late)), refused('expired', /had expired when it signed/));
    assert.throws(
      () => verify(reseal({ expires: '2026-11-01T00:00:00Z' })),
      refused('malformed', /not after issuedAt/),
    );
    assert.throws(() => verify(reseal({}, root)), refused('unknown-key', /./));
  });
});

describe('license and constituent', () => {
  const license = one.license();
  const reseal = (changes: Changes, key = issuing) => changed('trefoil-license', license, changes, key);
  const verify = (text: string) => verifyLicense(crypto, issuingKey, text);

  test('a license is read in full', () => {
    const { text, terms, ...rest } = verify(license);
    assert.equal(text, license);
    assert.equal(terms.quantity, 5);
    assert.deepEqual(
      { ...rest, set: toBase64url(rest.set) },
      {
        ...{
          vendor: 'acme',
          set: toBase64url(one.set),
          id: 'cad-1',
          version: 1,
          product: 'cad',
          name: 'CAD',
          tmrId: 1,
        },
        issuedAt: Date.UTC(2026, 10, 1),
      },
    );
  });

  test('a license is refused with the field that is wrong', () => {
    assert.throws(
      () => verify(reseal({ set: toBase64url(new Uint8Array(15)) })),
      refused('malformed', /set has 15 bytes, not 16/),
    );
    assert.throws(() => verify(reseal({ version: 0 })), refused('malformed', /version is 0/));
    assert.throws(() => verify(reseal({ tmrId: -1 })), refused('malformed', /tmrId is -1/));
    assert.throws(() => verify(reseal({ product: 'CAD 2' })), refused('malformed', /product is not a code/));
    assert.throws(() => verify(reseal({ name: 'ü'.repeat(65) })), refused('malformed', /name is above 128 bytes/));
    assert.throws(() => verify(reseal({ name: '' })), refused('malformed', /name is not a text/));
    assert.throws(() => verify(reseal({ terms: { version: 1 } })), refused('malformed', /terms\.quantity/));
    assert.throws(() => verify(reseal({ vendor: 'globex' })), refused('wrong-vendor', /./));
    assert.throws(() => verify(reseal({}, seedKey('a customer'))), refused('unknown-key', /./));
  });

  test('a constituent is signed by the issuing key', () => {
    const text = constituents(one.update([license]))[1] as string;
    assert.equal(verifyConstituent(crypto, issuingKey, text).member, 2);
    const reseal = (changes: Changes, key = issuing) => changed('trefoil-constituent', text, changes, key);
    assert.throws(() => verifyConstituent(crypto, issuingKey, reseal({}, root)), refused('unknown-key', /./));
    assert.throws(
      () => verifyConstituent(crypto, issuingKey, reseal({ member: 4 })),
      refused('malformed', /member is 4/),
    );
    assert.throws(() => verifyConstituent(crypto, issuingKey, license), refused('wrong-type', /./));
  });
});

function constituents(update: string): string[] {
  const payload = JSON.parse(decodeUtf8(fromBase64url(update.split('.')[1] as string))) as { constituents: string[] };
  return payload.constituents;
}

describe('update', () => {
  const license = one.license({ version: 2 });
  const update = one.update([license, one.license({ id: 'cad-2' })], 7);
  const reseal = (changes: Changes, key = issuing) => changed('trefoil-update', update, changes, key);
  const verify = (text: string) => verifyUpdate(crypto, root.publicKey, text);

  test('brings its issuing key, licenses and one constituent for each container', () => {
    const read = verify(update);
    assert.equal(read.serial, 7);
    assert.deepEqual(
      read.licenses.map((each) => each.id),
      ['cad-1', 'cad-2'],
    );
    assert.deepEqual(
      read.constituents.map((each) => each.member),
      [1, 2, 3, 1, 2, 3],
    );
  });

  test('is refused as a whole when any part of it is', () => {
    const foreign = fixture('globex');
    assert.throws(() => verify(foreign.update([])), refused('unknown-key', /./));
    assert.throws(() => verify(reseal({ issuingKey: foreign.issuingKey.text })), refused('unknown-key', /./));
    assert.throws(() => verify(reseal({ licenses: [license, foreign.license()] })), refused('unknown-key', /./));
    assert.throws(() => verify(reseal({ licenses: [license, license] })), refused('malformed', /a license twice/));
    assert.throws(() => verify(reseal({ licenses: [license.slice(0, -1)] })), refused('malformed', /base64url/));
    assert.throws(() => verify(reseal({ constituents: [license] })), refused('wrong-type', /./));
    assert.throws(() => verify(reseal({ serial: 0 })), refused('malformed', /serial is 0/));
    assert.throws(() => verify(reseal({ vendor: 'globex' })), refused('wrong-vendor', /./));
    assert.throws(() => verify(reseal({ issuedAt: '2028-01-01T00:00:00Z' })), refused('expired', /./));
    assert.throws(() => verify(reseal({}, root)), refused('unknown-key', /./));
  });
});
