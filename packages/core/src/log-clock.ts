import { LIMITS } from './limits.ts';

/**
 * A license server's bound on log time (PROTOCOL §6.2). It keeps a TMR server from running the clock of seats faster than
 * real time: ε is given once per span, never per vote, or many small entries would add up to hours in a minute.
 */
export interface LogClock {
  /** logTime of the newest entry, certified or not. */
  newest: number;
  /** Monotonic ms when that entry came. */
  newestAt: number;
  ceiling: number;
  ceilingAt: number;
}

export function startLogClock(certifiedLogTime: number, monotonicMs: number): LogClock {
  return { newest: certifiedLogTime, newestAt: monotonicMs, ceiling: certifiedLogTime, ceilingAt: monotonicMs };
}

/** What this server believes log time to be. Stops after two seconds without an entry. */
export function readLogClock(clock: LogClock, monotonicMs: number): number {
  return clock.newest + Math.floor(Math.min(LIMITS.logClockRunMs, Math.max(0, monotonicMs - clock.newestAt)));
}

/** The highest logTime that this server signs now. */
export function ceilingAt(clock: LogClock, monotonicMs: number): number {
  const grown = clock.ceiling + (1 + LIMITS.clockRate) * Math.max(0, monotonicMs - clock.ceilingAt);
  return Math.min(grown, clock.newest + LIMITS.logClockRunMs + LIMITS.clockSlackMs);
}

export function clockVoted(clock: LogClock, logTime: number, monotonicMs: number): void {
  clock.ceiling = Math.min(ceilingAt(clock, monotonicMs), logTime + LIMITS.clockSlackMs);
  clock.ceilingAt = monotonicMs;
  clockSaw(clock, logTime, monotonicMs);
}

/** A verified certificate raises the ceiling to its logTime, never above: the others let that time pass. */
export function clockCertified(clock: LogClock, logTime: number, monotonicMs: number): void {
  clock.ceiling = Math.max(ceilingAt(clock, monotonicMs), logTime);
  clock.ceilingAt = monotonicMs;
  if (logTime > clock.newest) clockSaw(clock, logTime, monotonicMs);
}

function clockSaw(clock: LogClock, logTime: number, monotonicMs: number): void {
  clock.newest = logTime;
  clock.newestAt = monotonicMs;
}

/** PROTOCOL §6.3: utc may follow log time freely; more only as far as this server's own wall clock, and a day in total. */
export function utcAllowed(
  before: { index: number; logTime: number; utc: number; utcLead: number },
  proposed: { logTime: number; utc: number },
  wallMs: number,
): boolean {
  const course = before.utc + (proposed.logTime - before.logTime);
  if (before.index === 0) return proposed.utc <= wallMs + LIMITS.wallSlackMs;
  if (proposed.utc < course) return false;
  if (proposed.utc === course) return true;
  return proposed.utc <= wallMs + LIMITS.wallSlackMs && before.utcLead + (proposed.utc - course) <= LIMITS.utcLeadMs;
}
