import { decodePromise, equalBytes, type Member } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import type { Now } from '../voter/state.ts';
import { highestPromised, type Proposer } from './state.ts';

/** PROTOCOL §4.5: why one that leads asks for a fresh epoch of its own. */

/** Between two entries: nothing more is proposed in this one. Under load the next entry would always be open already. */
export function wantsFreshEpoch(proposer: Proposer, now: Now): boolean {
  if (isOfOtherVersion(proposer)) return true;
  if (now.monotonicMs < proposer.nextAttemptAt) return false;
  return isOvertaken(proposer, now) || (now.monotonicMs >= proposer.nextRejoinAt && rejoinDue(proposer));
}

/** It stands on promises under the version before the one that is in force since its last entry (PROTOCOL §4.9). */
export function isOfOtherVersion({ role, justification }: Proposer): boolean {
  return role === 'leading' && justification.length === 0;
}

/**
 * One promised a higher epoch to somebody who doesn't lead: it never votes here again, and if one of the others fails, nobody
 * could go on. A fresh epoch takes it back, unless the other TMR server is about to take over.
 */
function isOvertaken({ overtakenSince }: Proposer, now: Now): boolean {
  return overtakenSince !== undefined && now.monotonicMs - overtakenSince > 2 * LIMITS.takeoverAfterMs;
}

export function noteOvertaking(proposer: Proposer, now: Now): void {
  if (highestPromised(proposer) <= proposer.epoch) proposer.overtakenSince = undefined;
  else proposer.overtakenSince ??= now.monotonicMs;
}

/** Enough license servers are heard, and yet the open entry gets no certificate. */
export function isStuck(proposer: Proposer, now: Now): boolean {
  return proposer.proposal !== undefined && now.monotonicMs - proposer.proposal.startedAt > LIMITS.stuckMs;
}

/** Somebody re-joins, and both peers can promise and have stored its new incarnation: a fresh epoch takes it in (PROTOCOL §7.3). */
export function rejoinDue(proposer: Proposer): boolean {
  return ([1, 2, 3] as const).some((member) => {
    const status = proposer.members[member].status;
    if (status === undefined || status.rejoins.length === 0) return false;
    if (status.withholding === '' && !status.unanchored) return false;
    const own = status.incarnations[member - 1] as Uint8Array;
    if (takenIn(proposer, member, own)) return false;
    return ([1, 2, 3] as const).every((other) => {
      const peer = proposer.members[other].status;
      const theirs = peer?.incarnations[member - 1];
      return other === member || (theirs !== undefined && equalBytes(theirs, own) && peer?.withholding === '');
    });
  });
}

/** The epoch stands on both peers' promises that know this incarnation already: its next vote takes the server in. */
function takenIn(proposer: Proposer, member: Member, incarnation: Uint8Array): boolean {
  const peers = proposer.justification.map(({ bytes }) => decodePromise(bytes)).filter((one) => one.member !== member);
  return (
    peers.length === 2 && peers.every((one) => equalBytes(one.incarnations[member - 1] as Uint8Array, incarnation))
  );
}
