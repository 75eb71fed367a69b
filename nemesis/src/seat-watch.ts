import type { Seat } from '@trefoil/client';
import type { Said } from './said.ts';
import { trueTime } from './true-time.ts';

const EVERY_MS = 20;
const TELL_EVERY_MS = 500;

interface Look {
  /** Usable since then without a gap, as far as has not been told yet. */
  readonly since: number;
  readonly at: number;
  /** By the client's own clocks usable until then, without another word from the group. */
  readonly until: number;
  readonly hold: number;
}

/** Looks all the time at which seats this client may use. Whatever is in doubt counts as not used. */
export class SeatWatch {
  readonly #seats: () => ReadonlySet<Seat>;
  readonly #say: (said: Said) => void;
  #last = new Map<Seat, Look>();

  constructor(seats: () => ReadonlySet<Seat>, say: (said: Said) => void) {
    this.#seats = seats;
    this.#say = say;
    setInterval(() => this.look(), EVERY_MS);
  }

  look(): void {
    const looks = new Map<Seat, Look>();
    for (const seat of this.#seats()) {
      // The process may be stopped at any point here, so the moment of the look lies between the two.
      const before = trueTime();
      const { remainingMs, hold } = seat;
      const after = trueTime();
      if (remainingMs <= 0) continue;
      const last = this.#last.get(seat);
      const goesOn = last?.hold === hold && last.until >= before;
      const look = { since: goesOn ? last.since : after, at: before, until: before + remainingMs, hold };
      if (goesOn && before - last.since > TELL_EVERY_MS) {
        this.#used(seat, last.since, before);
        looks.set(seat, { ...look, since: before });
      } else looks.set(seat, look);
    }
    for (const [seat, { since, at }] of this.#last) if (!looks.has(seat) && at > since) this.#used(seat, since, at);
    this.#last = looks;
  }

  #used(seat: Seat, from: number, until: number): void {
    for (const { license, seats } of seat.grants) this.#say({ kind: 'used', use: { license, seats, from, until } });
  }
}
