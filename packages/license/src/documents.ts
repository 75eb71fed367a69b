import { equalBytes, malformed, toBase64url } from './bytes.ts';
import type { Crypto, PublicKey } from './crypto.ts';
import { checkEnvelope, type Envelope, keyId, readEnvelope } from './envelope.ts';
import { LicenseError } from './errors.ts';
import { Fields } from './fields.ts';
import type { Json } from './json.ts';
import { LIMITS } from './limits.ts';
import { type Member, SET_ID_BYTES } from './statements.ts';
import { parseTerms, type Terms } from './terms/index.ts';

/**
 * The documents of the trust chain: vendor root → issuing key → configuration, license, constituent, update; and the two
 * that customers sign: group document and request. Parsers check form; `verify…` functions check who signed (FORMATS §2).
 */
export interface IssuingKey {
  readonly vendor: string;
  readonly key: PublicKey;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly text: string;
}

export interface ContainerRecord {
  readonly member: Member;
  readonly kind: string;
  /** 16 bytes, made with the container. */
  readonly serial: Uint8Array;
  readonly signingKey: PublicKey;
  /** X25519, 32 bytes. */
  readonly sealingKey: Uint8Array;
}

export interface Configuration {
  readonly vendor: string;
  readonly set: Uint8Array;
  readonly name: string;
  readonly version: number;
  /** 2 of 3, or 1 of 1. */
  readonly threshold: 1 | 2;
  readonly containers: readonly ContainerRecord[];
  readonly issuedAt: number;
  readonly expires: number;
  readonly text: string;
}

export interface License {
  readonly vendor: string;
  readonly set: Uint8Array;
  readonly id: string;
  readonly version: number;
  readonly product: string;
  readonly name: string;
  /** 0 = not a TMR license. */
  readonly tmrId: number;
  readonly terms: Terms;
  readonly issuedAt: number;
  readonly text: string;
}

export interface Constituent {
  readonly set: Uint8Array;
  readonly license: string;
  readonly version: number;
  readonly tmrId: number;
  readonly member: Member;
  readonly serial: Uint8Array;
  /** SHA-256 of the license document's text. */
  readonly licenseDigest: Uint8Array;
  readonly text: string;
}

export interface Update {
  readonly vendor: string;
  readonly set: Uint8Array;
  readonly serial: number;
  readonly licenses: readonly License[];
  readonly constituents: readonly Constituent[];
  readonly issuedAt: number;
  readonly issuingKey: IssuingKey;
  readonly text: string;
}

/** A new version of the configuration: one container in another's place, or none (a renewal). FORMATS §2.11. */
export interface Reconfiguration {
  readonly configuration: Configuration;
  /** Of the licenses that the group has, for the new container. */
  readonly constituents: readonly Constituent[];
  readonly issuedAt: number;
  readonly issuingKey: IssuingKey;
  readonly text: string;
}

/** Checked against the pinned root key: the anchor of everything else. */
export function verifyIssuingKey(crypto: Crypto, root: PublicKey, text: string): IssuingKey {
  const envelope = readEnvelope(text, 'trefoil-issuing-key');
  checkEnvelope(crypto, envelope, root);
  const fields = new Fields(envelope.payload, '');
  const issuing = {
    vendor: format1(fields).code('vendor'),
    key: fields.publicKey('alg', 'key'),
    notBefore: fields.time('notBefore'),
    notAfter: fields.time('notAfter'),
    text,
  };
  fields.end();
  if (issuing.notBefore >= issuing.notAfter) throw malformed('notAfter is not after notBefore');
  return issuing;
}

/** The issuing key must have been valid when it signed, not for as long as the document lives. */
function checkIssued(issuing: IssuingKey, envelope: Envelope, vendor: string, issuedAt: number): void {
  if (vendor !== issuing.vendor)
    throw new LicenseError(
      'wrong-vendor',
      `the ${envelope.type} is of vendor ${vendor}, its key of vendor ${issuing.vendor}`,
    );
  if (issuedAt < issuing.notBefore)
    throw new LicenseError('not-yet', `the ${envelope.type} is older than its issuing key`);
  if (issuedAt >= issuing.notAfter)
    throw new LicenseError('expired', `the issuing key had expired when it signed the ${envelope.type}`);
}

export function verifyConfiguration(crypto: Crypto, issuing: IssuingKey, text: string): Configuration {
  const envelope = readEnvelope(text, 'trefoil-configuration');
  checkEnvelope(crypto, envelope, issuing.key);
  const fields = new Fields(envelope.payload, '');
  const configuration = {
    vendor: format1(fields).code('vendor'),
    set: fields.bytes('set', SET_ID_BYTES),
    name: fields.text('name'),
    version: fields.integer('version', 1, 0xffff_ffff),
    threshold: fields.integer('threshold', 1, 2) as 1 | 2,
    containers: fields.list('containers', 3).map(containerRecord),
    issuedAt: fields.time('issuedAt'),
    expires: fields.time('expires'),
    text,
  };
  fields.end();
  const { containers, threshold } = configuration;
  if (containers.length !== (threshold === 2 ? 3 : 1))
    throw malformed(`threshold ${threshold} with ${containers.length} containers: only 2 of 3 and 1 of 1 exist`);
  containers.forEach((container, i) => {
    if (container.member !== i + 1) throw malformed('containers are not numbered 1, 2, 3');
  });
  if (configuration.issuedAt >= configuration.expires) throw malformed('expires is not after issuedAt');
  if (new Set(containers.map((one) => toBase64url(one.serial))).size !== containers.length)
    throw malformed('two containers have the same serial');
  // The same key in two places would let one container cast two votes.
  if (new Set(containers.map((one) => keyId(crypto, one.signingKey))).size !== containers.length)
    throw malformed('two containers have the same signing key');
  checkIssued(issuing, envelope, configuration.vendor, configuration.issuedAt);
  return configuration;
}

/** All versions in a configuration file, oldest first (FORMATS §2.11). @throws LicenseError */
export function verifyConfigurations(
  crypto: Crypto,
  issuing: IssuingKey,
  texts: string,
): [Configuration, ...Configuration[]] {
  const all = texts
    .trim()
    .split(/\s+/)
    .map((text) => verifyConfiguration(crypto, issuing, text));
  const [first] = all as [Configuration];
  all.forEach(({ version, set }, i) => {
    if (!equalBytes(set, first.set)) throw malformed(`line ${i + 1} is of another container set than line 1`);
    if (version !== first.version + i)
      throw malformed(
        `line ${i + 1} has version ${version}, not ${first.version + i}: there has to be a line for each`,
      );
  });
  return all as [Configuration, ...Configuration[]];
}

function containerRecord(item: Json, i: number): ContainerRecord {
  const fields = new Fields(item, `containers[${i}]`);
  const record = {
    member: fields.integer('member', 1, 3) as Member,
    kind: fields.oneOf('kind', ['software', 'pkcs11', 'tpm']),
    serial: fields.bytes('serial', 16),
    signingKey: fields.publicKey('alg', 'signingKey'),
    sealingKey: fields.bytes('sealingKey', 32),
  };
  fields.end();
  return record;
}

export function verifyLicense(crypto: Crypto, issuing: IssuingKey, text: string): License {
  const envelope = readEnvelope(text, 'trefoil-license');
  checkEnvelope(crypto, envelope, issuing.key);
  const fields = new Fields(envelope.payload, '');
  const license = {
    vendor: format1(fields).code('vendor'),
    set: fields.bytes('set', SET_ID_BYTES),
    id: fields.code('license'),
    version: fields.integer('version', 1, 0xffff_ffff),
    product: fields.code('product'),
    name: fields.text('name'),
    tmrId: fields.integer('tmrId', 0, Number.MAX_SAFE_INTEGER),
    terms: parseTerms(fields.take('terms')),
    issuedAt: fields.time('issuedAt'),
    text,
  };
  fields.end();
  checkIssued(issuing, envelope, license.vendor, license.issuedAt);
  return license;
}

export function verifyConstituent(crypto: Crypto, issuing: IssuingKey, text: string): Constituent {
  const envelope = readEnvelope(text, 'trefoil-constituent');
  checkEnvelope(crypto, envelope, issuing.key);
  const fields = new Fields(envelope.payload, '');
  const constituent = {
    set: format1(fields).bytes('set', SET_ID_BYTES),
    license: fields.code('license'),
    version: fields.integer('version', 1, 0xffff_ffff),
    tmrId: fields.integer('tmrId', 0, Number.MAX_SAFE_INTEGER),
    member: fields.integer('member', 1, 3) as Member,
    serial: fields.bytes('serial', 16),
    licenseDigest: fields.bytes('licenseDigest', 32),
    text,
  };
  fields.end();
  return constituent;
}

/** An update brings its issuing key along; `root` decides whether to believe that one. */
export function verifyUpdate(crypto: Crypto, root: PublicKey, text: string): Update {
  const envelope = readEnvelope(text, 'trefoil-update');
  const fields = new Fields(envelope.payload, '');
  format1(fields);
  const issuingKey = verifyIssuingKey(crypto, root, fields.text('issuingKey', LIMITS.documentBytes));
  checkEnvelope(crypto, envelope, issuingKey.key);
  const update = {
    vendor: fields.code('vendor'),
    set: fields.bytes('set', SET_ID_BYTES),
    serial: fields.integer('serial', 1, Number.MAX_SAFE_INTEGER),
    issuedAt: fields.time('issuedAt'),
    licenses: fields
      .texts('licenses', LIMITS.licensesPerUpdate, LIMITS.documentBytes)
      .map((one) => verifyLicense(crypto, issuingKey, one)),
    constituents: fields
      .texts('constituents', 3 * LIMITS.licensesPerUpdate, LIMITS.documentBytes)
      .map((one) => verifyConstituent(crypto, issuingKey, one)),
    issuingKey,
    text,
  };
  fields.end();
  if (new Set(update.licenses.map((one) => one.id)).size !== update.licenses.length)
    throw malformed('licenses has a license twice');
  checkIssued(issuingKey, envelope, update.vendor, update.issuedAt);
  return update;
}

/** Like an update, it brings its issuing key along. What it changes is for the ledger to check (PROTOCOL §4.9). */
export function verifyReconfiguration(crypto: Crypto, root: PublicKey, text: string): Reconfiguration {
  const envelope = readEnvelope(text, 'trefoil-reconfiguration');
  const fields = new Fields(envelope.payload, '');
  format1(fields);
  const issuingKey = verifyIssuingKey(crypto, root, fields.text('issuingKey', LIMITS.documentBytes));
  checkEnvelope(crypto, envelope, issuingKey.key);
  const change = {
    configuration: verifyConfiguration(crypto, issuingKey, fields.text('configuration', LIMITS.documentBytes)),
    constituents: fields
      .texts('constituents', LIMITS.constituentsPerChange, LIMITS.documentBytes)
      .map((one) => verifyConstituent(crypto, issuingKey, one)),
    issuedAt: fields.time('issuedAt'),
    issuingKey,
    text,
  };
  fields.end();
  checkIssued(issuingKey, envelope, issuingKey.vendor, change.issuedAt);
  return change;
}

/** The same container: so its votes go on counting under another version of the configuration. */
function isSameContainer(one: ContainerRecord, other: ContainerRecord): boolean {
  return (
    one.member === other.member &&
    one.kind === other.kind &&
    equalBytes(one.serial, other.serial) &&
    one.signingKey.alg === other.signingKey.alg &&
    equalBytes(one.signingKey.bytes, other.signingKey.bytes) &&
    equalBytes(one.sealingKey, other.sealingKey)
  );
}

/** Who has one of these may have what the other has signed: both can't be in one set. */
export function sharesSerialOrKey(one: ContainerRecord, other: ContainerRecord): boolean {
  return equalBytes(one.serial, other.serial) || equalBytes(one.signingKey.bytes, other.signingKey.bytes);
}

/** Those of `next` that `before` lacks. */
export function newContainers(before: Configuration, next: Configuration): ContainerRecord[] {
  return next.containers.filter((one) => !before.containers.some((other) => isSameContainer(one, other)));
}

/** Every document says its format's number first, so that a later one is recognised, not misread. */
function format1(fields: Fields): Fields {
  fields.integer('format', 1, 1);
  return fields;
}
