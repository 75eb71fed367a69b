import { SEAT_TIMEOUT_MS } from './client-history.ts';

interface Hold {
  readonly session: string;
  readonly seats: CountedSeats;
  freeAt: number;
}

export type CountedSeats = readonly { readonly license: string; readonly count: number }[];

/** ⌈T · (1 + ρ)⌉ + ε (PROTOCOL §6.7), once more in the words of the specification. */
function freeAfter(timeoutMs: number): number {
  return Math.ceil(timeoutMs * 1.01) + 250;
}

type Why = 'due' | 'given back' | 'written off';

/** What the log says is held, by session and request, and until when: freed neither early nor late (PROTOCOL §5.3, §5.18). */
export class Holds {
  readonly #holds = new Map<string, Hold>();
  readonly #fault: (what: string) => void;
  readonly #freed: (key: string, seats: CountedSeats) => void;

  constructor(told: {
    readonly fault: (what: string) => void;
    readonly freed: (key: string, seats: CountedSeats) => void;
  }) {
    this.#fault = told.fault;
    this.#freed = told.freed;
  }

  /** `forMs`: it has left the group, and nobody renews it. */
  take(
    key: string,
    hold: Omit<Hold, 'freeAt'>,
    { logTime, forMs = SEAT_TIMEOUT_MS }: { logTime: number; forMs?: number | undefined },
  ): void {
    this.#holds.set(key, { ...hold, freeAt: logTime + freeAfter(forMs) });
  }

  renewed(key: string, logTime: number): void {
    const hold = this.#holds.get(key);
    if (hold === undefined) this.#fault(`5.4 renews a hold that nobody has`);
    else hold.freeAt = logTime + freeAfter(SEAT_TIMEOUT_MS);
  }

  /** For so long from now; never sooner than before. */
  extended(key: string, forMs: number, logTime: number): void {
    const hold = this.#holds.get(key);
    if (hold !== undefined) hold.freeAt = Math.max(hold.freeAt, logTime + freeAfter(forMs));
  }

  free(key: string, why: Why, logTime: number): void {
    const hold = this.#holds.get(key);
    if (hold === undefined) return this.#fault(`5.3 frees a hold that nobody has`);
    if (why === 'due' && hold.freeAt > logTime) this.#fault(`5.3 frees seats ${hold.freeAt - logTime} ms early`);
    this.#holds.delete(key);
    this.#freed(key, hold.seats);
  }

  freeAll(session: string, why: Why, logTime: number): void {
    for (const [key, hold] of [...this.#holds]) if (hold.session === session) this.free(key, why, logTime);
  }

  /** After what fell due. */
  mustBeFree(logTime: number): void {
    for (const [key, hold] of this.#holds)
      if (hold.freeAt <= logTime) this.#fault(`5.3 hold ${key} should have been freed before`);
  }

  /** §5.9: what an admin is told, whom he evicts. */
  mustNotEndAfter(session: string, freeAtLogTime: number): void {
    for (const hold of this.#holds.values())
      if (hold.session === session && hold.freeAt > freeAtLogTime)
        this.#fault(`5.9 an admin is told that seats are free ${hold.freeAt - freeAtLogTime} ms before they are`);
  }
}
