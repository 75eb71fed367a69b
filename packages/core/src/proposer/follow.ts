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
    const has = (member: Member): boolean => (proposer.members[member].status?.certifiedIndex ?? 0) >= from;
    // Asked, and either the answer may be on its way or nobody has anything new.
    if (
      has(following.member)
        ? now.monotonicMs - following.at < 2 * LIMITS.takeoverAfterMs
        : !upMembers(proposer).some(has)
    )
      return [];
  }
  const silent = following !== undefined && following.from === from ? following.member : undefined;
  const donor = bestDonor(proposer, silent);
  if (donor === undefined) return [];
  proposer.following = { member: donor, from, at: now.monotonicMs };
  return [{ kind: 'send', member: donor, message: { kind: 'fetch', from } }];
}

/** Who has most; but not one that was asked and gave nothing, if another has something too. */
function bestDonor(proposer: Proposer, silent: Member | undefined): Member | undefined {
  const certified = (member: Member): number => proposer.members[member].status?.certifiedIndex ?? -1;
  const rank = (member: Member): number =>
    member === silent && certified(member) > proposer.replica.certifiedIndex ? -0.5 : certified(member);
  let best: Member | undefined;
  for (const member of upMembers(proposer))
    if (certified(member) >= 0 && (best === undefined || rank(member) > rank(best))) best = member;
  return best;
}
