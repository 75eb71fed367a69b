import { collectDefaultMetrics, Counter, Gauge, Histogram, type LabelValues, Registry } from 'prom-client';

export type { Counter, Gauge, Histogram } from 'prom-client';

export interface MetricOptions<L extends string> {
  /** `trefoil_grants_total`: our prefix, then words, the unit last, `_total` for counters. */
  readonly name: `trefoil_${string}`;
  readonly help: string;
  readonly labelNames?: readonly L[];
}

export interface HistogramOptions<L extends string> extends MetricOptions<L> {
  /** Upper bounds in the metric's unit; by default from 0.5 ms to 10 s, in seconds. */
  readonly buckets?: readonly number[];
}

/** The metrics of one process, in the text format that Prometheus and its kin read. */
export interface Metrics {
  /** `read`: of what is counted elsewhere; it only grows. */
  counter<L extends string = never>(
    options: MetricOptions<L>,
    read?: () => [labels: LabelValues<L>, count: number][],
  ): Counter<L>;
  gauge<L extends string = never>(options: MetricOptions<L>, collect?: (gauge: Gauge<L>) => void): Gauge<L>;
  histogram<L extends string = never>(options: HistogramOptions<L>): Histogram<L>;
  readonly contentType: string;
  text(): Promise<string>;
}

const durationBucketsSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** `processMetrics`: memory, CPU, event loop delay and garbage collection of this process as well (default true). */
export function createMetrics({ processMetrics = true }: { readonly processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (processMetrics) collectDefaultMetrics({ register: registry });
  const common = <L extends string>({ name, help, labelNames }: MetricOptions<L>) => ({
    name,
    help,
    labelNames: labelNames ?? [],
    registers: [registry],
  });
  return {
    counter: <L extends string>(options: MetricOptions<L>, read?: () => [LabelValues<L>, number][]) => {
      const collect = (): void => {
        counter.reset();
        for (const [labels, count] of read?.() ?? []) counter.inc(labels, count);
      };
      const counter: Counter<L> = new Counter<L>({ ...common(options), ...(read && { collect }) });
      return counter;
    },
    gauge: <L extends string>(options: MetricOptions<L>, collect?: (gauge: Gauge<L>) => void) => {
      const gauge: Gauge<L> = new Gauge<L>({ ...common(options), ...(collect && { collect: () => collect(gauge) }) });
      return gauge;
    },
    histogram: (options) =>
      new Histogram({ ...common(options), buckets: [...(options.buckets ?? durationBucketsSeconds)] }),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
