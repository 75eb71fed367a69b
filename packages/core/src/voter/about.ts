import type { TmrServer } from '@trefoil/license';
import { type AboutVoter, SILENT } from '../about.ts';
import { newestRules } from '../ledger/state.ts';
import { LIMITS } from '../limits.ts';
import type { Now, Voter, VoterEffect } from './state.ts';

const SERVERS = ['A', 'B'] as const;

/** PROTOCOL §4.10: on links that carry it; who speaks the older form hears nothing of it. */
function aboutTo(voter: Voter, to: TmrServer): VoterEffect[] {
  const { up, hearsAbout } = voter.peers[to];
  return up && hearsAbout ? [{ kind: 'send', to, message: about(voter) }] : [];
}

/** A link has come or gone: what it knows of them is another now. */
export function aboutToAll(voter: Voter): VoterEffect[] {
  return SERVERS.flatMap((id) => aboutTo(voter, id));
}

/** Every second: what has changed, and what was lost on the way. */
export function aboutTick(voter: Voter, now: Now): VoterEffect[] {
  if (now.monotonicMs < voter.nextAboutAt) return [];
  voter.nextAboutAt = now.monotonicMs + LIMITS.aboutMs;
  return aboutToAll(voter);
}

function about({ context, group, peers, program, alarms }: Voter): AboutVoter {
  const known = group.tmrServers.map(({ id }) => (peers[id].up ? peers[id].about : SILENT).rules);
  const [a, b] = SERVERS.map((id) => (peers[id].up ? peers[id].about : SILENT).program) as [string, string];
  return { kind: 'about', rules: Math.min(newestRules(context), ...known), program, tmrPrograms: [a, b], alarms };
}
