import { LIMITS } from './limits.ts';

/**
 * A license server's view of log time (PROTOCOL §6.2). The reading is what it believes, and only advises the TMR server. The
 * ceiling is what it lets pass, and keeps a TMR server from running the clock of seats faster than real time: ε is given once
 * per span, never per vote, or many small entries would add up to hours in a minute.
 */
export interface LogClock {
  /** Highest logTime of an entry seen. reading ≤ newest + LIMITS.logClockRunMs; reading ≤ ceiling. */
  newest: number;
  reading: number;
  readingAt: number;
  ceiling: number;
  ceilingAt: number;
}

export function startLogClock(certifiedLogTime: number, monotonicMs: number): LogClock {
  return {
    newest: certifiedLogTime,
    reading: certifiedLogTime,
    readingAt: monotonicMs,
    ceiling: certifiedLogTime,
    ceilingAt: monotonicMs,
  };
}

/** Whole ms, for messages. */
export function readLogClock(clock: LogClock, monotonicMs: number): number {
  return Math.floor(readingAt(clock, monotonicMs));
}

/**
 * Runs with the own clock from entry to entry, so that the way of an entry through network and disk costs log time nothing:
 * set back by each entry, it would stand still under load. Stops two seconds after the newest entry.
 */
function readingAt(clock: LogClock, monotonicMs: number): number {
  const run = clock.reading + Math.max(0, monotonicMs - clock.readingAt);
  return Math.min(run, clock.newest + LIMITS.logClockRunMs);
}

/** The highest logTime that this server signs now. */
export function ceilingAt(clock: LogClock, monotonicMs: number): number {
  return Math.min(ceilingOfReported(clock, monotonicMs), clock.newest + LIMITS.logClockRunMs + LIMITS.clockSlackMs);
}

/**
 * The same for what a peer has signed and a new epoch offers again. It stands in the way of all others, so log time runs on until
 * it is its time: never faster than true time, but it would stand still for good if it waited for another entry.
 */
export function ceilingOfReported(clock: LogClock, monotonicMs: number): number {
  return clock.ceiling + (1 + LIMITS.clockRate) * Math.max(0, monotonicMs - clock.ceilingAt);
}

export function clockVoted(clock: LogClock, logTime: number, monotonicMs: number): void {
  clock.ceiling = Math.min(ceilingOfReported(clock, monotonicMs), logTime + LIMITS.ceilingSlackMs);
  clock.ceilingAt = monotonicMs;
  clockSaw(clock, logTime, monotonicMs);
}

/**
 * A verified certificate raises the ceiling to its logTime, never above: the others let that time pass. One of an entry for
 * which this server has not voted lowers it, too, as its vote would have. Or a leader that lets log time stand still beside a
 * wrong clock could have it jump, with the vote of a third, by all that stood still: what was just granted would be free at
 * once (§11.6).
 */
export function clockCertified(clock: LogClock, logTime: number, monotonicMs: number, voted: boolean): void {
  const most = ceilingAt(clock, monotonicMs);
  clock.ceiling = Math.max(logTime, voted ? most : Math.min(most, logTime + LIMITS.ceilingSlackMs));
  clock.ceilingAt = monotonicMs;
  clockSaw(clock, logTime, monotonicMs);
}

function clockSaw(clock: LogClock, logTime: number, monotonicMs: number): void {
  // Advice above the own ceiling would be refused: after an old entry that is signed again, or one that came late.
  clock.reading = Math.min(Math.max(readingAt(clock, monotonicMs), logTime), clock.ceiling);
  clock.readingAt = monotonicMs;
  clock.newest = Math.max(clock.newest, logTime);
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
