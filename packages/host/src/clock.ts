/** The time as a process sees it. Only differences of `monotonicMs` mean anything. */
export interface Clock {
  /**
   * Never goes back; stands still while the machine sleeps (nodejs/node#47724), so whoever must not outlive a sleep
   * looks at `wallMs` too.
   */
  monotonicMs(): number;
  /** Milliseconds since 1970; may jump when somebody sets the clock. */
  wallMs(): number;
  /** Runs it once, after at least so long by the monotonic clock. Returns how to call that off. */
  later(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  later: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
