import type { Ledger, LicenseState } from './state.ts';
import { usageOf } from './usage.ts';
import { type DayStart, type DayUsage, NO_USAGE } from './usage-records.ts';

/** What should be known of the use of seats (cad-1) and units (sim-1), said again as simply as possible: for the model test. */
export class UsageModel {
  readonly days: {
    seatMs: number;
    peak: number;
    grants: number;
    denied: number;
    deniedUnits: number;
    units: number;
  }[] = [];
  readonly #used: () => number;

  constructor(used: () => number) {
    this.#used = used;
    this.#begin();
  }

  #begin(): void {
    this.days.push({ seatMs: 0, peak: this.#used(), grants: 0, denied: 0, deniedUnits: 0, units: 0 });
  }

  get #today(): UsageModel['days'][0] {
    return this.days.at(-1) as UsageModel['days'][0];
  }

  /** Time goes by, from `left` ms before the only midnight on. */
  pass(ms: number, left: number): void {
    const before = left > 0 ? Math.min(ms, left) : ms;
    this.#today.seatMs += this.#used() * before;
    if (left <= 0 || ms < left) return;
    this.#begin();
    this.#today.seatMs += this.#used() * (ms - before);
  }

  /** An outcome; `units`: of a consume. */
  count(kind: string, units = 0): void {
    const today = this.#today;
    if (kind === 'granted') today.grants++;
    if (kind === 'denied') today[units > 0 ? 'deniedUnits' : 'denied']++;
    if (kind === 'consumed') today.units += units;
    today.peak = Math.max(today.peak, this.#used());
  }

  /** The same as the ledger has it. */
  in(ledger: Ledger): UsageModel['days'] {
    return this.days.map((_, i) => {
      const { day } = ledger.days[i] as DayStart;
      const [seats, units] = [dayOf(ledger, 'cad-1', day), dayOf(ledger, 'sim-1', day)];
      const { seatMs, peak, grants, denials } = seats;
      return {
        seatMs,
        peak,
        grants,
        denied: sum(denials),
        deniedUnits: sum(units.denials),
        units: units.units,
      };
    });
  }
}

function dayOf(ledger: Ledger, license: string, day: number): DayUsage {
  return usageOf(ledger, ledger.licenses.get(license) as LicenseState).find((one) => one.day === day) ?? NO_USAGE;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
