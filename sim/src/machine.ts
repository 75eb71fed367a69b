import type { Clock } from '@trefoil/host';
import type { Agenda } from './agenda.ts';

export const EPOCH_UTC = Date.UTC(2026, 10, 24);

/** No timer is finer; those of Node aren't finer than 1. */
const TIMER_MS = 0.1;

/** A computer: its clocks go their own way, and it may stand still. */
export class Machine implements Clock {
  readonly #agenda: Agenda;
  /** Monotonic ms for each true ms. */
  #rate = 1;
  #awakeRate = 1;
  #rateSince = 0;
  #monotonicThen = 0;
  /** How far the wall clock is from its true course. */
  wallOffsetMs = 0;
  /** True time at which its wall clock was set back last. */
  setBackAt = -Infinity;
  #stopped = false;
  #backlog: (() => void)[] = [];

  constructor(agenda: Agenda, startMonotonicMs: number) {
    this.#agenda = agenda;
    this.#monotonicThen = startMonotonicMs;
  }

  monotonicMs(): number {
    return this.#monotonicThen + (this.#agenda.now - this.#rateSince) * this.#rate;
  }

  wallMs(): number {
    return EPOCH_UTC + Math.floor(this.#agenda.now + this.wallOffsetMs);
  }

  later(ms: number, run: () => void): () => void {
    let off = false;
    const trueMs = Math.max(ms, TIMER_MS) / (this.#rate === 0 ? this.#awakeRate : this.#rate);
    this.#agenda.later(trueMs, () => this.when(() => off || run()));
    return () => {
      off = true;
    };
  }

  setBack(ms: number): void {
    this.wallOffsetMs -= ms;
    this.setBackAt = this.#agenda.now;
  }

  runAtRate(rate: number): void {
    this.#monotonicThen = this.monotonicMs();
    this.#rateSince = this.#agenda.now;
    this.#rate = rate;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** SIGSTOP, or a paused virtual machine. */
  stop(): void {
    this.#stopped = true;
  }

  /** A laptop's lid is closed: its monotonic clock stands still too (node#47724), its wall clock doesn't. */
  sleep(): void {
    this.#stopped = true;
    if (this.#rate !== 0) this.#awakeRate = this.#rate;
    this.runAtRate(0);
  }

  goOn(): void {
    this.#stopped = false;
    if (this.#rate === 0) this.runAtRate(this.#awakeRate);
    const backlog = this.#backlog;
    this.#backlog = [];
    for (const act of backlog) this.when(act);
  }

  /** Now, or when the machine goes on. */
  when(act: () => unknown): void {
    if (this.#stopped) this.#backlog.push(() => act());
    else act();
  }

  awake(): Promise<void> {
    return new Promise((resolve) => this.when(resolve));
  }
}
