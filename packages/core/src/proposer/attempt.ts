import {
  decodeAccept,
  encodePrepare,
  bytesKey,
  epochCounter,
  epochOf,
  equalBytes,
  type Member,
  NONCE_BYTES,
} from '@trefoil/license';
import { type Base, chooseBase, verifyPromise } from '../base.ts';
import { decodeEntry } from '../entry.ts';
import { LIMITS } from '../limits.ts';
import type { ToProposer } from '../messages.ts';
import { type Signed } from '../signed.ts';
import { appendEntry, inForce } from '../replica.ts';
import type { Now } from '../voter/state.ts';
import { follow } from './follow.ts';
import { isOfOtherVersion, isStuck, noteOvertaking, rejoinDue, wantsFreshEpoch } from './fresh-epoch.ts';
import { leadTick, proposeTail } from './lead.ts';
import { activeElsewhere, ownerSilent, requeue } from './queue.ts';
import {
  ableMembers,
  type Attempt,
  HIGHEST_EPOCH,
  heardMembers,
  highestPromised,
  jitter,
  type Promised,
  type Proposer,
  type ProposerEffect,
  toAll,
} from './state.ts';
import { certifiedBefore, isTailOf } from './shown-log.ts';
import { shelve, stepDown } from './step-down.ts';

/** PROTOCOL §4.5: who tries. Epochs decide who can. */
export function attemptTick(proposer: Proposer, now: Now): ProposerEffect[] {
  if (proposer.role === 'leading' && isDeposed(proposer, now))
    return stepDown(proposer, now, 'the license servers have promised a higher epoch');
  if (now.monotonicMs < proposer.nextAttemptAt) return [];
  if (ableMembers(proposer, now).length < inForce(proposer.replica).threshold) return [];
  switch (proposer.role) {
    case 'leading':
      return leadingTick(proposer, now);
    case 'preparing':
      // The last one didn't get its promises. Where somebody else did, there is nothing to take over.
      return activeElsewhere(proposer, now) !== undefined && now.monotonicMs >= proposer.stuckUntil
        ? stepDown(proposer, now, 'the other one leads')
        : startAttempt(proposer, now, 'the last attempt got too few promises');
    case 'follower':
      if (ownerSilent(proposer, now)) return startAttempt(proposer, now, 'nobody who leads is heard');
      return now.monotonicMs < proposer.stuckUntil
        ? startAttempt(proposer, now, 'clients wait here that cannot reach the active one')
        : [];
  }
}

function leadingTick(proposer: Proposer, now: Now): ProposerEffect[] {
  noteOvertaking(proposer, now);
  if (!rejoinDue(proposer)) proposer.rejoinPauseMs = LIMITS.idleEntryMs;
  if (isStuck(proposer, now)) return startAttempt(proposer, now, 'an entry gets no certificate');
  if (proposer.proposal !== undefined || !wantsFreshEpoch(proposer, now)) return [];
  if (isOfOtherVersion(proposer))
    return startAttempt(proposer, now, 'another version of the configuration is in force');
  if (!rejoinDue(proposer)) return startAttempt(proposer, now, 'a license server has promised a higher epoch');
  proposer.nextRejoinAt = now.monotonicMs + proposer.rejoinPauseMs;
  proposer.rejoinPauseMs = Math.min(60_000, 2 * proposer.rejoinPauseMs);
  proposer.wantAll = true;
  return startAttempt(proposer, now, 'to take in a license server that has started anew');
}

/** Enough license servers say that they promised a higher epoch: nothing of this one's can be certified any more. */
function isDeposed(proposer: Proposer, now: Now): boolean {
  const higher = heardMembers(proposer, now).filter(
    (member) => (proposer.members[member].status?.promised ?? 0) > proposer.epoch,
  );
  const { containers, threshold } = inForce(proposer.replica);
  return higher.length > containers.length - threshold;
}

function startAttempt(proposer: Proposer, now: Now, why: string): ProposerEffect[] {
  const { random } = proposer;
  const counter = epochCounter(highestPromised(proposer)) + 1 + proposer.epochStretch;
  const epoch = epochOf(Math.min(counter, epochCounter(HIGHEST_EPOCH)), proposer.id);
  const nonce = random(NONCE_BYTES);
  const clientsWait = now.monotonicMs < proposer.stuckUntil;
  const again = sameAttempt(proposer, clientsWait);
  if (again !== undefined) {
    proposer.nextAttemptAt = now.monotonicMs + jitter(random);
    return toAll(proposer, { kind: 'prepare', prepare: again.prepare });
  }
  const prepare = prepareFor(proposer, { epoch, clientsWait, nonce });
  shelve(proposer);
  proposer.epochStretch = 0;
  proposer.role = 'preparing';
  proposer.handsOver = false;
  proposer.epoch = epoch;
  proposer.attempt = {
    prepare,
    nonce,
    clientsWait,
    promises: new Map(),
    helpedFrom: new Map(),
    wantAll: proposer.wantAll,
    hearActive: new Set(),
  };
  proposer.wantAll = false;
  proposer.overtakenSince = undefined;
  proposer.nextAttemptAt = now.monotonicMs + LIMITS.takeoverAfterMs + jitter(random);
  for (const member of [1, 2, 3] as const) proposer.members[member].adopted = false;
  return [{ kind: 'role', role: 'preparing', epoch, why }, ...toAll(proposer, { kind: 'prepare', prepare })];
}

function prepareFor(
  { replica, key }: Proposer,
  asked: { epoch: number; clientsWait: boolean; nonce: Uint8Array },
): Signed {
  const { set, version: configVersion } = inForce(replica);
  const bytes = encodePrepare({ set, configVersion, ...asked });
  return { bytes, signature: key.sign(bytes) };
}

/** Where nobody has promised anything yet, the same PREPARE does: asking often must not use up epochs. */
function sameAttempt(proposer: Proposer, clientsWait: boolean): Attempt | undefined {
  const { attempt, epoch } = proposer;
  const fresh = proposer.role === 'preparing' && highestPromised(proposer) <= epoch;
  return fresh && attempt?.promises.size === 0 && attempt.clientsWait === clientsWait ? attempt : undefined;
}

export function onPromise(
  proposer: Proposer,
  member: Member,
  message: Extract<ToProposer, { kind: 'promise' }>,
  now: Now,
): ProposerEffect[] {
  const { attempt, crypto } = proposer;
  if (attempt === undefined || proposer.role !== 'preparing') return [];
  const promise = verifyPromise(crypto, inForce(proposer.replica), message.promise);
  if (promise === undefined || promise.member !== member || promise.epoch !== proposer.epoch) return [];
  if (!equalBytes(promise.nonce, attempt.nonce)) return [];
  const link = proposer.members[member];
  if (promise.epoch > link.promisedEpoch) {
    link.promise = {
      bytes: new Uint8Array(message.promise.bytes),
      signature: new Uint8Array(message.promise.signature),
    };
    link.promisedEpoch = promise.epoch;
  }
  // It forgot a vote that it has given: nothing may be built on what it says (PROTOCOL §4.2).
  const forgot =
    link.vote !== undefined &&
    decodeAccept(link.vote.bytes).configVersion === promise.configVersion &&
    (link.votedEpoch > promise.logEpoch ||
      (link.votedEpoch === promise.logEpoch && link.votedIndex > promise.lastIndex));
  if (forgot && link.vote !== undefined) return [{ kind: 'send', member, message: { kind: 'shown', vote: link.vote } }];
  const certifiedIndex = certifiedBefore(proposer, promise, message);
  if (certifiedIndex === undefined) return [badPromise(member, 'promises a log that it does not show')];
  // It has gone on since it promised that: true, and too old to build on.
  if (certifiedIndex > promise.lastIndex) return [];
  attempt.promises.set(member, {
    certifiedIndex,
    signed: { bytes: new Uint8Array(message.promise.bytes), signature: new Uint8Array(message.promise.signature) },
    promise,
    tail: new Uint8Array(message.tail),
  });
  return tryToLead(proposer, now);
}

function badPromise(member: Member, does: string): ProposerEffect {
  return { kind: 'alarm', alarm: 'bad-promise', detail: `license server ${member} ${does}` };
}

/** With enough promises: choose the base, fetch what is missing of it, lead. */
export function tryToLead(proposer: Proposer, now: Now): ProposerEffect[] {
  const { attempt, replica } = proposer;
  if (attempt === undefined || proposer.role !== 'preparing') return [];
  const used = promisesToUse(proposer, attempt, now);
  if (used === undefined) return [];
  const base = chooseBase(
    used.map((one) => one.promise),
    inForce(replica).threshold,
  );
  if (base.kind === 'none') return [];
  if (base.kind === 'needThird') {
    proposer.wantAll = true;
    return [equivocationAlarm(proposer)];
  }
  const holder = holderOf(used, base);
  const uncertified = holder !== undefined && holder.tail.length > 0;
  const certifiedTarget = uncertified ? base.index - 1 : base.index;
  if (replica.certifiedIndex < certifiedTarget) return follow(proposer, now); // comes back here with the entries
  if (lacksCertified(proposer, attempt, base))
    return [...missing(proposer, base.index), ...stepDown(proposer, now, 'more is certified already')];
  const choice = { base, tail: uncertified ? holder.tail : undefined, used: used.map((one) => one.signed) };
  if (
    choice.tail !== undefined &&
    replica.certifiedIndex < base.index &&
    !isTailOf(proposer, choice.base, choice.tail)
  ) {
    const { member } = (holder as Promised).promise;
    attempt.promises.delete(member);
    return [badPromise(member, 'promises an entry that can not come next')];
  }
  return lead(proposer, choice, now);
}

/** Who shows the base's last entry; one for whom it isn't certified yet, if there is one: nothing has to be fetched then. */
function holderOf(used: readonly Promised[], base: Extract<Base, { kind: 'base' }>): Promised | undefined {
  const { index, head } = base;
  const holders = used.filter(
    ({ promise }) => head !== undefined && promise.lastIndex === index && equalBytes(promise.lastHead, head),
  );
  return holders.find(({ tail }) => tail.length > 0) ?? holders[0];
}

/** The promises that this epoch is justified with; undefined = wait for more. */
function promisesToUse(proposer: Proposer, attempt: Attempt, now: Now): Promised[] | undefined {
  const { containers, threshold } = inForce(proposer.replica);
  const all = [...attempt.promises.values()];
  const needed = Math.min(2, containers.length);
  if (all.length < Math.max(needed, attempt.wantAll ? ableMembers(proposer, now).length : 0)) return undefined;
  // One that may have forgotten something counts only where the others aren't enough.
  const sound = all.filter(({ promise }) => proposer.members[promise.member].status?.unanchored !== true);
  const pool = sound.length >= needed ? sound : all;
  const baseOf = (some: readonly Promised[]): Base =>
    chooseBase(
      some.map((one) => one.promise),
      threshold,
    );
  const isGood = (some: readonly Promised[]): boolean => {
    const base = baseOf(some);
    const isRefused =
      base.kind === 'base' && base.head !== undefined && proposer.refusedHeads.includes(bytesKey(base.head));
    return base.kind === 'base' && !lacksCertified(proposer, attempt, base) && !isRefused;
  };
  const first = attempt.wantAll ? pool : pool.slice(0, needed);
  if (baseOf(first).kind === 'needThird') return all;
  if (isGood(first)) return first;
  // One that was told of another start than the others, a clone's perhaps, or whose log is too short, is no reason to wait: two
  // others are enough. Else the third may still come.
  const two = all.map((odd) => all.filter((one) => one !== odd)).find(isGood);
  const waits = baseOf(first).kind === 'base' && all.length < ableMembers(proposer, now).length;
  return two ?? (waits ? undefined : first);
}

/** More is certified, as this server or one of the promises shows, or another entry in its place: no epoch can begin there. */
function lacksCertified(
  { replica }: Proposer,
  { promises }: Attempt,
  { index, head }: Extract<Base, { kind: 'base' }>,
): boolean {
  const { certified } = replica;
  if (certified?.index === index && head !== undefined && !equalBytes(certified.head, head)) return true;
  return index < Math.max(replica.certifiedIndex, ...[...promises.values()].map((one) => one.certifiedIndex));
}

/** Either another epoch has gone on meanwhile, or what was certified is missing from two logs. */
function missing({ replica, epoch }: Proposer, index: number): ProposerEffect[] {
  if (replica.certified === undefined || replica.certified.epoch >= epoch) return [];
  const detail = `entry ${replica.certifiedIndex} is certified, but the logs promised for epoch ${epoch} lack it: they end at ${index}`;
  return [{ kind: 'alarm', alarm: 'certified-entry-missing', detail }];
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
  proposer.stuckUntil = -Infinity;
  proposer.lastEntryAt = -Infinity; // an entry at once: it makes the epoch stand
  const effects: ProposerEffect[] = [
    { kind: 'role', role: 'leading', epoch: proposer.epoch, why: 'enough have promised' },
  ];
  const { orphans } = proposer;
  proposer.orphans = undefined;
  // The base's last entry has no certificate yet: it is signed again under this epoch.
  const again = replica.certifiedIndex === choice.base.index - 1 ? choice.tail : undefined;
  const kept = again !== undefined && orphans !== undefined && equalBytes(orphans.entry, again);
  if (orphans !== undefined && !kept) requeue(proposer, orphans.commands, now);
  if (again === undefined) return [...effects, ...leadTick(proposer, now)];
  appendEntry(replica, again, decodeEntry(again));
  return [...effects, ...proposeTail(proposer, kept ? orphans.commands : [], now)];
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
    if (message.reason === 'active-lives' && proposer.role === 'preparing') return backOff(proposer, member, now);
    return message.reason === 'epoch-jump' ? helpUp(proposer, member, message.epoch) : [];
  }
  if (message.epoch !== proposer.epoch || proposer.role !== 'leading') return [];
  switch (message.reason) {
    case 'stale-epoch':
      // It has not promised this epoch: it was away when the others did.
      return proposer.attempt === undefined
        ? []
        : [{ kind: 'send', member, message: { kind: 'prepare', prepare: proposer.attempt.prepare } }];
    case 'behind':
    case 'other-configuration':
      link.adopted = false;
      link.lacking = true;
      return [];
    case 'log-time':
    case 'utc':
    case 'rules-version': // invented by a liar among them: an honest leader offers none that they do not know
      proposer.wantAll = true; // if it goes on, the third promise may drop a poisoned entry
      if (proposer.proposal !== undefined)
        proposer.refusedHeads = [...proposer.refusedHeads, bytesKey(proposer.proposal.head)].slice(-8);
      return [];
    case 'withholding':
      return [];
    default:
      link.adopted = false;
      return [
        { kind: 'alarm', alarm: 'refused', detail: `license server ${member} refuses entries: ${message.reason}` },
      ];
  }
}

/**
 * Left so far below by a liar who walked the others up that it can't follow in one jump: it gets an epoch of its own on the way.
 * The others may not be enough, if their logs differ (PROTOCOL §4.1).
 */
function helpUp(proposer: Proposer, member: Member, promised: number): ProposerEffect[] {
  const { attempt, id, random } = proposer;
  const epoch = epochOf(epochCounter(promised) + LIMITS.epochJump, id);
  if (attempt === undefined || proposer.role !== 'preparing' || epoch >= proposer.epoch) return [];
  // Once from there: where it is refused for another reason, asking on would go to and fro.
  if (promised <= (attempt.helpedFrom.get(member) ?? -1)) return [];
  attempt.helpedFrom.set(member, promised);
  const { clientsWait, prepare } = attempt;
  const onTheWay = prepareFor(proposer, { epoch, clientsWait, nonce: random(NONCE_BYTES) });
  return [onTheWay, prepare].map((one) => ({ kind: 'send', member, message: { kind: 'prepare', prepare: one } }));
}

/** The active one lives after all: back to following, for a while. One alone that hears it, or says so, leaves enough others. */
function backOff(proposer: Proposer, member: Member, now: Now): ProposerEffect[] {
  const { attempt, stuckUntil } = proposer;
  const { containers, threshold } = inForce(proposer.replica);
  if (now.monotonicMs < stuckUntil) return []; // with stranded clients it keeps asking
  attempt?.hearActive.add(member);
  if ((attempt?.hearActive.size ?? 0) <= containers.length - threshold) return [];
  return stepDown(proposer, now, 'the active one lives');
}
