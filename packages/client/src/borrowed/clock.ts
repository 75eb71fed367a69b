import type { ClientMachine } from '../machine.ts';

/** A clock may be put right by so much; more is set back. */
const TOLERATED_MS = 5 * 60_000;

/** The time on a borrower's machine, ms since 1970: never earlier than what was seen before, whatever its clock shows now. */
export class BorrowerClock {
  readonly #machine: Pick<ClientMachine, 'now'>;
  /** What its time was when the monotonic clock was 0: a wall clock that stands still is not believed. */
  readonly #zeroAt: number;
  #latest: number;

  /** `seen`: the latest that was seen on this machine. */
  constructor(machine: Pick<ClientMachine, 'now'>, seen: number) {
    this.#machine = machine;
    const { wallMs, monotonicMs } = machine.now();
    this.#zeroAt = Math.max(seen, wallMs) - monotonicMs;
    this.#latest = seen;
  }

  now(): number {
    const { wallMs, monotonicMs } = this.#machine.now();
    this.#latest = Math.max(this.#latest, wallMs, Math.floor(this.#zeroAt + monotonicMs));
    return this.#latest;
  }

  /** How far the machine's clock was set back, ms; 0 = it was not. */
  get setBackMs(): number {
    const behind = this.now() - this.#machine.now().wallMs;
    return behind > TOLERATED_MS ? behind : 0;
  }
}
