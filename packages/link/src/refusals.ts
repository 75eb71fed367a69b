/** Somebody who was turned away. */
export interface Refusal {
  readonly address: string;
  readonly reason: string;
  /** How many more from this address were turned away, and not told of, since the last that was. */
  readonly suppressed: number;
}

const intervalMs = 60_000;
/** A list that anybody on the network can make longer needs an end. */
const maximumAddresses = 1_000;

/** Tells of the first refusal of an address, then of one a minute: a scan must not fill the logs. */
export class RefusalReports {
  readonly #report: (refusal: Refusal) => void;
  readonly #byAddress = new Map<string, { toldAtMs: number; suppressed: number }>();

  constructor(report: (refusal: Refusal) => void) {
    this.#report = report;
  }

  refused(address: string, reason: string, nowMs: number): void {
    const known = this.#byAddress.get(address);
    if (known !== undefined && nowMs - known.toldAtMs < intervalMs) {
      known.suppressed++;
      return;
    }
    // The map keeps the order of insertion, so the first key is the one told of longest ago.
    this.#byAddress.delete(address);
    const [oldest] = this.#byAddress.keys();
    if (this.#byAddress.size >= maximumAddresses && oldest !== undefined) this.#byAddress.delete(oldest);
    this.#byAddress.set(address, { toldAtMs: nowMs, suppressed: 0 });
    this.#report({ address, reason, suppressed: known?.suppressed ?? 0 });
  }
}
