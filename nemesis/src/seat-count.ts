import type { Use } from './said.ts';

/** At every true instant, the seats that clients could use are at most what had been sold by then (PROTOCOL §9.1). */
export class SeatCount {
  readonly #uses: Use[] = [];
  /** Of each license: how many at most, from when on. It only grows here: an update throws nobody out. */
  readonly #most = new Map<string, { readonly seats: number; readonly from: number }[]>();
  greatest = 0;

  sold(license: string, seats: number, from: number): void {
    const sales = this.#most.get(license) ?? [];
    this.#most.set(license, [...sales, { seats, from }]);
  }

  used(use: Use): void {
    this.#uses.push(use);
  }

  check(): string[] {
    const findings: string[] = [];
    for (const [license, sales] of this.#most) {
      const changes = this.#uses
        .filter((use) => use.license === license)
        .flatMap(({ seats, from, until }) => [
          { at: from, by: seats },
          { at: until, by: -seats },
        ])
        .sort((a, b) => a.at - b.at || a.by - b.by);
      let inUse = 0;
      for (const { at, by } of changes) {
        inUse += by;
        this.greatest = Math.max(this.greatest, inUse);
        const most = Math.max(...sales.filter(({ from }) => from <= at).map(({ seats }) => seats));
        if (inUse <= most) continue;
        findings.push(`${inUse} seats of ${license} in use at ${at.toFixed(1)} ms, and at most ${most} were ever sold`);
        break;
      }
    }
    return findings;
  }
}
