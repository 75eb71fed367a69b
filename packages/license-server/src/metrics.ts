import type { Metrics } from '@trefoil/host';
import type { VoterRuntime } from './voter-runtime.ts';

/** What an operator graphs of a license server. */
export function voterMetrics(metrics: Metrics, voters: Iterable<VoterRuntime>): void {
  const all = [...voters];
  const gauge = (name: `trefoil_${string}`, help: string, read: (runtime: VoterRuntime) => number): void => {
    metrics.gauge({ name, help, labelNames: ['virtual_container'] }, (one) => {
      for (const runtime of all) one.set({ virtual_container: runtime.voter.configuration.name }, read(runtime));
    });
  };
  gauge('trefoil_certified_index', 'Newest certified entry of the log.', ({ voter }) => voter.replica.certifiedIndex);
  gauge('trefoil_promised_epoch', 'Highest epoch promised.', ({ voter }) => voter.promised);
  gauge('trefoil_voting', '1 = votes, 0 = withholds.', ({ voter }) => (voter.withholding === '' ? 1 : 0));
  gauge('trefoil_unanchored', '1 = started without both peers.', ({ voter }) => (voter.unanchored ? 1 : 0));
  gauge('trefoil_sessions', 'Living sessions.', ({ voter }) => voter.replica.ledger.sessions.size);
  gauge('trefoil_tmr_servers_connected', 'TMR servers connected.', ({ links }) => Object.keys(links).length);
}
