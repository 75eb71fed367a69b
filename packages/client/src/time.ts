/** ρ: what client and server clocks together may be off (PROTOCOL §6.7). */
const CLOCK_RATE = 0.01;

/** The group knows the outcome of a consume for a day after its session (PROTOCOL §5.3); an hour of it is for wrong clocks. */
const CONSUME_MEMORY_MS = 23 * 3_600_000;

/** Both clocks at one moment, ms. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/** Who doesn't know what came of a consume that was first sent at `start` may have forgotten it: it may be done. */
export function mayBeForgotten(start: Moment, now: Moment): boolean {
  return passedMs(start, now) >= CONSUME_MEMORY_MS;
}

/**
 * What is left of a life that began at `start`. Counted on whichever clock went further: Node's monotonic clock stands still
 * while a laptop sleeps (node#47724), and a wall clock may be set back. A wall clock set *forward* costs a renewal, no more.
 */
export function remainingMs(start: Moment, lifeMs: number, now: Moment): number {
  return lifeMs * (1 - CLOCK_RATE) - passedMs(start, now);
}

function passedMs(start: Moment, now: Moment): number {
  return Math.max(now.monotonicMs - start.monotonicMs, now.wallMs - start.wallMs);
}
