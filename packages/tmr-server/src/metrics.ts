import type { Metrics } from '@trefoil/host';
import type { ProposerRuntime } from './proposer-runtime.ts';

/** What an operator graphs of a TMR server. */
export function proposerMetrics(metrics: Metrics, runtimes: Iterable<ProposerRuntime>): void {
  const all = [...runtimes];
  const gauge = (name: `trefoil_${string}`, help: string, read: (runtime: ProposerRuntime) => number): void => {
    metrics.gauge({ name, help, labelNames: ['virtual_container'] }, (one) => {
      for (const runtime of all) one.set({ virtual_container: runtime.configuration.name }, read(runtime));
    });
  };
  gauge('trefoil_active', '1 = this TMR server leads.', ({ proposer }) => (proposer.role === 'leading' ? 1 : 0));
  gauge('trefoil_epoch', 'Epoch of the last attempt to lead.', ({ proposer }) => proposer.epoch);
  gauge(
    'trefoil_certified_index',
    'Newest certified entry known here.',
    ({ proposer }) => proposer.replica.certifiedIndex,
  );
  gauge('trefoil_sessions', 'Living sessions.', ({ proposer }) => proposer.replica.ledger.sessions.size);
  gauge('trefoil_clients', 'Connected clients.', ({ proposer }) => proposer.clients);
  gauge(
    'trefoil_certified_commands',
    'Commands answered since the start of this process.',
    (runtime) => runtime.certifiedCommands,
  );
  gauge('trefoil_license_servers_connected', 'License servers connected.', ({ links }) => Object.keys(links).length);
}
