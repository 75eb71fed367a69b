import type { ClientEvents } from './client.ts';
import type { ClientMachine } from './machine.ts';
import type { Seat } from './seat.ts';
import type { Stopwatch } from './time.ts';

/** Looked at this often, so that a laptop that wakes up knows within a second that its seat is gone. */
const WATCH_MS = 1_000;
/** After a renewal that failed: soon again, but not in a loop; less and less often if it failed at once. */
const RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

const WITHOUT_RENEWAL = 'its life ran out without a renewal';

type Report = (name: keyof ClientEvents, event: { seat: Seat; reason: string; inMs: number }) => void;

interface RenewalParts {
  readonly machine: ClientMachine;
  readonly stopwatch: Stopwatch;
  readonly seats: ReadonlySet<Seat>;
  /** Says in how many ms, at the latest, it should be done again: Infinity = when lives ask for it. */
  readonly renew: () => Promise<number>;
  readonly report: Report;
}

/** When to renew, and what to tell the application about seats whose life runs out. Keeps no process alive. */
export class Renewals {
  readonly #parts: RenewalParts;
  #callOffWatch: () => void = () => undefined;
  #callOff: () => void = () => undefined;
  #dueAt = Infinity;
  #renewing = false;
  #onceMore = false;
  #failedAtOnce = 0;
  #stopped = false;

  constructor(parts: RenewalParts) {
    this.#parts = parts;
    this.#watch();
  }

  /** At a random point between one and two thirds of the life, so that ten thousand clients never come in step. */
  schedule(lifeMs: number): void {
    const inMs = lifeMs * (1 / 3 + this.#parts.machine.chance() / 3);
    const at = this.#parts.machine.now().monotonicMs + inMs;
    if (this.#stopped || !(at < this.#dueAt)) return;
    this.#dueAt = at;
    this.#callOff();
    this.#callOff = this.#parts.machine.later(inMs, () => void this.#renew(), 'background');
  }

  #watch(): void {
    this.#callOffWatch = this.#parts.machine.later(
      WATCH_MS,
      () => {
        this.#watch();
        this.#parts.stopwatch.now(); // also without seats, so that it misses no sleep
        this.#look();
      },
      'background',
    );
  }

  async #renew(): Promise<void> {
    this.#dueAt = Infinity; // first of all, or nothing could ever be scheduled again
    this.#onceMore = this.#renewing;
    if (this.#renewing || this.#stopped) return;
    this.#renewing = true;
    const since = this.#parts.machine.now().monotonicMs;
    try {
      const againInMs = await this.#parts.renew();
      const lives = [...this.#parts.seats].filter((seat) => !seat.lost).map((seat) => seat.lifeMs);
      // A life that ends with its license gets shorter with each renewal.
      this.schedule(Math.max(RETRY_MS, Math.min(60_000, ...lives)));
      if (againInMs < Infinity) this.schedule(3 * againInMs); // not sooner
      this.#failedAtOnce = 0;
    } catch {
      // No answer, or no session: the watch reports what gets lost meanwhile. A group that is full says so at once.
      const atOnce = this.#parts.machine.now().monotonicMs - since < RETRY_MS;
      this.schedule(Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** this.#failedAtOnce));
      this.#failedAtOnce = atOnce ? this.#failedAtOnce + 1 : 0;
    } finally {
      this.#renewing = false;
      this.#look();
      if (this.#onceMore) this.schedule(0);
    }
  }

  /** What there is to tell of it is told when whoever asked for it has it. */
  granted(seat: Seat): void {
    this.schedule(seat.remainingMs);
    this.#parts.machine.later(0, () => this.#look(), 'background');
  }

  #look(): void {
    for (const seat of this.#parts.seats) {
      const left = seat.remainingMs;
      if (left <= 0 && !seat.lost) {
        seat.lost = true;
        this.#report('lost', seat, seat.refusal ?? (seat.ends ? 'its license has ended' : WITHOUT_RENEWAL));
        this.schedule(0);
      } else if (left > 0 && seat.lost) {
        seat.lost = false;
        this.#report('restored', seat, 'renewed');
      } else if (left > 0 && (seat.ends || left < seat.lifeMs / 4) && !seat.warned) {
        seat.warned = true;
        this.#report('expiring', seat, seat.ends ? 'its license ends' : 'the group has not renewed it');
        this.schedule(0);
      }
    }
  }

  /** The group said that it won't renew it. */
  willEnd(seat: Seat, reason: string): void {
    seat.refusal = reason;
    if (seat.warned || !seat.valid) return;
    seat.warned = true;
    this.#report('expiring', seat, reason);
  }

  #report(name: keyof ClientEvents, seat: Seat, reason: string): void {
    this.#parts.report(name, { seat, reason, inMs: Math.max(0, seat.remainingMs) });
  }

  stop(): void {
    this.#stopped = true;
    this.#callOff();
    this.#callOffWatch();
  }
}
