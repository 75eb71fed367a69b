import type { Metrics } from '@trefoil/host';
import type { VoterRuntime } from './voter-runtime.ts';

/** What an operator graphs of a license server. */
export function voterMetrics(metrics: Metrics, voters: Iterable<VoterRuntime>): void {
  const all = [...voters];
  const gauge = (name: `trefoil_${string}`, help: string, read: (runtime: VoterRuntime) => number): void => {
    metrics.gauge({ name, help, labelNames: ['virtual_container'] }, (one) => {
      for (const runtime of all) one.set({ virtual_container: runtime.configuration.name }, read(runtime));
    });
  };
  gauge(
    'trefoil_certified_index',
    'Newest certified entry that is known here.',
    ({ voter }) => voter.replica.certifiedIndex,
  );
  gauge('trefoil_promised_epoch', 'Highest epoch promised.', ({ voter }) => voter.promised);
  gauge('trefoil_voting', '1 = votes, 0 = withholds.', ({ voter }) => (voter.withholding === '' ? 1 : 0));
  gauge('trefoil_unanchored', '1 = started without both peers.', ({ voter }) => (voter.unanchored ? 1 : 0));
  gauge('trefoil_sessions', 'Living sessions.', ({ voter }) => voter.replica.ledger.sessions.size);
  gauge(
    'trefoil_utc_offset_seconds',
    "How far this host's clock is ahead of the UTC of the newest certified entry.",
    ({ voter, parts }) => (parts.clock.wallMs() - (voter.replica.certified?.utc ?? NaN)) / 1_000,
  );
  metrics.counter(
    {
      name: 'trefoil_epoch_changes_total',
      help: 'How often a higher epoch was promised.',
      labelNames: ['virtual_container'],
    },
    () => all.map((one) => [{ virtual_container: one.configuration.name }, one.epochChanges]),
  );
  const durable = metrics.histogram({
    name: 'trefoil_log_durable_seconds',
    help: 'Until records of the log are on the disk: write and fdatasync, and the ones before.',
    labelNames: ['virtual_container'],
  });
  for (const runtime of all) {
    const child = durable.labels({ virtual_container: runtime.configuration.name });
    runtime.onDurable = (seconds) => child.observe(seconds);
  }
  gauge('trefoil_tmr_servers_connected', 'TMR servers connected.', ({ links }) => Object.keys(links).length);
}
