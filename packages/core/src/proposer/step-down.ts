import { LIMITS } from '../limits.ts';
import { dropTail } from '../replica.ts';
import type { Now } from '../voter/state.ts';
import { follow } from './follow.ts';
import { takeAll } from './queue.ts';
import { jitter, type Proposer, type ProposerEffect, toAll } from './state.ts';

/** Puts the open entry's commands aside: if the new epoch keeps that entry, they are answered; else they go in again. */
export function shelve(proposer: Proposer): void {
  const { proposal } = proposer;
  if (proposal !== undefined) proposer.orphans = { entry: proposal.tail.bytes, commands: proposal.commands };
  proposer.proposal = undefined;
  dropTail(proposer.replica);
}

/**
 * PROTOCOL §4.8: nothing is open. Who takes over asks within milliseconds; this one must not be sooner and have the lead back. What waits
 * here goes on waiting until the other one leads: it would only send it back.
 */
export function resign(proposer: Proposer, now: Now): ProposerEffect[] {
  const { epoch } = proposer;
  const effects = toFollower(proposer, now, 'a planned switch');
  proposer.nextAttemptAt += 2 * LIMITS.takeoverAfterMs;
  return [...toAll(proposer, { kind: 'resign', epoch }), ...effects];
}

export function stepDown(proposer: Proposer, now: Now, why: string): ProposerEffect[] {
  shelve(proposer);
  const sent = sendOn(proposer);
  const [became, ...rest] = toFollower(proposer, now, why);
  return [became, ...sent, ...rest];
}

/** All that waits here, to the other one. */
export function sendOn(proposer: Proposer): ProposerEffect[] {
  const open = [...(proposer.orphans?.commands ?? []), ...takeAll(proposer)];
  proposer.orphans = undefined;
  const to = proposer.id === 'A' ? 'B' : 'A';
  return open.map(({ token }) => ({ kind: 'redirect', token, to }));
}

function toFollower(proposer: Proposer, now: Now, why: string): [ProposerEffect, ...ProposerEffect[]] {
  proposer.role = 'follower';
  proposer.handsOver = false;
  proposer.attempt = undefined;
  proposer.justification = [];
  proposer.nextAttemptAt = now.monotonicMs + LIMITS.takeoverAfterMs + jitter(proposer.random);
  return [{ kind: 'role', role: 'follower', epoch: proposer.epoch, why }, ...follow(proposer, now)];
}
