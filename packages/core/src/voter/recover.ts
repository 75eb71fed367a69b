import { decodeAccept, decodePromise, equalBytes, type Member } from '@trefoil/license';
import { decodeEntry } from '../entry.ts';
import { checkCertificate } from '../feed.ts';
import { encodeRecords } from '../ledger/snapshot.ts';
import type { LedgerContext } from '../ledger/state.ts';
import { startLogClock } from '../log-clock.ts';
import type { LogRecord } from '../records.ts';
import { appendEntry, certify, dropTail } from '../replica.ts';
import { installSnapshot, takeOver } from './catch-up.ts';
import { newVoter, type Now, type Voter } from './state.ts';

export type Recovered =
  | { readonly kind: 'recovered'; readonly voter: Voter }
  /** The records contradict themselves: suspect, as damage is. `voter` is what could be read before. */
  | { readonly kind: 'suspect'; readonly voter: Voter; readonly why: string };

/** Builds a license server from its log. Replays everything: same records, same state. */
export function recoverVoter(
  context: LedgerContext,
  member: Member,
  stored: { readonly records: Iterable<LogRecord>; readonly snapshot: Uint8Array | undefined },
  now: Now,
): Recovered {
  const voter = newVoter(context, member, now);
  try {
    for (const record of stored.records) replay(voter, record, stored.snapshot, now);
  } catch (error) {
    return { kind: 'suspect', voter, why: error instanceof Error ? error.message : String(error) };
  }
  // After a restart the ceiling is the newest certified time: it wasn't there to see the rest pass.
  voter.clock = startLogClock(voter.replica.certified?.logTime ?? 0, now.monotonicMs);
  return { kind: 'recovered', voter };
}

function replay(voter: Voter, record: LogRecord, snapshot: Uint8Array | undefined, now: Now): void {
  switch (record.kind) {
    case 'voted':
      replayVote(voter, record.statement, record.entry);
      return;
    case 'certified': {
      const accept = checkCertificate(voter.configuration, voter.replica, record.certificate);
      const { tail } = voter.replica;
      if (accept === undefined || tail === undefined || !equalBytes(accept.head, voter.replica.lastHead))
        throw new Error('the log holds a certificate that does not fit it');
      certify(voter.replica, record.certificate, accept);
      voter.recent.push(accept.index, tail.bytes, record.certificate);
      raise(voter, accept.epoch, accept.epoch);
      keepSnapshotPending(voter);
      return;
    }
    case 'caughtUp': {
      const accept = checkCertificate(voter.configuration, voter.replica, record.certificate);
      if (accept === undefined) throw new Error('the log holds a bad certificate');
      takeOver(voter, { start: record.from, entries: record.entries, certificate: record.certificate, accept }, now);
      return;
    }
    case 'promised': {
      const promise = decodePromise(record.promise);
      voter.storedPromise = { promise: record.promise, signature: undefined, prepare: record.prepare };
      raise(voter, promise.epoch, 0);
      return;
    }
    case 'incarnation':
      voter.incarnations[record.member - 1] = record.incarnation;
      return;
    case 'snapshot':
      if (snapshot === undefined) throw new Error('the snapshot that the log begins with is missing');
      installSnapshot(voter, snapshot, now);
      if (voter.replica.certifiedIndex !== record.index)
        throw new Error('the snapshot is another than the log begins with');
      raise(voter, record.logEpoch, record.logEpoch);
      return;
    case 'signedHigh':
      voter.signedHigh = { statement: record.statement, accept: decodeAccept(record.statement), signature: undefined };
      return;
  }
}

function replayVote(voter: Voter, statement: Uint8Array, bytes: Uint8Array): void {
  const { replica } = voter;
  const accept = decodeAccept(statement);
  const entry = decodeEntry(bytes);
  if (entry.index !== replica.certifiedIndex + 1)
    throw new Error(`the log lacks what comes before entry ${entry.index}`);
  dropTail(replica);
  if (entry.ledgerRoot !== undefined)
    voter.pendingSnapshot = {
      index: entry.index,
      head: replica.lastHead,
      entry: bytes,
      records: encodeRecords(replica.ledger),
    };
  appendEntry(replica, bytes, entry);
  if (!equalBytes(replica.lastHead, accept.head))
    throw new Error(`entry ${entry.index} is not the one that was signed`);
  voter.signedHigh = { statement, accept, signature: undefined };
  raise(voter, accept.epoch, accept.epoch);
}

/** Snapshots are made when an entry is certified in service; a replayed one is taken up at the next root. */
function keepSnapshotPending(voter: Voter): void {
  if (voter.pendingSnapshot !== undefined && voter.pendingSnapshot.index <= voter.replica.certifiedIndex)
    voter.pendingSnapshot = undefined;
}

function raise(voter: Voter, promised: number, logEpoch: number): void {
  voter.promised = Math.max(voter.promised, promised);
  voter.logEpoch = Math.max(voter.logEpoch, logEpoch);
}
