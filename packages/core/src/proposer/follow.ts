import type { Member } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import type { Now } from '../voter/state.ts';
import { type Proposer, type ProposerEffect, upMembers } from './state.ts';

/**
 * PROTOCOL §4.7: who doesn't lead follows what is certified, so that a takeover costs one or two round trips. One license
 * server is asked; it answers when there is more than was asked for. One that says it has more and gives nothing, or what is
 * false, is asked again only where none of the others has more.
 */
export function follow(proposer: Proposer, now: Now): ProposerEffect[] {
  if (proposer.role === 'leading') return [];
  const { following, members, replica } = proposer;
  const up = upMembers(proposer);
  const sound = up.filter((member) => !members[member].gaveNone);
  const isPending = following !== undefined && following.from === replica.certifiedIndex + 1;
  if (!isPending) return ask(proposer, best(proposer, sound) ?? best(proposer, up), now);
  const isLate = now.monotonicMs - following.at >= 2 * LIMITS.takeoverAfterMs;
  const having = up.filter((member) => certifiedBy(proposer, member) > replica.certifiedIndex);
  if (having.includes(following.member) && sound.includes(following.member)) {
    if (!isLate) return []; // the answer may be on its way
    members[following.member].gaveNone = true;
    return ask(
      proposer,
      best(
        proposer,
        sound.filter((member) => member !== following.member),
      ) ?? following.member,
      now,
    );
  }
  if (having.some((member) => sound.includes(member))) return ask(proposer, best(proposer, sound), now);
  // Nobody has anything new, as far as they are believed.
  return isLate && having.length > 0 ? ask(proposer, best(proposer, having), now) : [];
}

/** What came from the one who was asked doesn't hash to what is certified: another is asked at once, if there is one. */
export function followAnother(proposer: Proposer, member: Member, now: Now): ProposerEffect[] {
  if (proposer.following?.member !== member) return []; // it was not even asked
  proposer.members[member].gaveNone = true;
  const sound = upMembers(proposer).filter((other) => !proposer.members[other].gaveNone);
  return ask(proposer, best(proposer, sound), now);
}

function ask(proposer: Proposer, donor: Member | undefined, now: Now): ProposerEffect[] {
  if (donor === undefined) return [];
  const from = proposer.replica.certifiedIndex + 1;
  const behind = certifiedBy(proposer, donor) >= from;
  proposer.following = { member: donor, from, at: now.monotonicMs, behind };
  return [{ kind: 'send', member: donor, message: { kind: 'fetch', from } }];
}

/** Of these, who says that it has most; undefined: none has said anything. */
function best(proposer: Proposer, members: readonly Member[]): Member | undefined {
  const heard = members.filter((member) => certifiedBy(proposer, member) >= 0);
  return heard.sort((a, b) => certifiedBy(proposer, b) - certifiedBy(proposer, a))[0];
}

/** −1: it has not said. */
function certifiedBy({ members }: Proposer, member: Member): number {
  return members[member].status?.certifiedIndex ?? -1;
}
