/** ρ: what client and server clocks together may be off (PROTOCOL §6.7). */
const CLOCK_RATE = 0.01;

/** Both clocks at one moment, ms. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/**
 * What is left of a life that began at `start`. Counted on whichever clock went further: Node's monotonic clock stands still
 * while a laptop sleeps (node#47724), and a wall clock may be set back. A wall clock set *forward* costs a renewal, no more.
 */
export function remainingMs(start: Moment, lifeMs: number, now: Moment): number {
  const passed = Math.max(now.monotonicMs - start.monotonicMs, now.wallMs - start.wallMs);
  return lifeMs * (1 - CLOCK_RATE) - passed;
}
