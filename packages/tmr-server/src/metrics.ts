import {
  ableMembers,
  heardMembers,
  inForce,
  type LicenseState,
  type MemberLink,
  type Now,
  queueLength,
} from '@trefoil/core';
import type { Clock, Metrics } from '@trefoil/host';
import type { Member } from '@trefoil/license';
import { clockOffsetMs } from './group-alarms.ts';
import type { ProposerRuntime } from './proposer-runtime.ts';

/** Each is a series for years: whoever has more licenses sees the others with `trefoil licenses`. */
const MOST_LICENSES = 1_000;

interface Parts {
  readonly runtimes: readonly ProposerRuntime[];
  readonly clock: Clock;
}

/** What an operator graphs of a TMR server. */
export function proposerMetrics(metrics: Metrics, parts: Parts): void {
  ofTheLead(metrics, parts);
  ofTheLedger(metrics, parts);
  ofLicenseServers(metrics, parts);
  ofLicenses(metrics, parts);
}

type Name = `trefoil_${string}`;

function gaugesOf(metrics: Metrics, { runtimes }: Parts) {
  return (name: Name, help: string, read: (runtime: ProposerRuntime) => number): void => {
    metrics.gauge({ name, help, labelNames: ['virtual_container'] }, (one) => {
      for (const runtime of runtimes) one.set({ virtual_container: runtime.configuration.name }, read(runtime));
    });
  };
}

function ofTheLead(metrics: Metrics, parts: Parts): void {
  const { runtimes, clock } = parts;
  const gauge = gaugesOf(metrics, parts);
  const counter = (name: Name, help: string, read: (runtime: ProposerRuntime) => number): void => {
    metrics.counter({ name, help, labelNames: ['virtual_container'] }, () =>
      runtimes.map((runtime) => [{ virtual_container: runtime.configuration.name }, read(runtime)]),
    );
  };
  gauge('trefoil_active', '1 = this TMR server leads.', ({ proposer }) => (proposer.role === 'leading' ? 1 : 0));
  gauge('trefoil_epoch', 'Epoch of the last attempt to lead.', ({ proposer }) => proposer.epoch);
  gauge(
    'trefoil_redundancy',
    'How many more license servers may fail; below 0 no seats are granted.',
    ({ proposer }) => ableMembers(proposer, nowOf(clock)).length - inForce(proposer.replica).threshold,
  );
  gauge('trefoil_license_servers_connected', 'License servers connected.', ({ links }) => Object.keys(links).length);
  gauge('trefoil_virtual_ip_held', '1 = this host holds the virtual IP.', ({ proposer }) =>
    proposer.holdsVirtualIp ? 1 : 0,
  );
  counter('trefoil_takeovers_total', 'How often this TMR server began to lead.', (runtime) => runtime.takeovers);
  counter('trefoil_entries_total', 'Entries of this TMR server that were certified.', (one) => one.certifiedEntries);
  counter('trefoil_commands_total', 'Commands answered with a certificate.', (runtime) => runtime.certifiedCommands);
  const commit = metrics.histogram({
    name: 'trefoil_commit_seconds',
    help: 'From the proposal of an entry to its certificate.',
    labelNames: ['virtual_container'],
  });
  for (const runtime of runtimes) {
    const child = commit.labels({ virtual_container: runtime.configuration.name });
    runtime.onCommitted = (seconds) => child.observe(seconds);
  }
}

function ofTheLedger(metrics: Metrics, parts: Parts): void {
  const gauge = gaugesOf(metrics, parts);
  gauge(
    'trefoil_certified_index',
    'Newest certified entry that is known here.',
    ({ proposer }) => proposer.replica.certifiedIndex,
  );
  gauge('trefoil_sessions', 'Living sessions.', ({ proposer }) => proposer.replica.ledger.sessions.size);
  gauge('trefoil_clients', 'Connected clients.', ({ proposer }) => proposer.clients);
  gauge('trefoil_queued_commands', 'Commands that are not in an entry yet.', ({ proposer }) => queueLength(proposer));
  gauge('trefoil_waiting', 'Clients that wait for a seat.', ({ proposer }) =>
    [...proposer.replica.ledger.queues.values()].reduce((sum, queue) => sum + queue.length, 0),
  );
}

function ofLicenseServers(metrics: Metrics, { runtimes, clock }: Parts): void {
  const gauge = (name: Name, help: string, read: (one: Seen) => number): void => {
    metrics.gauge({ name, help, labelNames: ['virtual_container', 'license_server'] }, (one) => {
      const now = nowOf(clock);
      for (const { proposer, configuration } of runtimes)
        for (const { member } of configuration.containers) {
          const heard = heardMembers(proposer, now).includes(member);
          const seen = { member, heard, link: proposer.members[member], index: proposer.replica.certifiedIndex, now };
          one.set({ virtual_container: configuration.name, license_server: String(member) }, read(seen));
        }
    });
  };
  gauge('trefoil_license_server_votes', '1 = it is heard and votes, 0 = not.', ({ heard, link }) =>
    heard && link.status?.withholding === '' ? 1 : 0,
  );
  gauge('trefoil_license_server_lag_entries', 'Certified entries that it lacks; NaN = it is not heard.', (one) =>
    one.heard ? Math.max(0, one.index - (one.link.status?.certifiedIndex ?? 0)) : NaN,
  );
  gauge(
    'trefoil_license_server_clock_offset_seconds',
    'How far its clock is ahead of the one of this host; NaN = it is not heard.',
    ({ heard, link, now }) => (heard ? (clockOffsetMs(link, now) ?? NaN) / 1_000 : NaN),
  );
}

interface Seen {
  readonly member: Member;
  readonly heard: boolean;
  readonly link: MemberLink;
  readonly index: number;
  readonly now: Now;
}

function ofLicenses(metrics: Metrics, { runtimes }: Parts): void {
  const gauge = (name: Name, help: string, read: (license: LicenseState) => number): void => {
    metrics.gauge({ name, help, labelNames: ['virtual_container', 'license', 'product'] }, (one) => {
      one.reset(); // a license that was returned goes
      for (const { proposer, configuration } of runtimes)
        for (const state of [...proposer.replica.ledger.licenses.values()].slice(0, MOST_LICENSES)) {
          const { id: license, product } = state.license;
          one.set({ virtual_container: configuration.name, license, product }, read(state));
        }
    });
  };
  gauge('trefoil_license_used', 'Seats that are taken; of the first 1,000 licenses.', ({ used }) => used);
  gauge(
    'trefoil_license_quantity',
    'Seats that were bought; of the first 1,000 licenses.',
    (one) => one.license.terms.quantity,
  );
}

function nowOf(clock: Clock): Now {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
}
