import { malformed } from './bytes.ts';
import type { Crypto, PublicKey } from './crypto.ts';
import { checkEnvelope, keyId, readEnvelope } from './envelope.ts';
import { LicenseError } from './errors.ts';
import { Fields } from './fields.ts';
import type { Member, TmrServer } from './statements.ts';

/** Signed by the customer's admin: who the five servers are and who may command (FORMATS §2.7). */
export interface GroupDocument {
  readonly group: string;
  readonly version: number;
  readonly tmrServers: readonly { readonly id: TmrServer; readonly key: PublicKey; readonly address: string }[];
  readonly licenseServers: readonly { readonly member: Member; readonly address: string }[];
  readonly admins: readonly { readonly name: string; readonly key: PublicKey }[];
  readonly text: string;
}

/** The document names the admin key that signed it: it is trusted because the admin put the file on the server. */
export function verifyGroupDocument(crypto: Crypto, text: string): GroupDocument {
  const envelope = readEnvelope(text, 'trefoil-group');
  const fields = new Fields(envelope.payload, '');
  fields.integer('format', 1, 1);
  const group = {
    group: fields.code('group'),
    version: fields.integer('version', 1, 0xffff_ffff),
    tmrServers: fields.list('tmrServers', 2).map((item, i) => {
      const server = new Fields(item, `tmrServers[${i}]`);
      const record = {
        id: server.oneOf('id', ['A', 'B']),
        key: server.publicKey('alg', 'key'),
        address: server.text('address'),
      };
      server.end();
      return record;
    }),
    licenseServers: fields.list('licenseServers', 3).map((item, i) => {
      const server = new Fields(item, `licenseServers[${i}]`);
      const record = { member: server.integer('member', 1, 3) as Member, address: server.text('address') };
      server.end();
      return record;
    }),
    admins: fields.list('admins', 100).map((item, i) => {
      const admin = new Fields(item, `admins[${i}]`);
      const record = { name: admin.text('name'), key: admin.publicKey('alg', 'key') };
      admin.end();
      return record;
    }),
    text,
  };
  fields.end();
  refuseTwice(
    group.tmrServers.map((one) => one.id),
    'tmrServers names a server twice',
  );
  refuseTwice(
    group.licenseServers.map((one) => one.member),
    'licenseServers names a member twice',
  );
  refuseTwice(
    group.admins.map((one) => one.name),
    'admins has a name twice',
  );
  // Under a shared key, one server's lie would be proved against the other, and one admin's act could be denied.
  const keys = [...group.tmrServers, ...group.admins].map((one) => keyId(crypto, one.key));
  refuseTwice(keys, 'two servers or admins have the same key');
  const signer = group.admins.find((admin) => keyId(crypto, admin.key) === envelope.keyId);
  if (signer === undefined)
    throw new LicenseError('unknown-key', 'the group document is not signed by one of its admins');
  checkEnvelope(crypto, envelope, signer.key);
  return group;
}

/**
 * A group file: a line for each version, the first one first (FORMATS §2.7). The log stands on the first, so its text is kept; the last
 * says where everybody is to be found. @throws LicenseError
 */
export function verifyGroupFile(crypto: Crypto, texts: string): GroupDocument {
  const all = texts
    .trim()
    .split(/\s+/)
    .map((text) => verifyGroupDocument(crypto, text));
  const [first] = all as [GroupDocument];
  const last = all.at(-1) as GroupDocument;
  for (const [i, later] of all.entries()) {
    const before = all[i - 1];
    if (before === undefined) continue;
    if (later.version <= before.version)
      throw malformed(`line ${i + 1} has version ${later.version}, which is not above that of the line before`);
    if (standingOf(crypto, later) !== standingOf(crypto, first))
      throw malformed(`line ${i + 1} changes more than addresses: names, servers and keys stay as they were in line 1`);
  }
  const { tmrServers, licenseServers, version } = last;
  return { ...first, tmrServers, licenseServers, version };
}

/** All of it but addresses. */
function standingOf(crypto: Crypto, { group, tmrServers, licenseServers, admins }: GroupDocument): string {
  return JSON.stringify([
    group,
    tmrServers.map(({ id, key }) => [id, keyId(crypto, key)]),
    licenseServers.map(({ member }) => member),
    admins.map(({ name, key }) => [name, keyId(crypto, key)]),
  ]);
}

function refuseTwice(values: readonly (string | number)[], problem: string): void {
  if (new Set(values).size !== values.length) throw malformed(problem);
}

/** What a container says of itself when it asks to become part of a set; signed with its own key (FORMATS §2.8). */
export interface ContainerRequest {
  readonly kind: string;
  readonly serial: Uint8Array;
  /** For people: which host this is. */
  readonly name: string;
  readonly signingKey: PublicKey;
  readonly sealingKey: Uint8Array;
  readonly text: string;
}

export function verifyContainerRequest(crypto: Crypto, text: string): ContainerRequest {
  const envelope = readEnvelope(text, 'trefoil-request');
  const fields = new Fields(envelope.payload, '');
  fields.integer('format', 1, 1);
  const request = {
    kind: fields.oneOf('kind', ['software', 'pkcs11', 'tpm']),
    serial: fields.bytes('serial', 16),
    name: fields.text('name'),
    signingKey: fields.publicKey('alg', 'signingKey'),
    sealingKey: fields.bytes('sealingKey', 32),
    text,
  };
  fields.end();
  checkEnvelope(crypto, envelope, request.signingKey); // shows that it holds the key
  return request;
}

/** An admin's order to the TMR server that leads this epoch: the other one shall lead (PROTOCOL §4.8, FORMATS §2.10). */
export interface HandOverOrder {
  readonly set: Uint8Array;
  /** It is of use in this one only, so it can't be sent again. */
  readonly epoch: number;
  /** Who has signed it. */
  readonly admin: string;
  readonly text: string;
}

/** @throws LicenseError */
export function verifyHandOver(crypto: Crypto, group: GroupDocument, text: string): HandOverOrder {
  const envelope = readEnvelope(text, 'trefoil-hand-over');
  const fields = new Fields(envelope.payload, '');
  fields.integer('format', 1, 1);
  const order = { set: fields.bytes('set', 16), epoch: fields.integer('epoch', 1, Number.MAX_SAFE_INTEGER) };
  fields.end();
  const admin = group.admins.find(({ key }) => keyId(crypto, key) === envelope.keyId);
  if (admin === undefined) throw new LicenseError('unknown-key', 'not signed by an admin of this group');
  checkEnvelope(crypto, envelope, admin.key);
  return { ...order, admin: admin.name, text };
}
