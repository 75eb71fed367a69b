import {
  type Accept,
  decodeAccept,
  encodeAccept,
  encodeCertificate,
  encodePropose,
  equalBytes,
  type Member,
  merklePath,
} from '@trefoil/license';
import { encodeEntry } from '../entry.ts';
import { checkCertificate } from '../feed.ts';
import { TooMuchSaid } from '../ledger/apply.ts';
import { LIMITS } from '../limits.ts';
import type { ToVoter } from '../messages.ts';
import { parsed, type Signed } from '../signed.ts';
import type { VoterStatus } from '../voter-status.ts';
import { appendEntry, certify, inForce, type Tail } from '../replica.ts';
import type { Now } from '../voter/state.ts';
import { wantsFreshEpoch } from './fresh-epoch.ts';
import { enterVersion } from './membership.ts';
import { nextLogTime, nextUtc } from './proposed-time.ts';
import { requeue, takeBatch } from './queue.ts';
import {
  ableMembers,
  type MemberLink,
  type Proposal,
  type Proposer,
  type ProposerEffect,
  type QueuedCommand,
  queueLength,
  rulesToGoBy,
  toAll,
  upMembers,
} from './state.ts';
import { resign, stepDown } from './step-down.ts';

/** Again to those who didn't answer: they may have been away when it was sent. */
const RESEND_MS = 100;

/** PROTOCOL §3.1: one entry in flight. Proposes when there is something to propose, or when it is time for an empty entry. */
export function leadTick(proposer: Proposer, now: Now): ProposerEffect[] {
  if (proposer.role !== 'leading') return [];
  const { proposal } = proposer;
  if (proposal !== undefined) return resend(proposer, proposal, now);
  if (proposer.handsOver) return resign(proposer, now);
  if (wantsFreshEpoch(proposer, now)) return [];
  if (ableMembers(proposer, now).length < inForce(proposer.replica).threshold) return [];
  const waiting = queueLength(proposer);
  const idle = now.monotonicMs - proposer.lastEntryAt >= LIMITS.idleEntryMs;
  const company = waiting >= Math.min(proposer.lastBatch, LIMITS.batchCommands);
  const waited = now.monotonicMs - (proposer.queuedAt ?? now.monotonicMs) >= LIMITS.batchWaitMs;
  if (!idle && (waiting === 0 || !(company || waited))) return [];
  return proposeBatch(proposer, now);
}

function proposeBatch(proposer: Proposer, now: Now): ProposerEffect[] {
  // Without commands: so it can be shown to whoever must not see who asked for what (FORMATS §9.4).
  if (isRootDue(proposer)) return proposeCommands(proposer, [], now);
  const batch = takeBatch(proposer, now);
  try {
    return proposeCommands(proposer, batch, now);
  } catch (error) {
    if (!(error instanceof TooMuchSaid)) throw error;
    requeue(proposer, batch.slice(error.fitting), now);
    proposer.othersFirst = true;
    return proposeCommands(proposer, batch.slice(0, error.fitting), now);
  }
}

function isRootDue({ replica, snapshotEveryEntries, bytesSinceRoot }: Proposer): boolean {
  return (replica.certifiedIndex + 1) % snapshotEveryEntries === 0 || bytesSinceRoot > LIMITS.snapshotEveryBytes;
}

function proposeCommands(proposer: Proposer, commands: readonly QueuedCommand[], now: Now): ProposerEffect[] {
  const { replica, context } = proposer;
  const index = replica.certifiedIndex + 1;
  const logTime = nextLogTime(proposer, now);
  const rootDue = isRootDue(proposer);
  const bytes = encodeEntry({
    set: context.configuration.set,
    index,
    logTime,
    utc: nextUtc(proposer, logTime, now),
    rulesVersion: rulesToGoBy(proposer),
    ledgerRoot: rootDue ? replica.root.current(replica.ledger) : undefined,
    commands: commands.map((one) => one.bytes),
  });
  appendEntry(replica, bytes);
  proposer.bytesSinceRoot = rootDue ? 0 : proposer.bytesSinceRoot + bytes.length;
  if (commands.length > 0) proposer.lastBatch = commands.length;
  return proposeTail(proposer, commands, now);
}

/** Sends the replica's uncertified entry to all: a new one, or one of an earlier epoch to be signed again. */
export function proposeTail(proposer: Proposer, commands: readonly QueuedCommand[], now: Now): ProposerEffect[] {
  const { replica, epoch } = proposer;
  const tail = replica.tail as Tail;
  const { set, version: configVersion } = inForce(replica);
  const { index, logTime, utc } = tail.entry;
  const head = replica.lastHead;
  const expected = encodeAccept({
    set,
    configVersion,
    epoch,
    index,
    head,
    outcomesRoot: tail.tree.root,
    leafCount: tail.outcomes.length,
    logTime,
    utc,
  });
  proposer.proposal = {
    index,
    head,
    signature: proposer.key.sign(encodePropose({ set, configVersion, epoch, index, head })),
    tail,
    expected,
    certificate: replica.certificate ?? new Uint8Array(0),
    votes: new Map(),
    commands,
    startedAt: now.monotonicMs,
    sentAt: now.monotonicMs,
  };
  proposer.lastEntryAt = now.monotonicMs;
  return upMembers(proposer).map((member) => sendProposal(proposer, member));
}

function sendProposal(proposer: Proposer, member: Member): ProposerEffect {
  const { proposal, epoch } = proposer;
  if (proposal === undefined) throw new Error('nothing to propose');
  const message: ToVoter = {
    kind: 'propose',
    configVersion: inForce(proposer.replica).version,
    epoch,
    index: proposal.index,
    head: proposal.head,
    signature: proposal.signature,
    entry: proposal.tail.bytes,
    certificate: proposal.certificate,
    justification: proposer.members[member].adopted ? [] : proposer.justification,
  };
  return { kind: 'send', member, message };
}

function resend(proposer: Proposer, proposal: Proposal, now: Now): ProposerEffect[] {
  if (now.monotonicMs - proposal.sentAt < RESEND_MS) return [];
  proposal.sentAt = now.monotonicMs;
  return upMembers(proposer)
    .filter((member) => !proposal.votes.has(member))
    .map((member) => sendProposal(proposer, member));
}

export function onVote(proposer: Proposer, member: Member, vote: Signed, logClock: number, now: Now): ProposerEffect[] {
  const link = proposer.members[member];
  const container = inForce(proposer.replica).containers.find((one) => one.member === member);
  if (container === undefined || !proposer.crypto.verify(container.signingKey, vote.bytes, vote.signature)) return [];
  const accept = parsed(decodeAccept, vote.bytes);
  if (accept === undefined) return []; // signed, but no vote
  const kept = { bytes: new Uint8Array(vote.bytes), signature: new Uint8Array(vote.signature) };
  // One key, one place, two statements: it was copied, rolled back or altered (PROTOCOL §7.4). The second doesn't count.
  const samePlace = accept.epoch === link.votedEpoch && accept.index === link.votedIndex;
  if (samePlace && link.vote !== undefined && !equalBytes(link.vote.bytes, vote.bytes))
    return [doubleVote(member, accept.index)];
  if (accept.epoch > link.votedEpoch || (accept.epoch === link.votedEpoch && accept.index > link.votedIndex)) {
    link.vote = kept;
    link.votedEpoch = accept.epoch;
    link.votedIndex = accept.index;
  }
  link.lacking = false;
  link.logClock = logClock;
  link.logClockAt = now.monotonicMs;
  if (proposer.role !== 'leading' || accept.epoch !== proposer.epoch) return [];
  link.adopted = true;
  const { proposal } = proposer;
  if (proposal === undefined || accept.index !== proposal.index) return lateVote(proposer, member, vote);
  proposal.votes.set(member, kept);
  return commitIfDecided(proposer, proposal, now);
}

/** The third vote is never waited for, but it is compared: an odd one names a broken or altered server. */
function lateVote(proposer: Proposer, member: Member, vote: Signed): ProposerEffect[] {
  const { certificate, certified } = proposer.replica;
  if (certificate === undefined || certified === undefined) return [];
  const accept = decodeAccept(vote.bytes);
  const same = equalBytes(vote.bytes, certificate.subarray(0, vote.bytes.length));
  return accept.index !== certified.index || accept.epoch !== certified.epoch || same
    ? []
    : [oddVote(member, accept.index)];
}

function ownOutcomesDiffer(index: number): ProposerEffect {
  return { kind: 'alarm', alarm: 'own-outcomes-differ', detail: `at entry ${index}; this TMR server hands over` };
}

function doubleVote(member: Member, index: number): ProposerEffect {
  return {
    kind: 'alarm',
    alarm: 'double-vote',
    detail: `license server ${member} signed two votes for entry ${index}`,
  };
}

function oddVote(member: Member, index: number): ProposerEffect {
  return {
    kind: 'alarm',
    alarm: 'odd-vote',
    detail: `license server ${member} signed other outcomes at entry ${index} than the others`,
  };
}

function commitIfDecided(proposer: Proposer, proposal: Proposal, now: Now): ProposerEffect[] {
  const { threshold } = inForce(proposer.replica);
  for (const candidate of proposal.votes.values()) {
    const same = [...proposal.votes].filter(([, vote]) => equalBytes(vote.bytes, candidate.bytes));
    if (same.length < threshold) continue;
    // The group decided something else than this server computed: it is the odd one, and may not answer (PROTOCOL §3.4).
    if (!equalBytes(candidate.bytes, proposal.expected))
      return [
        ownOutcomesDiffer(proposal.index),
        ...stepDown(proposer, now, 'it computed other outcomes than the others'),
      ];
    const odd = [...proposal.votes].filter(([, vote]) => !equalBytes(vote.bytes, candidate.bytes));
    const votes = same
      .map(([member, vote]) => ({ member, signature: vote.signature }))
      .sort((a, b) => a.member - b.member)
      .slice(0, threshold);
    const certificate = encodeCertificate({ statement: candidate.bytes, votes });
    return [
      ...odd.map(([member]) => oddVote(member, proposal.index)),
      ...commit(proposer, proposal, { certificate, accept: decodeAccept(candidate.bytes) }, now),
    ];
  }
  if (proposal.votes.size === 3)
    return [
      {
        kind: 'alarm',
        alarm: 'no-two-agree',
        detail: `entry ${proposal.index}: three different outcomes; the line is stopped`,
      },
    ];
  return [];
}

function commit(
  proposer: Proposer,
  proposal: Proposal,
  { certificate, accept }: { certificate: Uint8Array; accept: Accept },
  now: Now,
): ProposerEffect[] {
  const { tail, commands } = proposal;
  const before = inForce(proposer.replica);
  certify(proposer.replica, certificate, accept);
  proposer.recent.push(proposal.index, tail.bytes, certificate);
  proposer.proposal = undefined;
  proposer.wantAll = false;
  enterVersion(proposer, before, now);
  const tookMs = Math.max(1, now.monotonicMs - proposal.startedAt);
  if (commands.length > 0) proposer.ratePerMs += 0.1 * (commands.length / tookMs - proposer.ratePerMs);
  const answers = commands.map((command, leafIndex) => ({
    token: command.token,
    outcome: tail.outcomes[leafIndex] as Uint8Array,
    leafIndex,
    path: merklePath(tail.tree, leafIndex),
  }));
  const next = leadTick(proposer, now);
  return [
    // The next entry goes out before the answers: the license servers work while the clients are told.
    ...(next.length > 0 ? next : toAll(proposer, { kind: 'certified', certificate })),
    { kind: 'answers', certificate, answers },
    { kind: 'certified', tail, certificate },
  ];
}

/**
 * A license server may hold a certificate of the open entry that this server never saw: of an earlier epoch, whose votes went
 * to somebody else. It won't vote for that entry again; its certificate decides.
 */
export function decidedElsewhere(proposer: Proposer, status: VoterStatus, now: Now): ProposerEffect[] {
  const { proposal, replica } = proposer;
  if (proposal === undefined || proposer.role !== 'leading' || status.certifiedIndex !== proposal.index) return [];
  const accept = checkCertificate(replica, status.certificate);
  if (accept === undefined || accept.index !== proposal.index) return [];
  if (!equalBytes(accept.head, proposal.head))
    return stepDown(proposer, now, 'another entry is certified in the place of its own');
  if (!equalBytes(accept.outcomesRoot, proposal.tail.tree.root))
    return [
      ownOutcomesDiffer(proposal.index),
      ...stepDown(proposer, now, 'it computed other outcomes than the others'),
    ];
  return commit(proposer, proposal, { certificate: new Uint8Array(status.certificate), accept }, now);
}

/** Brings a license server that lags up to the newest certified entry: from memory here, else from a peer's log. */
export function feed(proposer: Proposer, member: Member, now: Now): ProposerEffect[] {
  const link = proposer.members[member];
  const { status } = link;
  if (status === undefined || !feeds(proposer, status)) return [];
  const from = status.certifiedIndex + 1;
  const target = proposer.replica.certifiedIndex;
  const missing = target - status.certifiedIndex;
  // One behind is normal: the certificate comes with the next proposal. Who can't promise yet gets none.
  const comesAlong = proposer.role === 'leading' && missing === 1 && status.lastIndex === target;
  if (missing <= 0 || (comesAlong && !link.lacking)) return [];
  const chunk = proposer.recent.chunk(from, LIMITS.feedBytes);
  const waitMs = chunk === undefined ? askAgainAfterMs(link, from) : 2 * LIMITS.beatMs;
  if (link.fedTo >= from && now.monotonicMs - link.fedAt < waitMs) return [];
  link.fedAt = now.monotonicMs;
  if (chunk !== undefined) {
    link.fedTo = from + chunk.entries.length - 1;
    const { proposal } = proposer;
    // The open entry again, behind what it needs for it: it came when that was missing. Else, under load, the next one is open
    // whenever the feed arrives, and the server lags for ever.
    const open = link.fedTo === target && proposal !== undefined && !proposal.votes.has(member);
    const again = open ? [sendProposal(proposer, member)] : askOnceMore(proposer, member);
    return [{ kind: 'send', member, message: { kind: 'entries', from, ...chunk } }, ...again];
  }
  link.fedTo = from;
  return askPeer(proposer, member, from);
}

/** Who leads; and who would, whom it lacks under the configuration that is in force: it can't promise before (PROTOCOL §4.9). */
function feeds({ role, replica }: Proposer, status: VoterStatus): boolean {
  if (role === 'leading') return true;
  const [, ...later] = replica.ledger.configurations;
  return role === 'preparing' && status.certifiedIndex < (later.at(-1)?.since ?? 0);
}

/** It could not promise without what it is fed. */
function askOnceMore({ attempt, role }: Proposer, member: Member): ProposerEffect[] {
  return attempt === undefined || role !== 'preparing'
    ? []
    : [{ kind: 'send', member, message: { kind: 'prepare', prepare: attempt.prepare } }];
}

/** A snapshot may be long on its way: 0.4 s, then twice as long each time, up to a minute. */
function askAgainAfterMs({ donors }: MemberLink, from: number): number {
  return donors.from === from ? Math.min(60_000, 200 * 2 ** donors.times) : 0;
}

/**
 * Entries older than this server remembers come from a license server that has them, and are passed on. By turns, if asked
 * again: one that says that it has them may give none, or false ones.
 */
function askPeer(proposer: Proposer, member: Member, from: number): ProposerEffect[] {
  const link = proposer.members[member];
  const able = upMembers(proposer).filter((other) => {
    const status = proposer.members[other].status;
    return other !== member && status !== undefined && status.certifiedIndex >= from && status.withholding === '';
  });
  if (link.donors.from !== from) link.donors = { from, asked: [], times: 0 };
  const { asked, times } = link.donors;
  const donor = able.find((other) => other !== asked.at(-1)) ?? able[0];
  if (donor === undefined) return [];
  link.donors = { from, asked: [...asked.filter((one) => one !== donor), donor], times: times + 1 };
  return [{ kind: 'send', member: donor, message: { kind: 'fetch', from } }];
}
