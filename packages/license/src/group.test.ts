import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeUtf8, fromBase64url, toBase64url } from './bytes.ts';
import { sealEnvelope } from './envelope.ts';
import { fixture, seedKey } from './fixtures.ts';
import { verifyContainerRequest, verifyGroupDocument } from './group.ts';
import type { JsonObject } from './json.ts';

const { crypto, admin, group } = fixture();
const refused = (code: string, message: RegExp) => ({ name: 'LicenseError', code, message });

describe('group document', () => {
  const payload = JSON.parse(decodeUtf8(fromBase64url(group.text.split('.')[1] as string))) as {
    tmrServers: [JsonObject, JsonObject];
    licenseServers: [JsonObject, JsonObject, JsonObject];
    admins: [JsonObject];
  };
  const verify = (changes: Record<string, unknown>, key = admin) =>
    verifyGroupDocument(crypto, sealEnvelope(crypto, 'trefoil-group', { ...payload, ...changes }, key));

  test('is signed by one of the admins that it names', () => {
    assert.equal(verify({}).group, 'acme-plant');
    assert.throws(() => verify({}, seedKey('a stranger')), refused('unknown-key', /not signed by one of its admins/));
    assert.throws(() => verify({ admins: [] }), refused('unknown-key', /./));
    const altered = group.text.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A'));
    assert.throws(() => verifyGroupDocument(crypto, altered), refused('bad-signature', /./));
  });

  test('names nobody twice, and no key for two', () => {
    const { tmrServers, licenseServers, admins } = payload;
    const [a, b] = tmrServers;
    assert.throws(
      () => verify({ tmrServers: [a, { ...b, id: 'A' }] }),
      refused('malformed', /tmrServers names a server twice/),
    );
    assert.throws(() => verify({ tmrServers: [a, { ...b, key: a['key'] }] }), refused('malformed', /the same key/));
    assert.throws(
      () => verify({ tmrServers: [a, { ...b, key: admins[0]['key'] }] }),
      refused('malformed', /the same key/),
    );
    const members = [licenseServers[0], licenseServers[0], licenseServers[2]];
    assert.throws(
      () => verify({ licenseServers: members }),
      refused('malformed', /licenseServers names a member twice/),
    );
    const twice = [admins[0], { ...admins[0], key: toBase64url(seedKey('another').publicKey.bytes) }];
    assert.throws(() => verify({ admins: twice }), refused('malformed', /admins has a name twice/));
    assert.throws(
      () => verify({ admins: [admins[0], { ...admins[0], name: 'eve' }] }),
      refused('malformed', /the same key/),
    );
  });

  test('has no weak key and no field that is not known', () => {
    const [a, b] = payload.tmrServers;
    const weak = toBase64url(new Uint8Array(32));
    assert.throws(() => verify({ tmrServers: [{ ...a, key: weak }, b] }), refused('weak-key', /tmrServers\[0\]\.key/));
    assert.throws(
      () => verify({ tmrServers: [a, { ...b, id: 'C' }] }),
      refused('malformed', /tmrServers\[1\]\.id is not one of A, B/),
    );
    assert.throws(() => verify({ extra: 1 }), refused('malformed', /unknown field "extra"/));
    assert.throws(() => verify({ version: 0 }), refused('malformed', /version is 0/));
    assert.throws(
      () => verify({ licenseServers: [{ member: 4, address: 'x' }] }),
      refused('malformed', /licenseServers\[0\]\.member/),
    );
  });
});

describe('container request', () => {
  const key = seedKey('container');
  const payload = {
    format: 1,
    kind: 'software',
    serial: toBase64url(new Uint8Array(16).fill(1)),
    name: 'host-1',
    alg: 'ed25519',
    signingKey: toBase64url(key.publicKey.bytes),
    sealingKey: toBase64url(new Uint8Array(32).fill(9)),
  };
  const verify = (changes: JsonObject, signer = key) =>
    verifyContainerRequest(crypto, sealEnvelope(crypto, 'trefoil-request', { ...payload, ...changes }, signer));

  test('shows that the container holds its key', () => {
    assert.equal(verify({}).name, 'host-1');
    assert.throws(() => verify({}, seedKey('another container')), refused('unknown-key', /./));
    assert.throws(() => verify({ signingKey: toBase64url(new Uint8Array(32)) }), refused('weak-key', /small order/));
    assert.throws(() => verify({ serial: 'AAAA' }), refused('malformed', /serial has 3 bytes, not 16/));
    assert.throws(() => verify({ kind: 'paper' }), refused('malformed', /kind is not one of software, pkcs11, tpm/));
    assert.throws(() => verify({ more: true }), refused('malformed', /unknown field "more"/));
  });
});
