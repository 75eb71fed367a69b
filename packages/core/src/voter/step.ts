import { epochOwner, type TmrServer } from '@trefoil/license';
import { sayable, SILENT } from '../about.ts';
import { LIMITS } from '../limits.ts';
import type { ToVoter } from '../messages.ts';
import { aboutTick, aboutToAll } from './about.ts';
import { onCertified, onEntries, onFetch, onSnapshot, onSnapshotWritten } from './catch-up.ts';
import { onPrepare } from './prepare.ts';
import { onPropose } from './propose.ts';
import { onKnownAs, onRejoin, onShown, rejoinTick } from './rejoin.ts';
import { finishPending, signPending } from './sign.ts';
import { type Now, refuse, type Voter, type VoterEffect, type VoterEvent } from './state.ts';
import { forgiveOwnPause, statusTick, statusTo } from './status.ts';

/**
 * The license server as one function: an event goes in, effects come out, to be carried out in order. No clock, no disk, no
 * network, no key in here; `voter` is mutated in place.
 */
export function stepVoter(voter: Voter, event: VoterEvent, now: Now): VoterEffect[] {
  switch (event.kind) {
    case 'linkUp':
      Object.assign(voter.peers[event.from], { up: true, heardAt: -Infinity, heard: 0, waitingFetch: undefined });
      Object.assign(voter.peers[event.from], { hearsAbout: event.hearsAbout, about: SILENT });
      return [statusTo(voter, event.from, now), ...aboutToAll(voter)];
    case 'linkDown':
      // The system has told us that the peer is gone: that counts as silence at once (PROTOCOL §4.5).
      Object.assign(voter.peers[event.from], { up: false, heardAt: -Infinity, waitingFetch: undefined });
      return [...statusTick(voter, now, true), ...aboutToAll(voter)];
    case 'message':
      return onMessage(voter, event.from, event.message, now);
    case 'persisted':
      return signPending(voter, event.ticket);
    case 'signed':
      return [...finishPending(voter, event.ticket, event.signature, now), ...resume(voter, now)];
    case 'snapshotWritten':
      return onSnapshotWritten(voter, event.index);
    case 'alarms':
      voter.alarms = sayable(event.alarms);
      return [];
    case 'tick':
      forgiveOwnPause(voter, now);
      return [...rejoinTick(voter, now), ...statusTick(voter, now, false), ...aboutTick(voter, now)];
  }
}

function onMessage(voter: Voter, from: TmrServer, message: ToVoter, now: Now): VoterEffect[] {
  if (
    voter.pending !== undefined &&
    (message.kind === 'prepare' || message.kind === 'propose' || message.kind === 'shown')
  )
    return defer(voter, from, message);
  switch (message.kind) {
    case 'beat': {
      const peer = voter.peers[from];
      if (message.epoch === voter.promised) Object.assign(peer, { heardAt: now.monotonicMs, heard: message.heard });
      const { clients, holdsVirtualIp } = message;
      Object.assign(peer, { clients, holdsVirtualIp, beatAt: now.monotonicMs });
      return [];
    }
    case 'resign':
      return onResign(voter, from, message.epoch, now);
    case 'prepare':
      return onPrepare(voter, from, message.prepare, now);
    case 'propose':
      return onPropose(voter, from, message, now);
    case 'certified':
      return onCertified(voter, from, message.certificate, now);
    case 'entries':
      return onEntries(voter, from, message, now);
    case 'snapshot':
      return onSnapshot(voter, from, message.bytes, now);
    case 'fetch':
      return onFetch(voter, from, message.from);
    case 'rejoin':
      return onRejoin(voter, message.member, message.rejoin);
    case 'shown':
      return onShown(voter, message.vote);
    case 'knownAs':
      return onKnownAs(voter, from, message.incarnation, now);
    case 'about':
      voter.peers[from].about = message; // told on with the next second: who says another thing each time floods nobody
      return [];
  }
}

/** PROTOCOL §4.8. Of an epoch that it doesn't own, or that has passed, it says nothing. */
function onResign(voter: Voter, from: TmrServer, epoch: number, now: Now): VoterEffect[] {
  if (epoch !== voter.promised || epochOwner(epoch) !== from) return [];
  voter.peers[from].heardAt = -Infinity;
  return statusTick(voter, now, true);
}

/** Bounded: a TMR server that floods loses its own messages, oldest first. */
function defer(voter: Voter, from: TmrServer, message: ToVoter): VoterEffect[] {
  const { deferred } = voter;
  deferred.push({ from, message });
  if (deferred.filter((one) => one.from === from).length <= LIMITS.deferredMessages) return [];
  const oldest = deferred.findIndex((one) => one.from === from);
  const [dropped] = deferred.splice(oldest, 1);
  return dropped?.message.kind === 'prepare' ? [refuse(from, 'prepare', 0, 'behind')] : [];
}

function resume(voter: Voter, now: Now): VoterEffect[] {
  const effects: VoterEffect[] = [];
  while (voter.pending === undefined) {
    const next = voter.deferred.shift();
    if (next === undefined) break;
    effects.push(...onMessage(voter, next.from, next.message, now));
    // It starts anew first: what waits comes after that.
    if (effects.some((effect) => effect.kind === 'needIncarnation')) break;
  }
  return effects;
}
