import { LIMITS } from '../limits.ts';
import { inForce } from '../replica.ts';
import type { Now } from '../voter/state.ts';
import { heardMembers, type Proposer } from './state.ts';

/** PROTOCOL §6.4: the second highest log clock among those that answer, so that one wrong clock changes nothing. */
export function nextLogTime(proposer: Proposer, now: Now): number {
  const readings = heardMembers(proposer, now).map((member) => {
    const link = proposer.members[member];
    return link.logClock + Math.floor(Math.min(LIMITS.logClockRunMs, now.monotonicMs - link.logClockAt));
  });
  return Math.max(proposer.replica.ledger.logTime, secondHighest(readings, inForce(proposer.replica).threshold));
}

/** The second highest wall clock; never behind the course of log time, never more than a day ahead of it in total. */
export function nextUtc(proposer: Proposer, logTime: number, now: Now): number {
  const { ledger } = proposer.replica;
  const walls = heardMembers(proposer, now).map((member) => {
    const link = proposer.members[member];
    return (link.status?.wallMs ?? 0) + Math.floor(now.monotonicMs - link.statusAt);
  });
  const wall = secondHighest(walls, inForce(proposer.replica).threshold);
  if (ledger.index === 0) return wall;
  const course = ledger.utc + (logTime - ledger.logTime);
  const lead = Math.max(0, Math.min(wall - course, LIMITS.utcLeadMs - ledger.utcLead));
  // Milliseconds of jitter are not worth using the day up.
  return lead < LIMITS.clockSlackMs ? course : course + lead;
}

function secondHighest(readings: number[], threshold: 1 | 2): number {
  readings.sort((a, b) => b - a);
  return readings[threshold - 1] ?? readings[0] ?? 0;
}
