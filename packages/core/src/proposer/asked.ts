import { decodePrepare, epochOwner, equalBytes } from '@trefoil/license';
import { parsed, type Signed } from '../signed.ts';
import type { Now } from '../voter/state.ts';
import { HIGHEST_EPOCH, type Proposer, type ProposerEffect } from './state.ts';
import { sendOn, stepDown } from './step-down.ts';

/** What a license server has promised before, and refuses a PREPARE for. */
export function onAsked(proposer: Proposer, prepare: Signed): ProposerEffect[] {
  proposer.askedEpoch = Math.max(proposer.askedEpoch, Math.min(epochAsked(proposer, prepare), HIGHEST_EPOCH));
  return [];
}

export function onSuperseded(proposer: Proposer, prepare: Signed, now: Now): ProposerEffect[] {
  onAsked(proposer, prepare);
  const epoch = epochAsked(proposer, prepare);
  if (epoch <= proposer.epoch || epochOwner(epoch) === proposer.id) return [];
  // What waits here since it resigned: the other one is about to lead, and keeps it until then. Who can't reach that one stays.
  if (proposer.role === 'follower') return now.monotonicMs < proposer.stuckUntil ? [] : sendOn(proposer);
  return stepDown(proposer, now, 'the other one was promised a higher epoch');
}

/** 0: no PREPARE of a TMR server of this group. */
function epochAsked({ context, crypto, group }: Proposer, prepare: Signed): number {
  const asked = parsed(decodePrepare, prepare.bytes);
  if (asked === undefined || !equalBytes(asked.set, context.configuration.set)) return 0;
  const owner = group.tmrServers.find(({ id }) => id === epochOwner(asked.epoch));
  return owner !== undefined && crypto.verify(owner.key, prepare.bytes, prepare.signature) ? asked.epoch : 0;
}
