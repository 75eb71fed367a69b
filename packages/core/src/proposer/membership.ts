import type { Configuration } from '@trefoil/license';
import { inForce } from '../replica.ts';
import type { Now } from '../voter/state.ts';
import type { Proposer } from './state.ts';
import { placeWitness } from './witness.ts';

/**
 * PROTOCOL §4.9: a new version of the configuration begins with an epoch of its own; promises under the one before are of no use for
 * it. To be called when entries have become certified, with the configuration that was in force before.
 */
export function enterVersion(proposer: Proposer, before: Configuration, now: Now): void {
  const { replica, members } = proposer;
  const next = inForce(replica);
  if (next.version === before.version) return;
  proposer.attempt = undefined;
  proposer.justification = [];
  proposer.wantAll = false;
  proposer.nextAttemptAt = now.monotonicMs;
  for (const member of [1, 2, 3] as const) members[member].adopted = false;
  placeWitness(proposer);
}
