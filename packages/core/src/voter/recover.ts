import { type Accept, decodeAccept, decodePromise, equalBytes, type Member } from '@trefoil/license';
import { decodeEntry, OtherRules } from '../entry.ts';
import { checkCertificate, checkFeed } from '../feed.ts';
import { encodeConfigurations } from '../ledger/configurations.ts';
import type { LedgerContext } from '../ledger/state.ts';
import { startLogClock } from '../log-clock.ts';
import type { LogRecord } from '../records.ts';
import { appendEntry, certify, dropTail, inForce } from '../replica.ts';
import { installSnapshot, takeOver } from './catch-up.ts';
import { enterVersion } from './membership.ts';
import { newVoter, type Now, type Voter, type VoterOptions } from './state.ts';

export type Recovered =
  | { readonly kind: 'recovered'; readonly voter: Voter }
  /** The records contradict themselves: suspect, as damage is. `voter` is what could be read before. */
  | { readonly kind: 'suspect'; readonly voter: Voter; readonly why: string };

/** Whole snapshots by the index of their root entry, as far as they are there. */
export type SnapshotSource = Uint8Array | undefined | ((index: number) => Uint8Array | undefined);

/**
 * Builds a license server from its log. Replays everything: same records, same state. A crash while a new file was begun
 * leaves the old one before it, so what a record says may be known already: then it has to agree. Throws OtherRules for a log of
 * another version of the program.
 */
export function recoverVoter(
  context: LedgerContext,
  member: Member,
  stored: { readonly records: Iterable<LogRecord>; readonly snapshot: SnapshotSource },
  now: Now,
  options?: VoterOptions,
): Recovered {
  const voter = newVoter(context, member, now, options);
  const { snapshot } = stored;
  let begun: Extract<LogRecord, { kind: 'snapshot' }> | undefined;
  const snapshotAt = typeof snapshot === 'function' ? snapshot : () => snapshot;
  try {
    for (const record of stored.records) {
      replay(voter, record, snapshotAt, now);
      if (record.kind === 'snapshot') begun = record;
      // What the file began with may be of a version that only its later entries lead to.
      if (begun?.configVersion === inForce(voter.replica).version) raise(voter, begun.logEpoch, begun.logEpoch);
    }
  } catch (error) {
    if (error instanceof OtherRules) throw error; // sound, and no reason to set it aside
    return { kind: 'suspect', voter, why: error instanceof Error ? error.message : String(error) };
  }
  // After a restart the ceiling is the newest certified time: it wasn't there to see the rest pass.
  voter.clock = startLogClock(voter.replica.certified?.logTime ?? 0, now.monotonicMs);
  voter.lastCertificateAt = -Infinity;
  return { kind: 'recovered', voter };
}

function replay(
  voter: Voter,
  record: LogRecord,
  snapshotAt: (index: number) => Uint8Array | undefined,
  now: Now,
): void {
  switch (record.kind) {
    case 'voted':
      voter.withholding = ''; // no suspect server votes
      replayVote(voter, record.statement, record.entry);
      return;
    case 'certified':
      replayCertificate(voter, record.certificate);
      return;
    case 'caughtUp':
      replayCaughtUp(voter, record, now);
      return;
    case 'promised': {
      const promise = decodePromise(record.promise);
      if (promise.epoch < storedPromiseEpoch(voter)) return;
      voter.storedPromise = { promise: record.promise, signature: undefined, prepare: record.prepare };
      raise(voter, promise.epoch, 0);
      return;
    }
    case 'incarnation':
      voter.incarnations[record.member - 1] = record.incarnation;
      return;
    case 'snapshot':
      replaySnapshot(voter, record, snapshotAt(record.index), now);
      return;
    case 'signedHigh':
      rememberVote(voter, record.statement, decodeAccept(record.statement));
      return;
    case 'suspect':
      voter.withholding = record.why;
      return;
  }
}

function storedPromiseEpoch({ storedPromise }: Voter): number {
  return storedPromise === undefined ? 0 : decodePromise(storedPromise.promise).epoch;
}

function replayVote(voter: Voter, statement: Uint8Array, bytes: Uint8Array): void {
  const { replica } = voter;
  const accept = decodeAccept(statement);
  const entry = decodeEntry(bytes);
  if (accept.index !== entry.index) throw new Error(`entry ${entry.index} is not the one that was signed`);
  rememberVote(voter, statement, accept);
  if (entry.index <= replica.certifiedIndex) return; // from before the new file: certified since
  if (accept.configVersion !== inForce(replica).version)
    throw new Error(`entry ${entry.index} was signed under another configuration`);
  if (entry.index !== replica.certifiedIndex + 1)
    throw new Error(`the log lacks what comes before entry ${entry.index}`);
  dropTail(replica);
  voter.pendingSnapshot = undefined;
  const configurations = encodeConfigurations(replica.ledger);
  const before = { index: entry.index, head: replica.lastHead, entry: bytes, configurations };
  if (entry.ledgerRoot !== undefined) {
    replica.root.current(replica.ledger);
    voter.pendingSnapshot = { ...before, records: replica.root.records() };
  }
  const tail = appendEntry(replica, bytes, entry);
  if (!equalBytes(replica.lastHead, accept.head))
    throw new Error(`entry ${entry.index} is not the one that was signed`);
  if (!equalBytes(tail.tree.root, accept.outcomesRoot))
    throw new Error(`entry ${entry.index} has other outcomes than those that were signed`);
  raise(voter, accept.epoch, accept.epoch);
}

function rememberVote(voter: Voter, statement: Uint8Array, accept: Accept): void {
  const known = voter.signedHigh?.accept;
  const older =
    known !== undefined && (accept.epoch < known.epoch || (accept.epoch === known.epoch && accept.index < known.index));
  if (older) return;
  voter.signedHigh = { statement, accept, signature: undefined };
  raise(voter, accept.epoch, 0);
}

function replayCertificate(voter: Voter, certificate: Uint8Array): void {
  const { replica } = voter;
  const before = inForce(replica);
  const accept = checkCertificate(replica, certificate);
  if (accept === undefined) throw new Error('the log holds a bad certificate');
  if (accept.index <= replica.certifiedIndex) return;
  const { tail } = replica;
  if (tail === undefined || !equalBytes(accept.head, replica.lastHead))
    throw new Error('the log holds a certificate that does not fit it');
  certify(replica, certificate, accept);
  voter.recent.push(accept.index, tail.bytes, certificate);
  raise(voter, accept.epoch, accept.epoch);
  enterVersion(voter, before);
  // Snapshots are made when an entry is certified in service; a replayed one is taken up at the next root.
  voter.pendingSnapshot = undefined;
}

function replayCaughtUp(voter: Voter, record: Extract<LogRecord, { kind: 'caughtUp' }>, now: Now): void {
  const known = voter.replica.certifiedIndex;
  const message = { ...record, kind: 'entries' } as const;
  if (record.from + record.entries.length - 1 <= known) return;
  if (record.from > known + 1) throw new Error(`the log lacks what comes before entry ${record.from}`);
  const chunk = checkFeed(voter.replica, message);
  if (chunk instanceof OtherRules) throw chunk;
  if (chunk === 'useless' || chunk === 'false') throw new Error('the log holds entries that were not certified');
  takeOver(voter, chunk, now);
}

function replaySnapshot(
  voter: Voter,
  record: Extract<LogRecord, { kind: 'snapshot' }>,
  bytes: Uint8Array | undefined,
  now: Now,
): void {
  if (record.index > voter.replica.certifiedIndex) {
    if (bytes === undefined) throw new Error('the snapshot that the log begins with is missing');
    if (installSnapshot(voter, bytes, now) === undefined || voter.replica.certifiedIndex !== record.index)
      throw new Error('the snapshot is another than the log begins with');
  } else if (bytes !== undefined) voter.snapshot = { index: record.index, parts: [bytes] };
  raise(voter, record.logEpoch, 0);
}

function raise(voter: Voter, promised: number, logEpoch: number): void {
  voter.promised = Math.max(voter.promised, promised);
  voter.logEpoch = Math.max(voter.logEpoch, logEpoch);
}
