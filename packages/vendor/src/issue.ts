import { randomBytes } from 'node:crypto';
import {
  type Configuration,
  type ContainerRecord,
  encodeUtf8,
  type IssuingKey,
  type JsonObject,
  type License,
  LIMITS,
  type Member,
  nameFault,
  type PublicKey,
  sealEnvelope,
  SET_ID_BYTES,
  type SigningKey,
  termsJson,
  toBase64url,
  unknownTerms,
  verifyConfiguration,
  verifyContainerRequest,
  verifyIssuingKey,
  verifyLicense,
  verifyUpdate,
} from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { VendorError } from './errors.ts';

/** What signs for a vendor: the issuing key with the document in which the root vouches for it. */
export interface Issuer {
  readonly key: SigningKey;
  readonly document: IssuingKey;
}

/**
 * The root certifies an issuing key; the one thing that the root is for. Times in ms since 1970.
 * Returns the document's text (JWS).
 */
export function certifyIssuingKey(
  root: SigningKey,
  options: { vendor: string; key: PublicKey; notBefore: number; notAfter: number },
): string {
  const crypto = nodeCrypto();
  const { vendor, key, notBefore, notAfter } = options;
  const payload = {
    format: 1,
    vendor,
    alg: key.alg,
    key: toBase64url(key.bytes),
    notBefore: utc(notBefore),
    notAfter: utc(notAfter),
  };
  const text = sealEnvelope(crypto, 'trefoil-issuing-key', payload, root);
  verifyIssuingKey(crypto, root.publicKey, text); // what we hand out, our own reader accepts
  return text;
}

/** @throws LicenseError if `document` is not vouched for by `root`, or is for another key. */
export function issuerOf(root: PublicKey, document: string, key: SigningKey): Issuer {
  const issuing = verifyIssuingKey(nodeCrypto(), root, document);
  if (toBase64url(issuing.key.bytes) !== toBase64url(key.publicKey.bytes))
    throw new VendorError('bad-key-file', 'the key is not the one that the issuing-key document names');
  return { key, document: issuing };
}

/**
 * Three requests (or one, for a single server) become a container set. `requests`: texts in member order.
 * @throws LicenseError for an altered request, VendorError `bad-requests` when they can't form a set.
 */
export function configure(
  issuer: Issuer,
  options: {
    requests: readonly string[];
    name: string;
    issuedAt: number;
    expires: number;
    set?: Uint8Array;
    version?: number;
  },
): string {
  const crypto = nodeCrypto();
  const requests = options.requests.map((text) => verifyContainerRequest(crypto, text.trim()));
  if (requests.length !== 3 && requests.length !== 1)
    throw new VendorError(
      'bad-requests',
      `${requests.length} requests: a set has three containers, or one without redundancy`,
    );
  if (new Set(requests.map((one) => toBase64url(one.serial))).size !== requests.length)
    throw new VendorError('bad-requests', 'two of the requests are of the same container');
  const wrong = nameFault(options.name, LIMITS.nameBytes);
  if (wrong !== undefined) throw new VendorError('bad-requests', `the name of the set ${wrong}`);
  const text = sealEnvelope(
    crypto,
    'trefoil-configuration',
    {
      format: 1,
      vendor: issuer.document.vendor,
      set: toBase64url(options.set ?? randomBytes(SET_ID_BYTES)),
      name: options.name,
      version: options.version ?? 1,
      threshold: requests.length === 3 ? 2 : 1,
      containers: requests.map((one, i) => containerJson({ ...one, member: (i + 1) as Member })),
      issuedAt: utc(options.issuedAt),
      expires: utc(options.expires),
    },
    issuer.key,
  );
  verifyConfiguration(crypto, issuer.document, text);
  return text;
}

export interface LicenseOrder {
  /** Unique for this vendor and set, e.g. `cad-2026-0042`. */
  readonly license: string;
  /** Rises with each change; older ones are refused. */
  readonly version: number;
  readonly product: string;
  /** For people. */
  readonly name: string;
  /** Number of the TMR triplet in its set; 0 = for a single server. */
  readonly tmrId: number;
  /** FORMATS §2.4; times as text, e.g. `2027-12-31T23:59:59Z`. */
  readonly terms: JsonObject;
  readonly issuedAt: number;
}

/** One license for one container set. @throws LicenseError that names the term which doesn't fit. */
export function issueLicense(issuer: Issuer, configuration: Configuration, order: LicenseOrder): License {
  const crypto = nodeCrypto();
  if (order.tmrId !== 0 && configuration.threshold !== 2)
    throw new VendorError('bad-license', 'a license with a TMR ID needs a set of three containers');
  const wrong = nameFault(order.name, LIMITS.nameBytes);
  if (wrong !== undefined) throw new VendorError('bad-license', `the name of the license ${wrong}`);
  const [unknown] = unknownTerms(order.terms);
  if (unknown !== undefined)
    throw new VendorError('bad-license', `terms.${unknown} is not a term; see docs/FORMATS.md §2.4`);
  const payload = {
    format: 1,
    vendor: issuer.document.vendor,
    set: toBase64url(configuration.set),
    license: order.license,
    version: order.version,
    product: order.product,
    name: order.name,
    tmrId: order.tmrId,
    terms: termsJson(order.terms),
    issuedAt: utc(order.issuedAt),
  };
  return verifyLicense(crypto, issuer.document, sealEnvelope(crypto, 'trefoil-license', payload, issuer.key));
}

/** The update file: licenses and, for each, one constituent for each container. Applied to a running group as one command. */
export function makeUpdate(
  issuer: Issuer,
  root: PublicKey,
  configuration: Configuration,
  options: { licenses: readonly License[]; serial: number; issuedAt: number },
): string {
  const crypto = nodeCrypto();
  const constituents = options.licenses.flatMap((license) =>
    configuration.containers.map((container) => constituentFor(issuer, license, container)),
  );
  const payload = {
    format: 1,
    issuingKey: issuer.document.text,
    vendor: issuer.document.vendor,
    set: toBase64url(configuration.set),
    serial: options.serial,
    issuedAt: utc(options.issuedAt),
    licenses: options.licenses.map((one) => one.text),
    constituents,
  };
  const text = sealEnvelope(crypto, 'trefoil-update', payload, issuer.key);
  verifyUpdate(crypto, root, text);
  return text;
}

/** One of the copies of a license: for this container. */
export function constituentFor(issuer: Issuer, license: License, { member, serial }: ContainerRecord): string {
  const crypto = nodeCrypto();
  const payload = {
    format: 1,
    set: toBase64url(license.set),
    license: license.id,
    version: license.version,
    tmrId: license.tmrId,
    member,
    serial: toBase64url(serial),
    licenseDigest: toBase64url(crypto.sha256(encodeUtf8(license.text))),
  };
  return sealEnvelope(crypto, 'trefoil-constituent', payload, issuer.key);
}

export function containerJson({ member, kind, serial, signingKey, sealingKey }: ContainerRecord): JsonObject {
  return {
    member,
    kind,
    serial: toBase64url(serial),
    alg: signingKey.alg,
    signingKey: toBase64url(signingKey.bytes),
    sealingKey: toBase64url(sealingKey),
  };
}

export function utc(ms: number): string {
  return `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}
