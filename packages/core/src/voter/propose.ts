import {
  type Accept,
  encodeAccept,
  encodePropose,
  epochOwner,
  equalBytes,
  LicenseError,
  type LogPromise,
  type TmrServer,
} from '@trefoil/license';
import { chooseBase, verifyJustification } from '../base.ts';
import { decodeEntry, type Entry, headAfter } from '../entry.ts';
import { entryFault } from '../entry-fault.ts';
import { checkCertificate } from '../feed.ts';
import { encodeConfigurations } from '../ledger/configurations.ts';
import { ceilingAt, ceilingOfReported, clockVoted } from '../log-clock.ts';
import type { Refusal, ToVoter } from '../messages.ts';
import type { LogRecord } from '../records.ts';
import { appendEntry, dropTail, inForce, type Tail } from '../replica.ts';
import { applyCertificate } from './catch-up.ts';
import { endRejoin, isTakenIn } from './rejoin.ts';
import { persistThenSign, sendVote, signAgain } from './sign.ts';
import { isRejoining, type Now, refuse, type Voter, type VoterEffect } from './state.ts';
import { statusTo } from './status.ts';

export type Propose = Extract<ToVoter, { kind: 'propose' }>;

/** PROTOCOL §3.2 and §4.4: vote for an entry, or say why not. */
export function onPropose(voter: Voter, from: TmrServer, propose: Propose, now: Now): VoterEffect[] {
  const effects: VoterEffect[] = [];
  const no = (reason: Refusal): VoterEffect[] => [
    ...effects,
    refuse(from, 'propose', propose.epoch, reason),
    statusTo(voter, from, now), // what it lacks to do better
  ];
  if (!signedByOwner(voter, from, propose)) return no('bad-signature');
  const rejoining = isRejoining(voter);
  if (voter.withholding !== '' && !rejoining) return no('withholding');
  if (rejoining ? propose.epoch < voter.promised : propose.epoch !== voter.promised) return no('stale-epoch');
  if (voter.installing) return no('behind');
  const repeated = rejoining ? undefined : repeatedVote(voter, from, propose, now);
  if (repeated !== undefined) return repeated;
  // What it remembers of an epoch binds it also while it re-joins: it may have been taken in by who promised that epoch twice.
  if (rejoining && contradicts(voter, propose)) return no('equivocation');
  const { certificate } = voter.replica;
  const known = certificate !== undefined && equalBytes(certificate, propose.certificate); // it came ahead of the proposal
  if (propose.certificate.length > 0 && !known) {
    const certified = checkCertificate(voter.replica, propose.certificate);
    if (certified === undefined) return no(isUnderLater(voter, propose) ? 'other-configuration' : 'bad-certificate');
    effects.push(...applyCertificate(voter, propose.certificate, certified, now));
  }
  // Behind the entry that brings a version nothing is voted for under the one before, nor under it before (PROTOCOL §4.9).
  if (propose.configVersion !== inForce(voter.replica).version) return no('other-configuration');
  if (propose.index <= voter.replica.certifiedIndex) return no('behind'); // the sender is: the status shows it the certificate
  let promises: LogPromise[] = [];
  let reported = false;
  if (voter.logEpoch < propose.epoch || rejoining) {
    const adoption = readAdoption(voter, propose);
    if (typeof adoption === 'string') return no(adoption);
    ({ promises, reported } = adoption);
  } else if (voter.unanchored) {
    promises = promisesThatAgree(voter, propose);
  }
  if (propose.index > voter.replica.certifiedIndex + 1) return no('behind');
  const tail = executeInstead(voter, propose, reported, now);
  if (typeof tail === 'string') return no(tail);
  effects.push(...vote(voter, from, { epoch: propose.epoch, tail, promises }, now));
  return effects;
}

function isUnderLater({ replica }: Voter, { configVersion }: Propose): boolean {
  return configVersion > inForce(replica).version;
}

function signedByOwner(voter: Voter, from: TmrServer, propose: Propose): boolean {
  const server = voter.group.tmrServers.find((one) => one.id === from);
  if (server === undefined || epochOwner(propose.epoch) !== from) return false;
  const { set } = voter.context.configuration;
  const { configVersion, epoch, index, head } = propose;
  return voter.crypto.verify(server.key, encodePropose({ set, configVersion, epoch, index, head }), propose.signature);
}

/** One vote per epoch and index, for ever: a repeat gets the stored one, another head is a lie. */
function repeatedVote(voter: Voter, from: TmrServer, propose: Propose, now: Now): VoterEffect[] | undefined {
  const stored = voter.signedHigh;
  if (stored === undefined || stored.accept.epoch !== propose.epoch || propose.index > stored.accept.index)
    return undefined;
  if (propose.index < stored.accept.index) return [];
  if (!equalBytes(stored.accept.head, propose.head))
    return [
      { kind: 'alarm', alarm: 'equivocation', detail: `TMR server ${from} proposed two entries at ${propose.index}` },
      refuse(from, 'propose', propose.epoch, 'equivocation'),
    ];
  if (stored.signature === undefined) return signAgain(voter, 'vote', stored.statement, from);
  return [sendVote(voter, from, { bytes: stored.statement, signature: stored.signature }, now)];
}

function contradicts({ signedHigh }: Voter, { epoch, index, head }: Propose): boolean {
  if (signedHigh === undefined || signedHigh.accept.epoch !== epoch) return false;
  return (
    index < signedHigh.accept.index || (index === signedHigh.accept.index && !equalBytes(signedHigh.accept.head, head))
  );
}

/** The promises that prove an adoption; `reported`: it offers the base's last entry again. */
interface Adoption {
  readonly promises: LogPromise[];
  readonly reported: boolean;
}

/** The first entry of an epoch that this server sees has to prove that it builds on the right log. */
function readAdoption(voter: Voter, propose: Propose): Refusal | Adoption {
  const { replica } = voter;
  const configuration = inForce(replica);
  const verified = verifyJustification(voter.crypto, configuration, propose.epoch, propose.justification);
  if (verified === undefined) return 'bad-justification';
  const rejoining = isRejoining(voter);
  // Old promises shown to a rolled-back server would fork the log: only those count that know its new incarnation. Its own
  // from before its start does not agree with them (PROTOCOL §4.3).
  if (rejoining && !isTakenIn(voter, verified)) return 'withholding';
  const base = chooseBase(verified, configuration.threshold);
  if (base.kind !== 'base') return 'bad-justification';
  const again = base.head !== undefined && propose.index === base.index && equalBytes(propose.head, base.head);
  const next = propose.index === base.index + 1;
  // A re-joining server that was fed beyond the base is in the epoch already by the certificate of what it was fed.
  const later = rejoining && propose.index > base.index && voter.logEpoch === propose.epoch;
  if (!again && !next && !later)
    // Later than the epoch's first entry: what is between comes with a certificate of the epoch.
    return propose.index > base.index && replica.certifiedIndex < propose.index - 1 ? 'behind' : 'bad-justification';
  if (next && replica.certifiedIndex < base.index) return 'behind';
  const other =
    next &&
    base.head !== undefined &&
    replica.certifiedIndex === base.index &&
    !equalBytes(certifiedHead(voter), base.head);
  return other ? 'bad-justification' : { promises: verified, reported: again };
}

/**
 * It came into the epoch by a certificate; the promises still show whether both peers know this start. What they say of their
 * own is taken over then, so here, too, one from before a rollback must not stand beside another (PROTOCOL §4.3).
 */
function promisesThatAgree({ crypto, replica }: Voter, { epoch, justification }: Propose): LogPromise[] {
  const configuration = inForce(replica);
  const shown = verifyJustification(crypto, configuration, epoch, justification) ?? [];
  return chooseBase(shown, configuration.threshold).kind === 'none' ? [] : shown;
}

function certifiedHead(voter: Voter): Uint8Array {
  return voter.replica.tail?.previousHead ?? voter.replica.lastHead;
}

/**
 * Brings the log to index − 1, executes and checks. An uncertified entry that the justified base replaces comes back if its
 * successor gets no vote: a log that shrinks for nothing would look as if a vote had been forgotten.
 */
function executeInstead(voter: Voter, propose: Propose, reported: boolean, now: Now): Refusal | Tail {
  const { replica, pendingSnapshot } = voter;
  const replaced = replica.tail;
  if (replaced === undefined || equalBytes(replica.lastHead, propose.head)) return check(voter, propose, reported, now);
  dropTail(replica);
  voter.pendingSnapshot = undefined;
  const result = check(voter, propose, reported, now);
  if (typeof result !== 'string') return result;
  appendEntry(replica, replaced.bytes, replaced.entry);
  voter.pendingSnapshot = pendingSnapshot;
  return result;
}

/** Everything that this server answers for with its vote. Executes the entry; returns the refusal, or what to sign. */
function check(voter: Voter, propose: Propose, reported: boolean, now: Now): Refusal | Tail {
  const { replica, crypto } = voter;
  const { tail } = replica;
  const ceilingMs = (reported ? ceilingOfReported : ceilingAt)(voter.clock, now.monotonicMs);
  if (tail !== undefined) return tail.entry.logTime <= ceilingMs ? tail : 'log-time';
  if (!equalBytes(headAfter(crypto, replica.lastHead, propose.entry), propose.head)) return 'wrong-head';
  try {
    const bytes = new Uint8Array(propose.entry); // kept longer than the frame it came in
    const entry = decodeEntry(bytes);
    // What a peer has signed may be certified; then this server's wall clock would not be asked either (PROTOCOL §6.3).
    const wallMs = reported && propose.index > 1 ? Infinity : now.wallMs;
    const fault = entryFault(replica, entry, { ceilingMs, wallMs });
    return fault ?? execute(voter, bytes, entry, propose.index);
  } catch (error) {
    if (error instanceof LicenseError) return 'malformed';
    throw error;
  }
}

function execute(voter: Voter, bytes: Uint8Array, entry: Entry, index: number): Tail {
  const { replica } = voter;
  const head = replica.lastHead;
  const records = entry.ledgerRoot === undefined ? undefined : replica.root.records();
  const configurations = encodeConfigurations(replica.ledger);
  const tail = appendEntry(replica, bytes, entry);
  if (records !== undefined) voter.pendingSnapshot = { index, head, entry: bytes, configurations, records };
  return tail;
}

function vote(
  voter: Voter,
  from: TmrServer,
  decided: { epoch: number; tail: Tail; promises: readonly LogPromise[] },
  now: Now,
): VoterEffect[] {
  const { epoch, tail, promises } = decided;
  const accept = acceptFor(voter, epoch, tail);
  const statement = encodeAccept(accept);
  const effects: VoterEffect[] = [];
  const records: LogRecord[] = [];
  if ((isRejoining(voter) || voter.unanchored) && isTakenIn(voter, promises)) {
    const ended = endRejoin(voter, promises);
    effects.push(ended.alarm);
    records.push(...ended.records);
  }
  records.push({ kind: 'voted', statement, entry: tail.bytes });
  voter.promised = epoch;
  voter.logEpoch = epoch;
  voter.signedHigh = { statement, accept, signature: undefined };
  clockVoted(voter.clock, accept.logTime, now.monotonicMs);
  voter.peers[from].heardAt = now.monotonicMs;
  effects.push(...persistThenSign(voter, { what: 'vote', statement, to: from }, records));
  return effects;
}

/** This server's own outcomes root, never the TMR server's. */
function acceptFor(voter: Voter, epoch: number, tail: Tail): Accept {
  return {
    set: voter.context.configuration.set,
    configVersion: inForce(voter.replica).version,
    epoch,
    index: tail.entry.index,
    head: voter.replica.lastHead,
    outcomesRoot: tail.tree.root,
    leafCount: tail.outcomes.length,
    logTime: tail.entry.logTime,
    utc: tail.entry.utc,
  };
}
