/** What a closed loop measured: one number for each operation, ms. */
export interface LoadResult {
  readonly operations: number;
  readonly failed: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

export function summarize(latenciesMs: number[], failed: number, seconds: number): LoadResult {
  const sorted = Float64Array.from(latenciesMs).sort();
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN);
  return {
    operations: sorted.length,
    failed,
    seconds: round(seconds),
    perSecond: Math.round(sorted.length / seconds),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: at(1),
  };
}

export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
