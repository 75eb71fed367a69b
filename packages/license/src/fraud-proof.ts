import { equalBytes } from './bytes.ts';
import { type Certificate, verifyCertificate } from './certificate.ts';
import type { Crypto } from './crypto.ts';
import type { Configuration } from './documents.ts';
import { LicenseError } from './errors.ts';
import type { GroupDocument } from './group.ts';
import {
  decodeAccept,
  decodePromise,
  encodePropose,
  epochOwner,
  type LogPromise,
  type Member,
  type TmrServer,
} from './statements.ts';

/** A statement and its signature. */
interface Signed {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

interface SignedProposal {
  readonly epoch: number;
  readonly index: number;
  readonly head: Uint8Array;
  readonly signature: Uint8Array;
}

/** Signed statements that no honest server can have made together (PROTOCOL §7.4). Whoever has the documents can check them. */
export type FraudProof =
  /** One key, one place, two statements. */
  | { readonly kind: 'two-votes'; readonly member: Member; readonly votes: readonly [Signed, Signed] }
  /** A vote that a later promise does not admit, with an earlier promise of the same start. */
  | {
      readonly kind: 'denied-vote';
      readonly member: Member;
      readonly before: Signed;
      readonly vote: Signed;
      readonly after: Signed;
    }
  /** One TMR server, one place, two entries. */
  | { readonly kind: 'two-proposals'; readonly proposals: readonly [SignedProposal, SignedProposal] }
  /** Two certificates for one index: two servers that are not named here signed what can't both be. */
  | { readonly kind: 'fork'; readonly certificates: readonly [Certificate, Certificate] };

export type Culprit = `license server ${Member}` | `TMR server ${TmrServer}` | 'the container set';

/** Whom the proof convicts. @throws LicenseError `not-fraud` where an honest server can have signed all of it */
export function verifyFraudProof(
  crypto: Crypto,
  documents: { readonly configuration: Configuration; readonly group: GroupDocument },
  proof: FraudProof,
): Culprit {
  const { configuration, group } = documents;
  switch (proof.kind) {
    case 'two-votes':
      return twoVotes(crypto, configuration, proof);
    case 'denied-vote':
      return deniedVote(crypto, configuration, proof);
    case 'two-proposals':
      return twoProposals(crypto, configuration, group, proof);
    case 'fork':
      return fork(crypto, configuration, proof);
  }
}

function twoVotes(
  crypto: Crypto,
  configuration: Configuration,
  { member, votes }: Extract<FraudProof, { kind: 'two-votes' }>,
): Culprit {
  for (const vote of votes) checkSignature(crypto, configuration, member, vote);
  const [a, b] = [decodeAccept(votes[0].bytes), decodeAccept(votes[1].bytes)];
  checkSet(configuration, a);
  checkSet(configuration, b);
  // Other heads at one index in *different* epochs are legal: the entry of the first was never certified.
  if (a.epoch !== b.epoch || a.index !== b.index) throw notFraud('the votes are for different places');
  if (equalBytes(votes[0].bytes, votes[1].bytes)) throw notFraud('one vote shown twice');
  return `license server ${member}`;
}

/**
 * A vote has no incarnation, and who was rolled back and has re-joined may promise less than it once signed. So two promises
 * of one start have to stand around the vote: incarnations are never used twice, and after the first promise no older vote
 * can be given.
 */
function deniedVote(
  crypto: Crypto,
  configuration: Configuration,
  { member, before, vote, after }: Extract<FraudProof, { kind: 'denied-vote' }>,
): Culprit {
  for (const signed of [before, vote, after]) checkSignature(crypto, configuration, member, signed);
  const [first, last] = [decodePromise(before.bytes), decodePromise(after.bytes)];
  const accept = decodeAccept(vote.bytes);
  for (const statement of [first, last, accept]) checkSet(configuration, statement);
  if (first.member !== member || last.member !== member) throw notFraud('the promises are of somebody else');
  if (!equalBytes(ownIncarnation(first), ownIncarnation(last))) throw notFraud('it was started anew in between');
  if (first.epoch > accept.epoch || accept.epoch >= last.epoch) throw notFraud('the vote is not between the promises');
  const admits = last.logEpoch > accept.epoch || (last.logEpoch === accept.epoch && last.lastIndex >= accept.index);
  if (admits) throw notFraud('the promise admits the vote');
  return `license server ${member}`;
}

function ownIncarnation(promise: LogPromise): Uint8Array {
  return promise.incarnations[promise.member - 1] as Uint8Array;
}

function twoProposals(
  crypto: Crypto,
  configuration: Configuration,
  group: GroupDocument,
  { proposals: [a, b] }: Extract<FraudProof, { kind: 'two-proposals' }>,
): Culprit {
  const owner = epochOwner(a.epoch);
  const server = group.tmrServers.find((one) => one.id === owner);
  if (server === undefined) throw notFraud(`there is no TMR server ${owner}`);
  const { set, version: configVersion } = configuration;
  for (const { epoch, index, head, signature } of [a, b])
    if (!crypto.verify(server.key, encodePropose({ set, configVersion, epoch, index, head }), signature))
      throw new LicenseError('bad-signature', `not a proposal of TMR server ${owner}`);
  if (a.epoch !== b.epoch || a.index !== b.index) throw notFraud('the proposals are for different places');
  if (equalBytes(a.head, b.head)) throw notFraud('one proposal shown twice');
  return `TMR server ${owner}`;
}

function fork(
  crypto: Crypto,
  configuration: Configuration,
  { certificates: [one, other] }: Extract<FraudProof, { kind: 'fork' }>,
): Culprit {
  const [a, b] = [verifyCertificate(crypto, configuration, one), verifyCertificate(crypto, configuration, other)];
  if (a.index !== b.index || equalBytes(a.head, b.head)) throw notFraud('the certificates are of one chain');
  return 'the container set';
}

function checkSignature(crypto: Crypto, configuration: Configuration, member: Member, signed: Signed): void {
  const container = configuration.containers.find((one) => one.member === member);
  if (container === undefined) throw new LicenseError('not-a-member', `there is no license server ${member}`);
  if (!crypto.verify(container.signingKey, signed.bytes, signed.signature))
    throw new LicenseError('bad-signature', `not signed by license server ${member}`);
}

function checkSet(configuration: Configuration, statement: { set: Uint8Array; configVersion: number }): void {
  if (!equalBytes(statement.set, configuration.set)) throw new LicenseError('wrong-set', 'of another container set');
  if (statement.configVersion !== configuration.version)
    throw new LicenseError('wrong-configuration', `of configuration version ${statement.configVersion}`);
}

function notFraud(why: string): LicenseError {
  return new LicenseError('not-fraud', `this proves nothing: ${why}`);
}
