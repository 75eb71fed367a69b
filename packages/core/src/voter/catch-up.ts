import {
  type Accept,
  decodeAccept,
  decodeCertificate,
  equalBytes,
  LicenseError,
  type TmrServer,
} from '@trefoil/license';
import { OtherRules } from '../entry.ts';
import { applyFeed, checkCertificate, checkFeed, type Chunk } from '../feed.ts';
import { acceptOfSnapshot, joinedParts, openSnapshot, peekSnapshot, snapshotParts } from '../ledger/snapshot.ts';
import { LIMITS } from '../limits.ts';
import { clockCertified } from '../log-clock.ts';
import type { EntriesMessage } from '../messages.ts';
import { encodeRecord, type LogRecord } from '../records.ts';
import { appendEntry, certify, inForce } from '../replica.ts';
import { enterVersion } from './membership.ts';
import { isSuspect } from './rejoin.ts';
import type { Now, Voter, VoterEffect } from './state.ts';
import { statusTo } from './status.ts';

/** A certificate that came on its own: for the tail, or news that this server is behind. */
export function onCertified(voter: Voter, from: TmrServer, bytes: Uint8Array, now: Now): VoterEffect[] {
  const accept = checkCertificate(voter.replica, bytes);
  if (accept === undefined) return [];
  const effects = applyCertificate(voter, bytes, accept, now);
  return accept.index > voter.replica.certifiedIndex ? [...effects, statusTo(voter, from, now)] : effects;
}

/** Takes in a verified certificate as far as it fits this log. */
export function applyCertificate(voter: Voter, bytes: Uint8Array, accept: Accept, now: Now): VoterEffect[] {
  const { replica } = voter;
  if (accept.index <= replica.certifiedIndex) return contradiction(voter, accept);
  clockCertified(voter.clock, accept.logTime, now.monotonicMs, hasVoted(voter, accept));
  const { tail } = replica;
  if (tail === undefined || accept.index !== tail.entry.index || !equalBytes(accept.head, replica.lastHead)) return [];
  if (!equalBytes(accept.outcomesRoot, tail.tree.root))
    return [
      {
        kind: 'stop',
        reason: `two license servers certified other outcomes at entry ${accept.index} than this one computes`,
      },
    ];
  const kept = new Uint8Array(bytes);
  // The whole log up to here is certified under that epoch (PROTOCOL §3.5); only ADOPT raises it beyond.
  const before = inForce(replica);
  voter.logEpoch = Math.max(voter.logEpoch, accept.epoch);
  voter.promised = Math.max(voter.promised, accept.epoch);
  voter.lastCertificateAt = now.monotonicMs;
  certify(replica, kept, accept);
  voter.recent.push(accept.index, tail.bytes, kept);
  const entered = enterVersion(voter, before);
  return [
    { kind: 'note', records: [{ kind: 'certified', certificate: kept }] },
    ...snapshotIfDue(voter, kept),
    ...answerFetches(voter),
    ...entered,
  ];
}

/** In whatever epoch: its ceiling has been set by that entry. */
function hasVoted({ signedHigh }: Voter, { index, head }: Accept): boolean {
  return signedHigh?.accept.index === index && equalBytes(signedHigh.accept.head, head);
}

/** Two certificates that are not of one chain are the end of trust: never look away (PROTOCOL §7.4). */
function contradiction(voter: Voter, accept: Accept): VoterEffect[] {
  const own = certifiedAt(voter, accept.index);
  if (own === undefined) return [];
  const sameHead = equalBytes(accept.head, own.head);
  if (sameHead && equalBytes(accept.outcomesRoot, own.outcomesRoot)) return [];
  voter.withholding = 'two certificates contradict each other';
  voter.frozen = true;
  const detail = `two certified ${sameHead ? 'outcomes' : 'heads'} at entry ${accept.index}`;
  return [{ kind: 'alarm', alarm: 'fork', detail }];
}

/** As far as it has the certificate in memory. */
function certifiedAt({ recent, replica }: Voter, index: number): Accept | undefined {
  if (index === replica.certified?.index) return replica.certified;
  const certificate = recent.certificateOf(index);
  return certificate === undefined ? undefined : decodeAccept(decodeCertificate(certificate).statement);
}

/** PROTOCOL §3.5: appends certified entries without voting. */
export function onEntries(voter: Voter, from: TmrServer, message: EntriesMessage, now: Now): VoterEffect[] {
  // Its own vote is on the way, or a snapshot that this would follow is not durable: the chunk will come again.
  if (voter.pending?.what === 'vote' || voter.installing) return [];
  const chunk = checkFeed(voter.replica, message);
  if (chunk === 'useless') return [];
  if (chunk instanceof OtherRules) return [{ kind: 'alarm', alarm: 'newer-rules', detail: chunk.message }];
  if (chunk === 'false') return [{ kind: 'alarm', alarm: 'bad-feed', detail: `from TMR server ${from}` }];
  if (isOutdated(voter, chunk.accept)) return [];
  return [...takeOver(voter, chunk, now), statusTo(voter, from, now)];
}

/** Of an epoch before the log's; epochs under another version of the configuration don't compare (PROTOCOL §4.9). */
function isOutdated({ replica, logEpoch }: Voter, { configVersion, epoch }: Accept): boolean {
  return configVersion === inForce(replica).version && epoch < logEpoch;
}

export function takeOver(voter: Voter, chunk: Chunk, now: Now): VoterEffect[] {
  const before = inForce(voter.replica);
  voter.pendingSnapshot = undefined;
  voter.lastCertificateAt = now.monotonicMs;
  applyFeed(voter.replica, voter.recent, chunk);
  const entered = enterVersion(voter, before);
  raiseLogEpoch(voter, chunk.accept);
  voter.promised = Math.max(voter.promised, chunk.accept.epoch);
  clockCertified(voter.clock, chunk.accept.logTime, now.monotonicMs, hasVoted(voter, chunk.accept));
  const record: LogRecord = {
    kind: 'caughtUp',
    from: chunk.start,
    entries: chunk.entries,
    certificate: chunk.certificate,
  };
  return [{ kind: 'note', records: [record] }, ...answerFetches(voter), ...entered];
}

/** The entry that brings a version is certified under the one before: under its own nothing is signed yet. */
function raiseLogEpoch(voter: Voter, { configVersion, epoch }: Accept): void {
  if (configVersion === inForce(voter.replica).version) voter.logEpoch = Math.max(voter.logEpoch, epoch);
}

/** For one who lags further than the feed reaches. */
export function onSnapshot(voter: Voter, from: TmrServer, bytes: Uint8Array, now: Now): VoterEffect[] {
  if (voter.pending !== undefined || voter.installing) return [];
  try {
    if (!isNews(voter, bytes)) return [];
    const entered = installSnapshot(voter, bytes, now);
    if (entered === undefined) return [];
    voter.installing = true;
    const snapshot = voter.snapshot as NonNullable<Voter['snapshot']>;
    return [{ kind: 'writeSnapshot', ...snapshot }, statusTo(voter, from, now), ...entered];
  } catch (error) {
    if (error instanceof OtherRules) return [{ kind: 'alarm', alarm: 'newer-rules', detail: error.message }];
    if (error instanceof LicenseError) return [{ kind: 'alarm', alarm: 'bad-snapshot', detail: error.message }];
    throw error;
  }
}

/** Looked at before all of it is read and hashed. @throws LicenseError */
function isNews(voter: Voter, bytes: Uint8Array): boolean {
  const accept = acceptOfSnapshot(voter.context, peekSnapshot(bytes));
  return accept.index > voter.replica.certifiedIndex && !isOutdated(voter, accept);
}

/** What a new version of the configuration in it means; undefined: it is older than this log. The caller makes it durable. */
export function installSnapshot(voter: Voter, received: Uint8Array, now: Now): VoterEffect[] | undefined {
  const bytes = new Uint8Array(received);
  const installed = openSnapshot(voter.context, bytes, Number.MAX_SAFE_INTEGER);
  const { accept } = installed;
  if (accept.index <= voter.replica.certifiedIndex || isOutdated(voter, accept)) return undefined;
  const { replica } = voter;
  const before = inForce(replica);
  Object.assign(replica, {
    ledger: installed.ledger,
    root: installed.root,
    lastIndex: accept.index - 1,
    lastHead: installed.head,
    certifiedIndex: accept.index - 1,
    tail: undefined,
  });
  const tail = appendEntry(replica, installed.entryBytes, installed.entry);
  if (!equalBytes(tail.tree.root, accept.outcomesRoot))
    throw new Error('the snapshot leads to other outcomes than those certified');
  certify(replica, installed.certificate, accept);
  const entered = enterVersion(voter, before);
  raiseLogEpoch(voter, accept);
  voter.promised = Math.max(voter.promised, accept.epoch);
  voter.pendingSnapshot = undefined;
  voter.recent.reset(accept.index + 1);
  voter.snapshot = { index: accept.index, parts: [bytes] };
  voter.lastCertificateAt = now.monotonicMs;
  clockCertified(voter.clock, accept.logTime, now.monotonicMs, hasVoted(voter, accept));
  return entered;
}

function snapshotIfDue(voter: Voter, certificate: Uint8Array): VoterEffect[] {
  const pending = voter.pendingSnapshot;
  if (pending === undefined || pending.index !== voter.replica.certifiedIndex) return [];
  voter.pendingSnapshot = undefined;
  const { index, ...rest } = pending;
  voter.snapshot = { index, parts: snapshotParts({ ...rest, certificate }) };
  return [{ kind: 'writeSnapshot', ...voter.snapshot }];
}

/** The snapshot is durable: a new log file may begin, with what still counts. */
export function onSnapshotWritten(voter: Voter, index: number): VoterEffect[] {
  const { snapshot, replica } = voter;
  if (snapshot === undefined || snapshot.index !== index) return [];
  voter.installing = false;
  // What came since has grown beyond memory: the old file stays until the next snapshot.
  if (replica.certifiedIndex > index && !voter.recent.has(index + 1)) return [];
  const records = checkpointRecords(voter, index, replica.tail?.bytes);
  const bytes = records.reduce((sum, record) => sum + encodeRecord(record).length, 0);
  if (bytes > LIMITS.checkpointBytes) return []; // likewise
  return [{ kind: 'rotate', snapshotIndex: index, records }];
}

function checkpointRecords(voter: Voter, index: number, tail: Uint8Array | undefined): LogRecord[] {
  const { version: configVersion } = inForce(voter.replica);
  const records: LogRecord[] = [{ kind: 'snapshot', index, logEpoch: voter.logEpoch, configVersion }];
  for (const member of [1, 2, 3] as const)
    records.push({ kind: 'incarnation', member, incarnation: voter.incarnations[member - 1] as Uint8Array });
  if (voter.storedPromise !== undefined)
    records.push({ kind: 'promised', promise: voter.storedPromise.promise, prepare: voter.storedPromise.prepare });
  let from = index + 1;
  let entries: Uint8Array[] = [];
  for (const one of voter.recent.since(index + 1)) {
    entries.push(one.entry);
    if (one.certificate === undefined) continue;
    records.push({ kind: 'caughtUp', from, entries, certificate: one.certificate });
    from = one.index + 1;
    entries = [];
  }
  records.push(...signedRecords(voter, tail));
  // Last: a vote before it doesn't end the suspicion.
  if (isSuspect(voter)) records.push({ kind: 'suspect', why: voter.withholding });
  return records;
}

function signedRecords(voter: Voter, tail: Uint8Array | undefined): LogRecord[] {
  const { signedHigh } = voter;
  if (signedHigh === undefined) return [];
  const tailIsSigned = tail !== undefined && signedHigh.accept.index === voter.replica.lastIndex;
  return [
    tailIsSigned
      ? { kind: 'voted', statement: signedHigh.statement, entry: tail }
      : { kind: 'signedHigh', statement: signedHigh.statement },
  ];
}

export function onFetch(voter: Voter, from: TmrServer, index: number): VoterEffect[] {
  voter.peers[from].waitingFetch = index;
  return answerFetches(voter);
}

/** A TMR server that follows asks once and hears when there is more. */
function answerFetches(voter: Voter): VoterEffect[] {
  const effects: VoterEffect[] = [];
  for (const to of ['A', 'B'] as const) {
    const peer = voter.peers[to];
    const from = peer.waitingFetch;
    if (from === undefined || from > voter.replica.certifiedIndex) continue;
    const chunk = voter.recent.chunk(from, LIMITS.feedBytes);
    if (chunk !== undefined) effects.push({ kind: 'send', to, message: { kind: 'entries', from, ...chunk } });
    else if (voter.snapshot !== undefined && voter.snapshot.index >= from)
      effects.push({ kind: 'send', to, message: { kind: 'snapshot', bytes: joinedParts(voter.snapshot.parts) } });
    else continue;
    peer.waitingFetch = undefined;
  }
  return effects;
}
