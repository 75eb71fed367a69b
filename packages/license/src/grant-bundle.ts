import { encodeUtf8, equalBytes, fromBase64url, malformed, toBase64url } from './bytes.ts';
import { decodeCertificate, verifyCertificate } from './certificate.ts';
import type { Crypto, PublicKey } from './crypto.ts';
import { type Configuration, type License, verifyConfiguration, verifyIssuingKey, verifyLicense } from './documents.ts';
import { LicenseError } from './errors.ts';
import { Fields } from './fields.ts';
import { parseStrictJson } from './json.ts';
import { LIMITS } from './limits.ts';
import { verifyMerklePath } from './merkle.ts';
import { decodeOutcome, type Grant, type Outcome } from './outcomes.ts';
import type { Accept } from './statements.ts';

/** A grant with everything that proves it; as a file: JSON, binary parts in base64url (FORMATS §6). */
export interface GrantBundle {
  readonly issuingKey: string;
  readonly configuration: string;
  /** One for each license that the outcome names. */
  readonly licenses: readonly string[];
  readonly outcome: Uint8Array;
  readonly leafIndex: number;
  readonly path: readonly Uint8Array[];
  readonly certificate: Uint8Array;
}

export function encodeGrantBundle(bundle: GrantBundle): string {
  return JSON.stringify(
    {
      format: 'trefoil-grant-1',
      issuingKey: bundle.issuingKey,
      configuration: bundle.configuration,
      licenses: bundle.licenses,
      outcome: toBase64url(bundle.outcome),
      leafIndex: bundle.leafIndex,
      path: bundle.path.map(toBase64url),
      certificate: toBase64url(bundle.certificate),
    },
    undefined,
    2,
  );
}

export function decodeGrantBundle(text: string): GrantBundle {
  const fields = new Fields(parseStrictJson(encodeUtf8(text), LIMITS.grantBundleBytes), '');
  fields.oneOf('format', ['trefoil-grant-1']);
  const bundle = {
    issuingKey: fields.text('issuingKey', LIMITS.documentBytes),
    configuration: fields.text('configuration', LIMITS.documentBytes),
    licenses: fields.texts('licenses', LIMITS.itemsPerAcquire, LIMITS.documentBytes),
    outcome: fromBase64url(fields.text('outcome', LIMITS.documentBytes)),
    leafIndex: fields.integer('leafIndex', 0, 2 ** LIMITS.proofHashes),
    path: fields.texts('path', LIMITS.proofHashes, 43).map((text, i) => {
      const hash = fromBase64url(text);
      if (hash.length !== 32) throw malformed(`path[${i}] is not a hash`);
      return hash;
    }),
    certificate: fromBase64url(fields.text('certificate', 2048)),
  };
  fields.end();
  return bundle;
}

export interface VerifiedGrant {
  readonly grants: readonly Grant[];
  readonly licenses: readonly License[];
  readonly configuration: Configuration;
  readonly accept: Accept;
  /** The outcome's own end by the group's UTC: issue + life, cut at the license's end. Clients count from their sending. */
  readonly validUntilUtc: number;
}

/**
 * The one offline verifier: from the pinned vendor root to a certified seat, or a LicenseError with the reason. Needs no
 * network and no clock; `at` (ms since 1970) is the instant in question, left out = the instant of issue.
 */
export function verifyGrant(
  crypto: Crypto,
  root: PublicKey,
  bundle: GrantBundle,
  expected: { readonly at?: number; readonly sessionKey?: Uint8Array; readonly commandHash?: Uint8Array } = {},
): VerifiedGrant {
  const issuing = verifyIssuingKey(crypto, root, bundle.issuingKey);
  const configuration = verifyConfiguration(crypto, issuing, bundle.configuration);
  const accept = verifyCertificate(crypto, configuration, decodeCertificate(bundle.certificate));
  const outcome = verifyOutcome(crypto, accept, bundle);
  if (outcome.kind !== 'granted' && outcome.kind !== 'renewed')
    throw new LicenseError('wrong-proof', `the certified outcome is "${outcome.kind}", not a grant`);
  if (expected.commandHash !== undefined && !equalBytes(outcome.commandHash, expected.commandHash))
    throw new LicenseError('wrong-command', 'the outcome answers another request');
  if (outcome.grants.length === 0) throw new LicenseError('wrong-proof', 'the outcome grants nothing');
  const licenses = bundle.licenses.map((text) => verifyLicense(crypto, issuing, text));
  const until = outcome.grants.map((grant) => {
    checkGrant(crypto, configuration, licenses, grant, expected.sessionKey);
    return validUntil(grant);
  });
  const validUntilUtc = Math.min(...until, configuration.expires);
  const at = expected.at ?? accept.utc;
  if (at >= validUntilUtc) throw new LicenseError('expired', 'the grant had run out at that time');
  if (at < configuration.issuedAt)
    throw new LicenseError('not-yet', 'the configuration was not valid yet at that time');
  return { grants: outcome.grants, licenses, configuration, accept, validUntilUtc };
}

/** The outcome, if it is the leaf that the certified root covers. */
export function verifyOutcome(
  crypto: Crypto,
  accept: Accept,
  proof: { readonly outcome: Uint8Array; readonly leafIndex: number; readonly path: readonly Uint8Array[] },
): Outcome {
  const covered = verifyMerklePath(crypto, {
    data: proof.outcome,
    index: proof.leafIndex,
    leafCount: accept.leafCount,
    path: proof.path,
    root: accept.outcomesRoot,
  });
  if (!covered) throw new LicenseError('wrong-proof', 'the outcome is not under the certified root');
  return decodeOutcome(proof.outcome);
}

function checkGrant(
  crypto: Crypto,
  configuration: Configuration,
  licenses: readonly License[],
  grant: Grant,
  sessionKey: Uint8Array | undefined,
): void {
  const license = licenses.find((one) => one.id === grant.license && one.version === grant.version);
  if (license === undefined || !equalBytes(crypto.sha256(encodeUtf8(license.text)), grant.licenseDigest))
    throw new LicenseError('wrong-license', `the license ${grant.license} that was granted is not in the bundle`);
  if (!equalBytes(license.set, configuration.set))
    throw new LicenseError('wrong-set', `the license ${license.id} is for another container set`);
  // A constituent that is let out alone would be three licenses for the price of one.
  if (license.tmrId !== 0 && configuration.threshold !== 2)
    throw new LicenseError(
      'needs-two-votes',
      `the license ${license.id} has a TMR ID and is valid with two votes only`,
    );
  if (license.product !== grant.product || license.tmrId !== grant.tmrId)
    throw new LicenseError('wrong-license', `the grant does not fit the license ${license.id}`);
  if (sessionKey !== undefined && !equalBytes(sessionKey, grant.sessionKey))
    throw new LicenseError('wrong-session', 'the grant belongs to another session');
}

function validUntil(grant: Grant): number {
  const end = grant.issuedUtc + grant.lifeMs;
  return grant.notAfter === 0 ? end : Math.min(end, grant.notAfter);
}
