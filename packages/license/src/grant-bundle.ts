import { bytesKey, encodeUtf8, equalBytes, fromBase64url, malformed, toBase64url } from './bytes.ts';
import { decodeCertificate, verifyCertificate } from './certificate.ts';
import type { Crypto, PublicKey } from './crypto.ts';
import {
  type Configuration,
  type IssuingKey,
  type License,
  verifyConfiguration,
  verifyIssuingKey,
  verifyLicense,
} from './documents.ts';
import { LicenseError, quoted } from './errors.ts';
import { Fields } from './fields.ts';
import { parseStrictJson } from './json.ts';
import { LIMITS } from './limits.ts';
import { verifyMerklePath } from './merkle.ts';
import { type Grant, GRANT_FLAGS } from './outcome-parts.ts';
import { decodeOutcome, type Outcome } from './outcomes.ts';
import type { Accept } from './statements.ts';
import { scopeOf, type Terms } from './terms/index.ts';

/** An outcome with grants and everything that proves it; as a file: JSON, binary parts in base64url (FORMATS §6.1). */
export interface GrantBundle {
  readonly issuingKey: string;
  readonly configuration: string;
  /** Those that the outcome's grants name, each once, and no other. */
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
    licenses: fields.texts('licenses', LIMITS.licensesPerBundle, LIMITS.documentBytes),
    outcome: fromBase64url(fields.text('outcome', LIMITS.documentBytes)),
    leafIndex: fields.integer('leafIndex', 0, 2 ** LIMITS.proofHashes - 1),
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
  /** `licenses[i]` is the one under which `grants[i]` was given. */
  readonly licenses: readonly License[];
  readonly configuration: Configuration;
  readonly accept: Accept;
  /** The outcome's own end by the group's UTC: issue + life, cut at the license's end. Clients count from their sending. */
  readonly validUntilUtc: number;
}

/**
 * The one offline verifier: from the pinned vendor root to a certified seat, or a LicenseError with the reason. Needs no
 * network and no clock; `at` (ms since 1970) is the instant in question, left out = the instant of the certificate. Step by step:
 * FORMATS §6.2.
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
  const licenses = licensesOf(crypto, issuing, bundle.licenses, outcome.grants);
  outcome.grants.forEach((grant, i) => {
    checkIssue(accept, grant, expected.sessionKey ?? outcome.grants[0]?.sessionKey);
    checkLicense(configuration, licenses[i] as License, grant, outcome.kind === 'granted');
  });
  const validUntilUtc = outcome.grants.reduce((until, one) => Math.min(until, validUntil(one)), configuration.expires);
  checkInstant(expected.at ?? accept.utc, outcome.grants, configuration, validUntilUtc);
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

/** For each grant its license: found by the digest, so that an altered or another version's text is no match. */
function licensesOf(
  crypto: Crypto,
  issuing: IssuingKey,
  texts: readonly string[],
  grants: readonly Grant[],
): readonly License[] {
  const byDigest = new Map<string, License>();
  for (const text of texts)
    byDigest.set(bytesKey(crypto.sha256(encodeUtf8(text))), verifyLicense(crypto, issuing, text));
  const licenses = grants.map((grant) => {
    const license = byDigest.get(bytesKey(grant.licenseDigest));
    if (license === undefined)
      throw new LicenseError(
        'wrong-license',
        `the license ${quoted(grant.license)} that was granted is not in the bundle`,
      );
    return license;
  });
  // A license beside them would look certified in a list that people are shown.
  if (new Set(licenses).size !== texts.length)
    throw new LicenseError('wrong-license', 'the bundle has a license twice, or one that nothing was granted under');
  return licenses;
}

/** Whose grant it is, and that it is not younger than its proof. */
function checkIssue(accept: Accept, grant: Grant, sessionKey: Uint8Array | undefined): void {
  if (sessionKey === undefined || !equalBytes(sessionKey, grant.sessionKey))
    throw new LicenseError('wrong-session', 'the grant belongs to another session');
  // An outcome may be certified again later (a repeated request), never before it was decided.
  if (grant.issuedUtc > accept.utc || grant.issuedLogTime > accept.logTime)
    throw new LicenseError('wrong-proof', 'the grant is younger than the votes for it');
}

/**
 * That the license gives what was granted. Fresh grants have to fit in all; a renewed one may be of a time before an update
 * took a feature or seats away, since an update throws nobody out (PROTOCOL §5.10).
 */
function checkLicense(configuration: Configuration, license: License, grant: Grant, fresh: boolean): void {
  if (!equalBytes(license.set, configuration.set))
    throw new LicenseError('wrong-set', `the license ${license.id} is for another container set`);
  // A constituent that is let out alone would be three licenses for the price of one.
  if (license.tmrId !== 0 && configuration.threshold !== 2)
    throw new LicenseError(
      'needs-two-votes',
      `the license ${license.id} has a TMR ID and is valid with two votes only`,
    );
  const fault = mismatch(license, grant) ?? (fresh ? excess(license.terms, grant) : undefined);
  if (fault !== undefined) throw new LicenseError('wrong-license', `the license ${license.id} ${fault}`);
}

function mismatch(license: License, grant: Grant): string | undefined {
  if (license.id !== grant.license || license.version !== grant.version) return 'is not the one that was granted';
  if (license.product !== grant.product || license.tmrId !== grant.tmrId) return 'does not fit the grant';
  if (grant.seats === 0) return 'gave no seat';
  if (grant.lifeMs > (isBorrowed(grant) ? LIMITS.borrowingMs : LIMITS.sessionTimeoutMaxMs))
    return 'allows no such life';
  const { terms } = license;
  const end = (scopeOf(terms, grant.feature) ?? terms.whole).notAfter ?? Infinity;
  // By its first use, which stands in the ledger alone: an end there is in any case.
  if (grant.notAfter === 0 ? terms.usagePeriodMs !== undefined || end < Infinity : grant.notAfter > end + terms.graceMs)
    return 'ends before the grant';
  const inGrace = (grant.flags & GRANT_FLAGS.grace) !== 0;
  return grant.issuedUtc >= end && !inGrace ? 'had ended' : undefined;
}

/** What the terms do not give, of a seat that is new. */
export function excess(
  terms: Terms,
  grant: Pick<Grant, 'feature' | 'mode' | 'lifeMs' | 'seats' | 'flags' | 'issuedUtc'>,
): string | undefined {
  const scope = scopeOf(terms, grant.feature);
  if (terms.returned) return 'was taken back';
  if (scope === undefined) return `has no feature ${quoted(grant.feature)}`;
  if (!terms.counting.includes(grant.mode)) return `does not allow counting by ${grant.mode}`;
  const longestMs = isBorrowed(grant) ? (terms.borrowing?.longestMs ?? 0) : terms.offlineGraceMs;
  if (grant.lifeMs > longestMs) return 'allows no such life';
  if (isBorrowed(grant) && grant.seats > (terms.borrowing?.seats ?? 0)) return 'lets fewer seats leave';
  if (scope.notBefore !== undefined && grant.issuedUtc < scope.notBefore) return 'was not valid yet';
  if (terms.quantity === 0 || grant.mode === 'uncounted') return undefined;
  const beyond = (grant.flags & GRANT_FLAGS.overdraft) === 0 ? 0 : terms.overdraft;
  const chain = terms.features.get(grant.feature)?.chain ?? [];
  const least = Math.min(...chain.map((name) => terms.features.get(name)?.quantity ?? Infinity));
  return grant.seats * scope.tokens > terms.quantity + beyond || grant.seats > least ? 'has fewer seats' : undefined;
}

export function isBorrowed({ flags }: Pick<Grant, 'flags'>): boolean {
  return (flags & GRANT_FLAGS.borrowed) !== 0;
}

function validUntil(grant: Grant): number {
  const end = grant.issuedUtc + grant.lifeMs;
  return grant.notAfter === 0 ? end : Math.min(end, grant.notAfter);
}

/** Written so that an instant that is no number (a misread date) is no valid one. */
function checkInstant(at: number, grants: readonly Grant[], configuration: Configuration, validUntilUtc: number): void {
  if (!(at < validUntilUtc)) throw new LicenseError('expired', 'the grant had run out at that time');
  if (at < configuration.issuedAt)
    throw new LicenseError('not-yet', 'the configuration was not valid yet at that time');
  if (grants.some((grant) => at < grant.issuedUtc))
    throw new LicenseError('not-yet', 'the grant had not been given yet at that time');
}
