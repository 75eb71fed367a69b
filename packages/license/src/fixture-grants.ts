import { encodeUtf8 } from './bytes.ts';
import { encodeCertificate, type Vote } from './certificate.ts';
import type { SigningKey } from './crypto.ts';
import type { Fixture } from './fixtures.ts';
import type { GrantBundle } from './grant-bundle.ts';
import { merklePath, merkleTree } from './merkle.ts';
import { type Grant } from './outcome-parts.ts';
import { encodeOutcome, type Outcome } from './outcomes.ts';
import { type Accept, encodeAccept, epochOf, type Member } from './statements.ts';

/** When the fixtures' group decides: a day after its documents were issued. */
export const GRANTED_UTC = Date.UTC(2026, 10, 2);
const GRANTED_LOG_TIME = 1_000_000;

/** A seat of the default license of `Fixture.license`, held by the session `sessionKey`. */
export function fixtureGrant(one: Fixture, license: string, sessionKey: Uint8Array, other: Partial<Grant> = {}): Grant {
  return {
    license: 'cad-1',
    version: 1,
    licenseDigest: one.crypto.sha256(encodeUtf8(license)),
    tmrId: 1,
    product: 'cad',
    feature: '',
    seats: 1,
    mode: 'session',
    user: 'ada',
    host: 'workstation-7',
    sessionKey,
    hold: 2,
    item: 0,
    flags: 0,
    releaseHash: one.crypto.sha256(encodeUtf8('trefoil fixture release secret')),
    issuedLogTime: GRANTED_LOG_TIME,
    issuedUtc: GRANTED_UTC,
    lifeMs: 60_000,
    notAfter: 0,
    ...other,
  };
}

export function fixtureOutcome(
  one: Fixture,
  grants: readonly Grant[],
  kind: 'granted' | 'renewed' = 'granted',
): Outcome {
  const head = {
    commandHash: one.crypto.sha256(encodeUtf8('trefoil fixture command')),
    session: one.crypto.sha256(encodeUtf8('trefoil fixture session')).subarray(0, 16),
    requestId: 2,
  };
  return kind === 'granted'
    ? { ...head, kind, grants }
    : { ...head, kind, logTime: GRANTED_LOG_TIME, grants, waiting: [] };
}

export interface CertifyOptions {
  /** What differs in the statement that is signed. */
  readonly accept?: Partial<Accept>;
  /** Who votes, and with which key if not with its own. */
  readonly voters?: readonly { readonly member: number; readonly key?: SigningKey }[];
  /** Outcomes of the same entry, before and behind. */
  readonly before?: readonly Uint8Array[];
  readonly behind?: readonly Uint8Array[];
}

/** One entry's outcomes under one certificate, and the proof of one of them. */
export function certifyOutcome(
  one: Fixture,
  outcome: Uint8Array,
  options: CertifyOptions = {},
): Pick<GrantBundle, 'outcome' | 'leafIndex' | 'path' | 'certificate'> {
  const {
    before = [],
    behind = [],
    voters = one.configuration.threshold === 2 ? [{ member: 1 }, { member: 3 }] : [{ member: 1 }],
  } = options;
  const tree = merkleTree(one.crypto, [...before, outcome, ...behind]);
  const statement = encodeAccept({
    set: one.set,
    configVersion: 1,
    epoch: epochOf(7, 'A'),
    index: 42,
    head: one.crypto.sha256(encodeUtf8('trefoil fixture head')),
    outcomesRoot: tree.root,
    leafCount: before.length + 1 + behind.length,
    logTime: GRANTED_LOG_TIME,
    utc: GRANTED_UTC,
    ...options.accept,
  });
  return {
    outcome,
    leafIndex: before.length,
    path: merklePath(tree, before.length),
    certificate: encodeCertificate({ statement, votes: voters.map((voter) => voteOf(one, statement, voter)) }),
  };
}

function voteOf(one: Fixture, statement: Uint8Array, voter: { member: number; key?: SigningKey }): Vote {
  const key = voter.key ?? one.containers[voter.member - 1];
  if (key === undefined) throw new RangeError(`a fixture without container ${voter.member}`);
  return { member: voter.member as Member, signature: key.sign(statement) };
}

/** A whole bundle: one seat of one license, with three outcomes in the entry. */
export function fixtureBundle(
  one: Fixture,
  parts: CertifyOptions & {
    readonly license: string;
    readonly sessionKey: Uint8Array;
    readonly grant?: Partial<Grant>;
    readonly kind?: 'granted' | 'renewed';
  },
): GrantBundle {
  const { license, sessionKey, grant, kind, ...options } = parts;
  const outcome = encodeOutcome(fixtureOutcome(one, [fixtureGrant(one, license, sessionKey, grant)], kind));
  const before = [encodeUtf8('one outcome')];
  const behind = [encodeUtf8('another')];
  return {
    issuingKey: one.issuingKey.text,
    configuration: one.configuration.text,
    licenses: [license],
    ...certifyOutcome(one, outcome, { before, behind, ...options }),
  };
}
