import type { ClientMachine } from './machine.ts';

/** ρ: what client and server clocks together may be off (PROTOCOL §6.7). */
const CLOCK_RATE = 0.01;

/** The group knows the outcome of a consume for a day after its session (PROTOCOL §5.3); an hour of it is for wrong clocks. */
const CONSUME_MEMORY_MS = 23 * 3_600_000;

/** Both clocks at one moment, ms. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/** A span is closed when it is as old as this: what its clocks said is then not asked again. */
const SPAN_MS = 1_000;
/** And at once where the wall clock has gone so much further: after a sleep, which a clock that is set back now would hide. */
const LEAP_MS = 100;

/**
 * Counts the ms that pass, sleep included: Node's monotonic clock stands still while a laptop sleeps (node#47724), and a wall
 * clock may be set. So time is counted in spans, each on whichever clock went further: a wall clock that was set back in an
 * earlier one hides no sleep. One set *forward* costs a renewal, no more. Has to be read at least every second.
 */
export class Stopwatch {
  readonly #machine: Pick<ClientMachine, 'now'>;
  #closedMs = 0;
  #spanSince: Moment;

  constructor(machine: Pick<ClientMachine, 'now'>) {
    this.#machine = machine;
    this.#spanSince = machine.now();
  }

  now(): number {
    const now = this.#machine.now();
    const spanMs = longer(this.#spanSince, now);
    const passedMs = this.#closedMs + spanMs;
    const awakeMs = now.monotonicMs - this.#spanSince.monotonicMs;
    if (awakeMs >= SPAN_MS || spanMs - awakeMs >= LEAP_MS) {
      this.#closedMs = passedMs;
      this.#spanSince = now;
    }
    return passedMs;
  }
}

function longer(start: Moment, now: Moment): number {
  return Math.max(now.monotonicMs - start.monotonicMs, now.wallMs - start.wallMs);
}

/** Who doesn't know what came of a consume that was first sent at `startMs` may have forgotten it: it may be done. */
export function mayBeForgotten(startMs: number, nowMs: number): boolean {
  return nowMs - startMs >= CONSUME_MEMORY_MS;
}

/** What is left of a life that began at `startMs`; both by one Stopwatch. */
export function remainingMs(startMs: number, lifeMs: number, nowMs: number): number {
  return lifeMs * (1 - CLOCK_RATE) - (nowMs - startMs);
}
