import { LIMITS } from '../limits.ts';
import { dropTail } from '../replica.ts';
import type { Now } from '../voter/state.ts';
import { follow } from './follow.ts';
import { takeAll } from './queue.ts';
import { jitter, type Proposer, type ProposerEffect } from './state.ts';

/** Puts the open entry's commands aside: if the new epoch keeps that entry, they are answered; else they go in again. */
export function shelve(proposer: Proposer): void {
  const { proposal } = proposer;
  if (proposal !== undefined) proposer.orphans = { entry: proposal.tail.bytes, commands: proposal.commands };
  proposer.proposal = undefined;
  dropTail(proposer.replica);
}

export function stepDown(proposer: Proposer, now: Now, why: string): ProposerEffect[] {
  shelve(proposer);
  const open = [...(proposer.orphans?.commands ?? []), ...takeAll(proposer)];
  proposer.orphans = undefined;
  proposer.role = 'follower';
  proposer.attempt = undefined;
  proposer.justification = [];
  proposer.nextAttemptAt = now.monotonicMs + LIMITS.takeoverAfterMs + jitter(proposer.random);
  const to = proposer.id === 'A' ? 'B' : 'A';
  return [
    { kind: 'role', role: 'follower', epoch: proposer.epoch, why },
    ...open.map(({ token }) => ({ kind: 'redirect', token, to }) as const),
    ...follow(proposer, now),
  ];
}
