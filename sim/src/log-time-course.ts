import { LIMITS } from '@trefoil/core';
import { type Accept, bytesKey } from '@trefoil/license';

/** Of all that tick: the clocks of license servers that are not wrong by far (see the fault 'clock runs wrong'). */
const FASTEST_CLOCK = 1.004;
const LOG_MS_PER_MS = (1 + LIMITS.clockRate) * FASTEST_CLOCK;

interface Passed {
  readonly logTime: number;
  /** True times: when somebody first signed for it, and when two had. */
  readonly firstAt: number;
  readonly secondAt: number;
}

/** How log time goes beside true time: from no certified entry to a later one may it gain more than ε (PROTOCOL §6.5). */
export class LogTimeCourse {
  /** By head. */
  readonly #voted = new Map<string, { by: string; firstAt: number; secondAt: number | undefined }>();
  /** By index. */
  readonly #certified: Passed[] = [];

  voted(by: string, { head }: Accept, at: number): void {
    const key = bytesKey(head);
    const before = this.#voted.get(key);
    if (before === undefined) this.#voted.set(key, { by, firstAt: at, secondAt: undefined });
    else if (before.by !== by) before.secondAt ??= at;
  }

  /** @param at when its certificate was first seen, in case a server has signed elsewhere than in its container */
  certified({ index, head, logTime }: Accept, at: number): void {
    const { firstAt = at, secondAt = at } = this.#voted.get(bytesKey(head)) ?? {};
    this.#certified[index] = { logTime, firstAt, secondAt };
  }

  /** The most that log time has gained on true time between any two entries, ms. */
  get gainedMs(): number {
    let slowest = Infinity;
    let gained = 0;
    for (const entry of this.#certified) {
      if (entry === undefined) continue;
      gained = Math.max(gained, entry.logTime - LOG_MS_PER_MS * entry.secondAt - slowest);
      slowest = Math.min(slowest, entry.logTime - LOG_MS_PER_MS * entry.firstAt);
    }
    return gained;
  }
}
