import { performance } from 'node:perf_hooks';

/** What clients may take of one turn of the event loop; beats to the license servers are due every 50 ms. */
const BUDGET_MS = 8;

/**
 * Does clients' work in slices. A burst of ten thousand requests arrives in one turn of the event loop; worked off in that
 * turn, it would hold up the beats so long that the license servers took this server for dead.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #next = 0;
  #budgetEndsAt = 0;
  #scheduled = false;

  /** At once while this turn has time left, else in order in one of the next. */
  run(work: () => void): void {
    if (this.#next === this.#waiting.length && this.#hasTime()) work();
    else {
      this.#waiting.push(work);
      this.#schedule();
    }
  }

  #hasTime(): boolean {
    const now = performance.now();
    if (!this.#scheduled) {
      this.#budgetEndsAt = now + BUDGET_MS;
      this.#schedule();
    }
    return now < this.#budgetEndsAt;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    if (this.#next === this.#waiting.length) return;
    while (this.#next < this.#waiting.length && this.#hasTime()) (this.#waiting[this.#next++] as () => void)();
    if (this.#next < this.#waiting.length) return;
    this.#waiting.length = 0;
    this.#next = 0;
  }
}
