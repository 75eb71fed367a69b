import {
  decodePrepare,
  decodePromise,
  encodePrepare,
  epochCounter,
  epochOf,
  epochOwner,
  equalBytes,
  type Member,
  NONCE_BYTES,
} from '@trefoil/license';
import { type Base, chooseBase, verifyPromise } from '../base.ts';
import { decodeEntry } from '../entry.ts';
import { LIMITS } from '../limits.ts';
import type { Signed, ToProposer } from '../messages.ts';
import { appendEntry, dropTail } from '../replica.ts';
import type { Now } from '../voter/state.ts';
import { follow } from './follow.ts';
import { leadTick, proposeTail } from './lead.ts';
import { ownerSilent, takeAll } from './queue.ts';
import { heardMembers, highestPromised, jitter, type Proposer, type ProposerEffect, toAll } from './state.ts';

/** PROTOCOL §4.5: who tries. Epochs decide who can. */
export function attemptTick(proposer: Proposer, now: Now): ProposerEffect[] {
  if (now.monotonicMs < proposer.nextAttemptAt) return [];
  if (heardMembers(proposer, now).length < proposer.configuration.threshold) return [];
  switch (proposer.role) {
    case 'leading':
      return rejoinDue(proposer) && proposer.proposal === undefined ? startAttempt(proposer, now) : [];
    case 'preparing':
      return startAttempt(proposer, now); // the last one didn't get its promises, or not its votes
    case 'follower':
      return ownerSilent(proposer, now) || now.monotonicMs < proposer.stuckUntil ? startAttempt(proposer, now) : [];
  }
}

/** Somebody re-joins and both peers have stored its new incarnation: a fresh epoch takes it in (PROTOCOL §7.3). */
function rejoinDue(proposer: Proposer): boolean {
  return ([1, 2, 3] as const).some((member) => {
    const status = proposer.members[member].status;
    if (status?.rejoin === undefined) return false;
    const own = status.incarnations[member - 1] as Uint8Array;
    if (takenIn(proposer, member, own)) return false;
    return ([1, 2, 3] as const).every((other) => {
      const theirs = other === member ? own : proposer.members[other].status?.incarnations[member - 1];
      return theirs !== undefined && equalBytes(theirs, own);
    });
  });
}

/** The epoch stands on promises that know this incarnation already: the next entry will take the server in. */
function takenIn(proposer: Proposer, member: Member, incarnation: Uint8Array): boolean {
  return (
    proposer.justification.length > 0 &&
    proposer.justification.every(({ bytes }) =>
      equalBytes(decodePromise(bytes).incarnations[member - 1] as Uint8Array, incarnation),
    )
  );
}

export function startAttempt(proposer: Proposer, now: Now): ProposerEffect[] {
  const { configuration, key, random } = proposer;
  const epoch = epochOf(epochCounter(highestPromised(proposer)) + 1, proposer.id);
  const nonce = random(NONCE_BYTES);
  const clientsWait = now.monotonicMs < proposer.stuckUntil;
  const bytes = encodePrepare({
    set: configuration.set,
    configVersion: configuration.version,
    epoch,
    clientsWait,
    nonce,
  });
  const prepare = { bytes, signature: key.sign(bytes) };
  shelve(proposer);
  proposer.role = 'preparing';
  proposer.epoch = epoch;
  proposer.attempt = { prepare, nonce, startedAt: now.monotonicMs, promises: new Map(), wantAll: proposer.wantAll };
  proposer.wantAll = false;
  proposer.nextAttemptAt = now.monotonicMs + LIMITS.takeoverAfterMs + jitter(random);
  for (const member of [1, 2, 3] as const) proposer.members[member].adopted = false;
  return [{ kind: 'role', role: 'preparing', epoch }, ...toAll(proposer, { kind: 'prepare', prepare })];
}

/** Puts the open entry's commands aside: if the new epoch keeps that entry, they are answered; else they go in again. */
function shelve(proposer: Proposer): void {
  const { proposal } = proposer;
  if (proposal !== undefined) proposer.orphans = { entry: proposal.tail.bytes, commands: proposal.commands };
  proposer.proposal = undefined;
  dropTail(proposer.replica);
}

export function onPromise(
  proposer: Proposer,
  member: Member,
  message: Extract<ToProposer, { kind: 'promise' }>,
  now: Now,
): ProposerEffect[] {
  const { attempt, configuration, crypto } = proposer;
  if (attempt === undefined || proposer.role !== 'preparing') return [];
  const promise = verifyPromise(crypto, configuration, message.promise);
  if (promise === undefined || promise.member !== member || promise.epoch !== proposer.epoch) return [];
  if (!equalBytes(promise.nonce, attempt.nonce)) return [];
  const link = proposer.members[member];
  // It forgot a vote that it has given: nothing may be built on what it says (PROTOCOL §7.2).
  const forgot =
    link.vote !== undefined &&
    (link.votedEpoch > promise.logEpoch ||
      (link.votedEpoch === promise.logEpoch && link.votedIndex > promise.lastIndex));
  if (forgot && link.vote !== undefined) return [{ kind: 'send', member, message: { kind: 'shown', vote: link.vote } }];
  attempt.promises.set(member, {
    signed: { bytes: new Uint8Array(message.promise.bytes), signature: new Uint8Array(message.promise.signature) },
    promise,
    certificate: new Uint8Array(message.certificate),
    tail: new Uint8Array(message.tail),
  });
  return tryToLead(proposer, now);
}

/** With enough promises: choose the base, fetch what is missing of it, lead. */
export function tryToLead(proposer: Proposer, now: Now): ProposerEffect[] {
  const { attempt, configuration, replica } = proposer;
  if (attempt === undefined || proposer.role !== 'preparing') return [];
  const all = [...attempt.promises.values()];
  const enough = attempt.wantAll ? heardMembers(proposer, now).length : configuration.threshold;
  if (all.length < Math.max(enough, configuration.threshold)) return [];
  const chosen = attempt.wantAll ? all : all.slice(0, Math.max(configuration.threshold, 2));
  let base = chooseBase(
    chosen.map((one) => one.promise),
    configuration.threshold,
  );
  let used = chosen;
  if (base.kind === 'needThird' && all.length === 3) {
    used = all;
    base = chooseBase(
      all.map((one) => one.promise),
      configuration.threshold,
    );
  }
  if (base.kind !== 'base') return base.kind === 'needThird' ? [equivocationAlarm(proposer)] : [];
  const holder = base.from === undefined ? undefined : attempt.promises.get(base.from);
  const uncertified = holder !== undefined && holder.tail.length > 0;
  const certifiedTarget = uncertified ? base.index - 1 : base.index;
  if (replica.certifiedIndex < certifiedTarget) return follow(proposer, now); // comes back here with the entries
  return lead(
    proposer,
    { base, tail: uncertified ? holder.tail : undefined, used: used.map((one) => one.signed) },
    now,
  );
}

function equivocationAlarm(proposer: Proposer): ProposerEffect {
  return {
    kind: 'alarm',
    alarm: 'equivocation',
    detail: `two logs of one epoch before epoch ${proposer.epoch}; the third is asked`,
  };
}

function lead(
  proposer: Proposer,
  choice: { base: Extract<Base, { kind: 'base' }>; tail: Uint8Array | undefined; used: readonly Signed[] },
  now: Now,
): ProposerEffect[] {
  const { replica } = proposer;
  proposer.role = 'leading';
  proposer.justification = choice.used;
  proposer.following = undefined;
  proposer.lastEntryAt = -Infinity; // an entry at once: it makes the epoch stand
  const effects: ProposerEffect[] = [{ kind: 'role', role: 'leading', epoch: proposer.epoch }];
  const { orphans } = proposer;
  proposer.orphans = undefined;
  // The base's last entry has no certificate yet: it is signed again under this epoch.
  const again = replica.certifiedIndex === choice.base.index - 1 ? choice.tail : undefined;
  const kept = again !== undefined && orphans !== undefined && equalBytes(orphans.entry, again);
  if (orphans !== undefined && !kept) for (const command of orphans.commands) requeue(proposer, command, now);
  if (again === undefined) return [...effects, ...leadTick(proposer, now)];
  appendEntry(replica, again, decodeEntry(again));
  return [...effects, ...proposeTail(proposer, kept ? orphans.commands : [], now)];
}

function requeue(proposer: Proposer, command: Parameters<typeof takeAll>[0]['queue']['other'][number], now: Now): void {
  proposer.queue[command.priority].unshift(command);
  proposer.queuedAt ??= now.monotonicMs;
}

/** Refusals are unsigned, so they only steer when to try again; a TMR server steps down for a signed PREPARE alone. */
export function onRefused(
  proposer: Proposer,
  member: Member,
  message: Extract<ToProposer, { kind: 'refused' }>,
  now: Now,
): ProposerEffect[] {
  const link = proposer.members[member];
  if (message.what === 'prepare') {
    if (link.status !== undefined && message.epoch > link.status.promised)
      link.status = { ...link.status, promised: message.epoch };
    if (message.reason === 'active-lives' && proposer.role === 'preparing') return backOff(proposer, now);
    return [];
  }
  if (message.epoch !== proposer.epoch || proposer.role !== 'leading') return [];
  switch (message.reason) {
    case 'stale-epoch':
      // It has not promised this epoch: it was away when the others did.
      return proposer.attempt === undefined
        ? []
        : [{ kind: 'send', member, message: { kind: 'prepare', prepare: proposer.attempt.prepare } }];
    case 'behind':
      link.adopted = false;
      return [];
    case 'log-time':
    case 'utc':
      proposer.wantAll = true; // if it goes on, the third promise may drop a poisoned entry
      return [];
    case 'withholding':
      return [];
    default:
      return [
        { kind: 'alarm', alarm: 'refused', detail: `license server ${member} refuses entries: ${message.reason}` },
      ];
  }
}

/** The active one lives after all: back to following, for a while. */
function backOff(proposer: Proposer, now: Now): ProposerEffect[] {
  if (now.monotonicMs < proposer.stuckUntil) return []; // with stranded clients it keeps asking
  return stepDown(proposer, now);
}

export function onSuperseded(proposer: Proposer, prepare: Signed, now: Now): ProposerEffect[] {
  const other = proposer.group.tmrServers.find((one) => one.id !== proposer.id);
  if (other === undefined || !proposer.crypto.verify(other.key, prepare.bytes, prepare.signature)) return [];
  const { epoch, set } = decodePrepare(prepare.bytes);
  if (epoch <= proposer.epoch || epochOwner(epoch) !== other.id || !equalBytes(set, proposer.configuration.set))
    return [];
  return proposer.role === 'follower' ? [] : stepDown(proposer, now);
}

export function stepDown(proposer: Proposer, now: Now): ProposerEffect[] {
  shelve(proposer);
  const open = [...(proposer.orphans?.commands ?? []), ...takeAll(proposer)];
  proposer.orphans = undefined;
  proposer.role = 'follower';
  proposer.attempt = undefined;
  proposer.justification = [];
  proposer.nextAttemptAt = now.monotonicMs + LIMITS.takeoverAfterMs + jitter(proposer.random);
  const to = proposer.id === 'A' ? 'B' : 'A';
  return [
    { kind: 'role', role: 'follower', epoch: proposer.epoch },
    ...open.map(({ token }) => ({ kind: 'redirect', token, to }) as const),
    ...follow(proposer, now),
  ];
}
