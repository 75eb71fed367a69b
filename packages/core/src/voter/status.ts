import { epochOwner, type TmrServer } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import { readLogClock } from '../log-clock.ts';
import { inForce } from '../replica.ts';
import { NEVER_HEARD } from '../voter-status.ts';
import type { Now, Voter, VoterEffect } from './state.ts';

/** What this server reports of itself, twenty times a second. Not signed: it is used for liveness only. */
export function statusTo(voter: Voter, to: TmrServer, now: Now): VoterEffect {
  const { replica } = voter;
  return {
    kind: 'send',
    to,
    message: {
      kind: 'status',
      promised: voter.promised,
      logEpoch: voter.logEpoch,
      certifiedIndex: replica.certifiedIndex,
      lastIndex: replica.lastIndex,
      certificate: replica.certificate ?? new Uint8Array(0),
      logClock: readLogClock(voter.clock, now.monotonicMs),
      wallMs: now.wallMs,
      ownerSilentMs: ownerSilentMs(voter, now),
      incarnations: voter.incarnations,
      rejoins: voter.rejoin?.signed ?? [],
      withholding: voter.withholding,
      unanchored: voter.unanchored,
      heard: heardServers(voter, now),
      holdVirtualIp: heardServers(voter, now).filter((id) => voter.peers[id].holdsVirtualIp),
    },
  };
}

export function statusTick(voter: Voter, now: Now, atOnce: boolean): VoterEffect[] {
  if (!atOnce && now.monotonicMs < voter.nextStatusAt) return [];
  voter.nextStatusAt = now.monotonicMs + LIMITS.beatMs;
  return (['A', 'B'] as const).filter((id) => voter.peers[id].up).map((id) => statusTo(voter, id, now));
}

function ownerSilentMs(voter: Voter, now: Now): number {
  const owner = voter.peers[epochOwner(voter.promised)];
  if (voter.promised === 0 || !owner.up || owner.heardAt === -Infinity) return NEVER_HEARD;
  return Math.floor(Math.max(0, now.monotonicMs - owner.heardAt));
}

function heardServers({ peers }: Voter, now: Now): TmrServer[] {
  return (['A', 'B'] as const).filter(
    (id) => peers[id].up && now.monotonicMs - peers[id].beatAt < LIMITS.takeoverAfterMs,
  );
}

/** PROTOCOL §4.6: the active TMR server is heard by enough license servers and gets entries certified. */
export function activeLives(voter: Voter, now: Now): boolean {
  const owner = voter.peers[epochOwner(voter.promised)];
  const hears = [1, 2, 4].filter((bit) => (owner.heard & bit) !== 0).length;
  return (
    hears >= inForce(voter.replica).threshold &&
    ownerSilentMs(voter, now) < LIMITS.takeoverAfterMs &&
    now.monotonicMs - voter.lastCertificateAt < LIMITS.certificateFreshMs
  );
}

/**
 * While this server itself stood still (a large entry, a paused machine), beats piled up unread: that time doesn't count as
 * silence of others. Without this, load looks like the death of the active TMR server.
 */
export function forgiveOwnPause(voter: Voter, now: Now): void {
  const pauseMs = now.monotonicMs - voter.lastTickAt;
  voter.lastTickAt = now.monotonicMs;
  if (pauseMs > LIMITS.ownPauseMs)
    for (const id of ['A', 'B'] as const) {
      voter.peers[id].heardAt += pauseMs;
      voter.peers[id].beatAt += pauseMs;
    }
}
