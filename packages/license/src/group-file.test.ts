import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeUtf8, fromBase64url } from './bytes.ts';
import { sealEnvelope } from './envelope.ts';
import { fixture, seedKey } from './fixtures.ts';
import { verifyGroupFile } from './group.ts';
import type { JsonObject } from './json.ts';

const { crypto, group, admin } = fixture();
const payload = JSON.parse(decodeUtf8(fromBase64url(group.text.split('.')[1] as string))) as JsonObject;
const later = (change: JsonObject, key = admin): string =>
  sealEnvelope(crypto, 'trefoil-group', { ...payload, version: 2, ...change }, key);
const servers = payload['tmrServers'] as JsonObject[];
const moved = [{ ...servers[0], address: 'elsewhere:7410' }, servers[1]] as JsonObject[];

test('the last line says where everybody is, the first one what the log stands on', () => {
  const read = verifyGroupFile(crypto, `${group.text}\n${later({ tmrServers: moved })}\n`);
  assert.equal(read.tmrServers[0]?.address, 'elsewhere:7410');
  assert.equal(read.text, group.text);
  assert.equal(read.version, 2);
  assert.deepEqual(verifyGroupFile(crypto, group.text), group);
});

test('nothing but addresses may change, and versions rise', () => {
  const refusal = (text: string): string => {
    try {
      verifyGroupFile(crypto, `${group.text}\n${text}`);
    } catch (error) {
      return (error as Error).message;
    }
    return 'taken';
  };
  assert.equal(refusal(later({ tmrServers: moved })), 'taken');
  assert.match(refusal(later({ version: 1 })), /line 2 has version 1/);
  assert.match(refusal(later({ group: 'another-plant' })), /more than addresses/);
  assert.match(refusal(later({ tmrServers: [servers[0]] as JsonObject[] })), /more than addresses/);
  const stranger = seedKey('stranger');
  const theirs = [{ name: 'admin', alg: 'ed25519', key: Buffer.from(stranger.publicKey.bytes).toString('base64url') }];
  assert.match(refusal(later({ admins: theirs }, stranger)), /more than addresses/);
  assert.match(refusal(later({}, stranger)), /not signed by one of its admins/);
});
