import { concatBytes, encodeUtf8, fromBase64url, toBase64url } from './bytes.ts';
import type { Crypto, SigningKey } from './crypto.ts';
import { type Configuration, type IssuingKey, verifyConfiguration, verifyIssuingKey } from './documents.ts';
import { readEnvelope, sealEnvelope } from './envelope.ts';
import { type GroupDocument, verifyGroupDocument } from './group.ts';
import type { JsonObject } from './json.ts';
import { ed25519FromSeed, nodeCrypto } from './node-crypto.ts';
import { termsJson } from './terms/index.ts';

export * from './fixture-grants.ts';

/** A small vendor with one container set, all keys from seeds: for tests and vectors, never for anything real. */
export interface Fixture {
  readonly crypto: Crypto;
  readonly root: SigningKey;
  readonly issuing: SigningKey;
  readonly issuingKey: IssuingKey;
  readonly containers: readonly SigningKey[];
  readonly tmrKeys: Readonly<Record<'A' | 'B', SigningKey>>;
  readonly admin: SigningKey;
  readonly set: Uint8Array;
  readonly configuration: Configuration;
  readonly group: GroupDocument;
  license(options?: LicenseOptions): string;
  /** `generations`: of the containers that its constituents are for; the first ones, if none are given. */
  update(licenses: readonly string[], serial?: number, generations?: readonly number[]): string;
  /** The key of the container that has this place in that generation; generation 0 is the set's first. */
  container(member: number, generation: number): SigningKey;
  serial(member: number, generation: number): Uint8Array;
  reconfiguration(options: ReconfigurationOptions): string;
}

/** Which generation of containers each member is of, in this version. */
export interface ReconfigurationOptions {
  readonly version: number;
  readonly generations: readonly number[];
  /** Constituents of these for this member's container. */
  readonly licenses?: readonly string[];
  readonly member?: number;
  readonly expires?: string;
  readonly issuedAt?: string;
  readonly set?: Uint8Array;
}

export interface LicenseOptions {
  readonly id?: string;
  readonly version?: number;
  readonly product?: string;
  readonly tmrId?: number;
  readonly terms?: JsonObject;
  readonly set?: Uint8Array;
}

export function seedKey(name: string): SigningKey {
  return ed25519FromSeed(nodeCrypto().sha256(encodeUtf8(`trefoil fixture ${name}`)));
}

export const ISSUED_AT = '2026-11-01T00:00:00Z';

/** `keyOf` makes all keys from their names; Ed25519 unless said otherwise. `crypto` has to know them. */
export function fixture(
  name = 'acme',
  threshold: 1 | 2 = 2,
  keyOf: (name: string) => SigningKey = seedKey,
  crypto: Crypto = nodeCrypto(),
): Fixture {
  const root = keyOf(`${name} root`);
  const issuing = keyOf(`${name} issuing`);
  const admin = keyOf(`${name} admin`);
  const members = threshold === 2 ? [1, 2, 3] : [1];
  const container = (member: number, generation: number): SigningKey =>
    keyOf(`${name} container ${member}${generation === 0 ? '' : ` of generation ${generation}`}`);
  const containers = members.map((member) => container(member, 0));
  const tmrKeys = { A: keyOf(`${name} tmr A`), B: keyOf(`${name} tmr B`) };
  const set = crypto.sha256(encodeUtf8(`${name} set`)).subarray(0, 16);
  const issuingKey = verifyIssuingKey(crypto, root.publicKey, issuingText(crypto, name, root, issuing));
  const configuration = verifyConfiguration(
    crypto,
    issuingKey,
    sealEnvelope(crypto, 'trefoil-configuration', configurationJson({ vendor: name, set, containers }), issuing),
  );
  return {
    ...{ crypto, root, issuing, issuingKey, containers, tmrKeys, admin, set, configuration },
    group: verifyGroupDocument(crypto, sealEnvelope(crypto, 'trefoil-group', groupJson(name, tmrKeys, admin), admin)),
    license: (options = {}) => sealEnvelope(crypto, 'trefoil-license', licenseJson(name, set, options), issuing),
    update: (licenses, serial = 1, generations = []) =>
      sealEnvelope(
        crypto,
        'trefoil-update',
        updateJson({ crypto, name, set, issuing, issuingKey, members, generations }, licenses, serial),
        issuing,
      ),
    container,
    serial: (member, generation) => fromBase64url(serialOf(member, generation)),
    reconfiguration: ({ licenses = [], member = 3, generations, issuedAt = ISSUED_AT, ...options }) => {
      const keys = generations.map((generation, i) => container(i + 1, generation));
      const json = configurationJson({ vendor: name, set, containers: keys, generations, ...options });
      const serial = serialOf(member, generations[member - 1]);
      const payload = {
        ...{ format: 1, issuingKey: issuingKey.text, issuedAt },
        configuration: sealEnvelope(crypto, 'trefoil-configuration', json, issuing),
        constituents: licenses.map((text) => constituent(crypto, text, { member, serial }, issuing)),
      };
      return sealEnvelope(crypto, 'trefoil-reconfiguration', payload, issuing);
    },
  };
}

const keyJson = (key: SigningKey): string => toBase64url(key.publicKey.bytes);
const serialOf = (member: number, generation = 0): string =>
  toBase64url(new Uint8Array(16).fill(member + 16 * generation));

function issuingText(crypto: Crypto, vendor: string, root: SigningKey, issuing: SigningKey): string {
  const dates = { notBefore: '2026-01-01T00:00:00Z', notAfter: '2028-01-01T00:00:00Z' };
  return sealEnvelope(
    crypto,
    'trefoil-issuing-key',
    { format: 1, vendor, alg: issuing.publicKey.alg, key: keyJson(issuing), ...dates },
    root,
  );
}

function configurationJson({
  vendor,
  set,
  containers,
  version = 1,
  generations = [],
  expires = '2027-11-01T00:00:00Z',
}: {
  vendor: string;
  set: Uint8Array;
  containers: readonly SigningKey[];
  version?: number;
  generations?: readonly number[];
  expires?: string;
}): JsonObject {
  return {
    format: 1,
    vendor,
    set: toBase64url(set),
    name: `${vendor} licenses`,
    version,
    threshold: containers.length === 3 ? 2 : 1,
    containers: containers.map((key, i) => ({
      member: i + 1,
      kind: 'software',
      serial: serialOf(i + 1, generations[i]),
      alg: key.publicKey.alg,
      signingKey: keyJson(key),
      sealingKey: toBase64url(new Uint8Array(32).fill(9)),
    })),
    issuedAt: ISSUED_AT,
    expires,
  };
}

function groupJson(name: string, tmrKeys: Fixture['tmrKeys'], admin: SigningKey): JsonObject {
  return {
    format: 1,
    group: `${name}-plant`,
    version: 1,
    tmrServers: (['A', 'B'] as const).map((id) => ({
      id,
      alg: tmrKeys[id].publicKey.alg,
      key: keyJson(tmrKeys[id]),
      address: `tmr-${id.toLowerCase()}:7410`,
    })),
    licenseServers: [1, 2, 3].map((member) => ({ member, address: `license-server-${member}:7411` })),
    admins: [{ name: 'admin', alg: admin.publicKey.alg, key: keyJson(admin) }],
  };
}

function licenseJson(vendor: string, set: Uint8Array, options: LicenseOptions): JsonObject {
  return {
    format: 1,
    vendor,
    set: toBase64url(options.set ?? set),
    license: options.id ?? 'cad-1',
    version: options.version ?? 1,
    product: options.product ?? 'cad',
    name: 'CAD',
    tmrId: options.tmrId ?? 1,
    terms: termsJson(options.terms ?? { quantity: 5 }),
    issuedAt: ISSUED_AT,
  };
}

function updateJson(
  from: {
    crypto: Crypto;
    name: string;
    set: Uint8Array;
    issuing: SigningKey;
    issuingKey: IssuingKey;
    members: number[];
    generations: readonly number[];
  },
  licenses: readonly string[],
  serial: number,
): JsonObject {
  const { crypto, name, set, issuing, issuingKey, members, generations } = from;
  const constituents = licenses.flatMap((text) =>
    members.map((member) =>
      constituent(crypto, text, { member, serial: serialOf(member, generations[member - 1]) }, issuing),
    ),
  );
  return {
    format: 1,
    issuingKey: issuingKey.text,
    vendor: name,
    set: toBase64url(set),
    serial,
    issuedAt: ISSUED_AT,
    licenses,
    constituents,
  };
}

function constituent(
  crypto: Crypto,
  license: string,
  container: { member: number; serial: string },
  issuing: SigningKey,
): string {
  const { set, license: id, version, tmrId } = readEnvelope(license, 'trefoil-license').payload;
  const of = { set, license: id, version, tmrId } as JsonObject;
  const licenseDigest = toBase64url(crypto.sha256(encodeUtf8(license)));
  return sealEnvelope(crypto, 'trefoil-constituent', { format: 1, ...of, ...container, licenseDigest }, issuing);
}

export function secretPair(crypto: Crypto, name: string): { secret: Uint8Array; hash: Uint8Array } {
  const secret = crypto.sha256(concatBytes(encodeUtf8('trefoil fixture secret'), encodeUtf8(name)));
  return { secret, hash: crypto.sha256(secret) };
}
