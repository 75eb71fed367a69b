import type { Member } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import type { Now } from '../voter/state.ts';
import { type Proposer, type ProposerEffect, upMembers } from './state.ts';

/**
 * PROTOCOL §4.7: who doesn't lead follows what is certified, so that a takeover costs one or two round trips. One license
 * server is asked; it answers when there is more than was asked for.
 */
export function follow(proposer: Proposer, now: Now): ProposerEffect[] {
  if (proposer.role === 'leading') return [];
  const from = proposer.replica.certifiedIndex + 1;
  const { following } = proposer;
  if (following !== undefined && following.from === from) {
    const theirs = proposer.members[following.member].status?.certifiedIndex ?? 0;
    // Asked, and either there is nothing new or the answer may be on its way.
    if (theirs < from || now.monotonicMs - following.at < 2 * LIMITS.takeoverAfterMs) return [];
  }
  const donor = bestDonor(proposer);
  if (donor === undefined) return [];
  proposer.following = { member: donor, from, at: now.monotonicMs };
  return [{ kind: 'send', member: donor, message: { kind: 'fetch', from } }];
}

function bestDonor(proposer: Proposer): Member | undefined {
  let best: Member | undefined;
  let highest = -1;
  for (const member of upMembers(proposer)) {
    const certified = proposer.members[member].status?.certifiedIndex ?? -1;
    if (certified > highest) {
      best = member;
      highest = certified;
    }
  }
  return best;
}
