import { decodeRejoin, epochOwner, equalBytes, type Member } from '@trefoil/license';
import { newestRules } from '../ledger/state.ts';
import { LIMITS } from '../limits.ts';
import type { ToProposer } from '../messages.ts';
import { parsed, type Signed } from '../signed.ts';
import type { VoterStatus } from '../voter-status.ts';
import type { Now } from '../voter/state.ts';
import { onAsked, onSuperseded } from './asked.ts';
import { attemptTick, onPromise, onRefused } from './attempt.ts';
import { onEntries, onSnapshot } from './fed.ts';
import { isOfOtherVersion } from './fresh-epoch.ts';
import { follow } from './follow.ts';
import { decidedElsewhere, feed, leadTick, onVote } from './lead.ts';
import { dropLate, enqueue, redirectAll } from './queue.ts';
import { heardMembers, type Proposer, type ProposerEffect, type ProposerEvent, upMembers } from './state.ts';

/** The TMR server as one function: an event goes in, effects come out, to be carried out in order. */
export function stepProposer(proposer: Proposer, event: ProposerEvent, now: Now): ProposerEffect[] {
  switch (event.kind) {
    case 'linkUp':
      return onLinkUp(proposer, event.member, event.hearsAbout);
    case 'linkDown':
      return onLinkDown(proposer, event.member, now);
    case 'message': {
      const effects = onMessage(proposer, event.member, event.message, now);
      // At once: nobody is served until the epoch of a new version has begun.
      return isOfOtherVersion(proposer) ? [...effects, ...attemptTick(proposer, now)] : effects;
    }
    case 'command':
      return [...enqueue(proposer, event, now), ...leadTick(proposer, now)];
    case 'clients':
      proposer.clients = event.count;
      return [];
    case 'virtualIp':
      proposer.holdsVirtualIp = event.held;
      return [];
    case 'handOver':
      proposer.handsOver = proposer.role === 'leading';
      return leadTick(proposer, now);
    case 'tick':
      forgiveOwnPause(proposer, now);
      return [
        ...beat(proposer, now),
        ...aboutTick(proposer, now),
        ...dropLate(proposer, now),
        ...redirectAll(proposer, now),
        ...attemptTick(proposer, now),
        ...follow(proposer, now),
        ...leadTick(proposer, now),
      ];
  }
}

/** When `tick` is due next, monotonic ms: the moment at which a waiting batch goes out, or the usual rhythm. */
export function proposerWakeAt(proposer: Proposer, now: Now): number {
  const rhythm = now.monotonicMs + LIMITS.beatMs / 5;
  const { queuedAt, role, proposal } = proposer;
  const waits = queuedAt !== undefined && role === 'leading' && proposal === undefined;
  return waits ? Math.min(rhythm, queuedAt + LIMITS.batchWaitMs) : rhythm;
}

function onLinkUp(proposer: Proposer, member: Member, hearsAbout: boolean): ProposerEffect[] {
  const link = proposer.members[member];
  Object.assign(link, {
    up: true,
    status: undefined,
    adopted: false,
    lacking: false,
    fedTo: 0,
    fedAt: -Infinity,
    gaveNone: false,
    statusAt: -Infinity,
    heardAt: -Infinity,
    hearsAbout,
    about: undefined,
  });
  const effects: ProposerEffect[] = aboutTo(proposer, member);
  // It may have been restored from an old copy: what it signed last is shown to it before it is asked for more.
  for (const vote of [link.promise, link.vote])
    if (vote !== undefined) effects.push({ kind: 'send', member, message: { kind: 'shown', vote } });
  if (proposer.attempt !== undefined)
    effects.push({ kind: 'send', member, message: { kind: 'prepare', prepare: proposer.attempt.prepare } });
  return effects;
}

function onLinkDown(proposer: Proposer, member: Member, now: Now): ProposerEffect[] {
  Object.assign(proposer.members[member], { up: false, status: undefined, adopted: false, about: undefined });
  if (proposer.following?.member === member) proposer.following = undefined;
  return follow(proposer, now);
}

function onMessage(proposer: Proposer, member: Member, message: ToProposer, now: Now): ProposerEffect[] {
  switch (message.kind) {
    case 'status':
      return onStatus(proposer, member, message, now);
    case 'vote':
      return onVote(proposer, member, message.vote, message.logClock, now);
    case 'promise':
      return onPromise(proposer, member, message, now);
    case 'refused':
      return onRefused(proposer, member, message, now);
    case 'superseded':
      return onSuperseded(proposer, message.prepare, now);
    case 'asked':
      return onAsked(proposer, message.prepare);
    case 'handOver':
      // Somebody has clients that can't reach this server; if it has some itself, it stays.
      return proposer.clients === 0 ? handOver(proposer, message.prepare, now) : [];
    case 'entries':
      return onEntries(proposer, member, message, now);
    case 'snapshot':
      return onSnapshot(proposer, member, message.bytes, now);
    case 'about':
      proposer.members[member].about = message;
      return [];
  }
}

function onStatus(proposer: Proposer, member: Member, status: VoterStatus, now: Now): ProposerEffect[] {
  const link = proposer.members[member];
  const copy = {
    ...status,
    incarnations: status.incarnations.map((one) => new Uint8Array(one)),
  } as unknown as VoterStatus;
  link.status = {
    ...copy,
    certificate: new Uint8Array(status.certificate),
    rejoins: status.rejoins.map(({ bytes, signature }) => ({
      bytes: new Uint8Array(bytes),
      signature: new Uint8Array(signature),
    })),
  };
  link.statusAt = now.monotonicMs;
  link.heardAt = now.monotonicMs;
  link.logClock = status.logClock;
  link.logClockAt = now.monotonicMs;
  const effects = makeKnown(proposer, member, link.status);
  effects.push(...decidedElsewhere(proposer, link.status, now));
  effects.push(...feed(proposer, member, now), ...follow(proposer, now));
  return effects;
}

/** The other one asks again within this time; this one must not be sooner and have the lead back. */
function handOver(proposer: Proposer, prepare: Signed, now: Now): ProposerEffect[] {
  const effects = onSuperseded(proposer, prepare, now);
  if (effects.length > 0) proposer.nextAttemptAt += 2 * LIMITS.takeoverAfterMs;
  return effects;
}

/** PROTOCOL §7.3: passes a REJOIN on to the peers that know this server by the one before it, or has it sign another. */
function makeKnown(proposer: Proposer, member: Member, { incarnations, rejoins }: VoterStatus): ProposerEffect[] {
  const effects: ProposerEffect[] = [];
  const own = incarnations[member - 1] as Uint8Array;
  if (rejoins.length === 0) return effects;
  for (const other of upMembers(proposer)) {
    const known = proposer.members[other].status?.incarnations[member - 1];
    if (other === member || known === undefined || equalBytes(known, own)) continue;
    const rejoin = rejoins.find(({ bytes }) => replacedBy(bytes, known));
    effects.push(
      rejoin === undefined
        ? { kind: 'send', member, message: { kind: 'knownAs', incarnation: known } }
        : { kind: 'send', member: other, message: { kind: 'rejoin', member, rejoin } },
    );
  }
  return effects;
}

function replacedBy(rejoin: Uint8Array, incarnation: Uint8Array): boolean {
  const replaces = parsed(decodeRejoin, rejoin)?.replaces;
  return replaces !== undefined && equalBytes(replaces, incarnation);
}

/** What it knows, on links that carry it. */
function aboutTo({ context, members, program }: Proposer, member: Member): ProposerEffect[] {
  const { up, hearsAbout } = members[member];
  const message = { kind: 'about', rules: newestRules(context), program } as const;
  return up && hearsAbout ? [{ kind: 'send', member, message }] : [];
}

/** Now and then: what was lost on the way would be missing for as long as the link lasts. */
function aboutTick(proposer: Proposer, now: Now): ProposerEffect[] {
  if (now.monotonicMs < proposer.nextAboutAt) return [];
  proposer.nextAboutAt = now.monotonicMs + LIMITS.aboutMs;
  return upMembers(proposer).flatMap((member) => aboutTo(proposer, member));
}

function beat(proposer: Proposer, now: Now): ProposerEffect[] {
  if (now.monotonicMs < proposer.nextBeatAt) return [];
  proposer.nextBeatAt = now.monotonicMs + LIMITS.beatMs;
  let heard = 0;
  for (const member of heardMembers(proposer, now)) heard |= 1 << (member - 1);
  const leading = proposer.role === 'leading' && epochOwner(proposer.epoch) === proposer.id;
  const { clients, holdsVirtualIp } = proposer;
  const message = { kind: 'beat', epoch: leading ? proposer.epoch : 0, heard, clients, holdsVirtualIp } as const;
  return upMembers(proposer).map((member) => ({ kind: 'send', member, message }));
}

/** What license servers said while this process stood still is on its way in: that time is no silence of theirs. */
function forgiveOwnPause(proposer: Proposer, now: Now): void {
  const pauseMs = now.monotonicMs - proposer.lastTickAt;
  proposer.lastTickAt = now.monotonicMs;
  if (pauseMs > LIMITS.ownPauseMs)
    for (const member of upMembers(proposer)) proposer.members[member].heardAt += pauseMs;
}
