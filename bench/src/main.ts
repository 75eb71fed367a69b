import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { measureEtcd, type PeerRow } from './etcd.ts';
import { measureLarge } from './large.ts';
import type { LoadResult } from './latencies.ts';
import { measurePostgres } from './postgres.ts';
import { measureTrefoil, type TrefoilRow } from './trefoil.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '8' },
    clients: { type: 'string', default: '1,32,256,1000' },
    only: { type: 'string', default: 'trefoil,etcd,postgres' },
    large: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const HELP = `npm run bench -- [--json] [--seconds 8] [--clients 1,32,256,1000] [--only trefoil,etcd,postgres]
npm run bench -- --large        the ledger alone: 10,000 licenses, 100,000 seats held, 10,000 waiting, beside a small one

Closed-loop clients on this machine: five Trefoil processes through the SDK with full verification, TLS and fsync; beside
them, in the same run, a 3-member etcd and one PostgreSQL (both from Debian, installed on demand as root).`;

/** Aim, at 256 clients: certified operations a second, and their p99. */
const AIM = { perSecond: 9_000, p99Ms: 40 };

async function main(): Promise<void> {
  const clients = values.clients.split(',').map(Number);
  const timing = { warmUpMs: 2_000, measureMs: 1_000 * Number(values.seconds) };
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const chosen = new Set(values.only.split(','));
  const trefoil: TrefoilRow[] = [];
  const peers: PeerRow[] = [];
  const peer = (row: PeerRow): void => {
    peers.push(row);
    say(line(row.peer, row));
  };
  const memory = Math.round(totalmem() / 2 ** 30);
  say(
    `${cpus().length} cores (${cpus()[0]?.model ?? '?'}), ${memory} GiB; one load process, a connection for each client`,
  );
  say(`${'what'.padEnd(42)} clients  operations/s   p50 ms   p99 ms  p99.9 ms  failed`);
  if (chosen.has('trefoil'))
    await measureTrefoil({ clients, ...timing }, (row) => {
      trefoil.push(row);
      say(line(row.licenses === 1 ? 'trefoil: one hot license' : `trefoil: ${row.licenses} licenses`, row));
    });
  if (chosen.has('etcd')) await measureEtcd({ clients: clients.filter((n) => n <= 256), ...timing }, peer);
  if (chosen.has('postgres')) await measurePostgres({ clients: clients.filter((n) => n <= 256), ...timing }, peer);
  const ratios = ratiosOf(trefoil, peers);
  for (const [name, ratio] of Object.entries(ratios)) say(`${name}: ${ratio}`);
  const aimed = trefoil.find((row) => row.clients === 256 && row.licenses === 1);
  if (aimed !== undefined)
    say(
      `aim at 256 clients: ≥ ${AIM.perSecond}/s, p99 ≤ ${AIM.p99Ms} ms; measured ${aimed.perSecond}/s, ${aimed.p99Ms} ms`,
    );
  for (const row of trefoil.filter((one) => one.clients === 256 && one.licenses === 1))
    for (const [name, { cpuSeconds, peakMb }] of Object.entries(row.processes))
      say(`  ${name.padEnd(20)} ${String(cpuSeconds).padStart(6)} CPU s  ${String(peakMb).padStart(6)} MB peak`);
  if (values.json) process.stdout.write(`${JSON.stringify({ trefoil, peers, ratios, aim: AIM }, undefined, 2)}\n`);
}

function line(name: string, row: LoadResult & { clients: number }): string {
  const cell = (value: number, width: number): string => String(value).padStart(width);
  const latencies = `${cell(row.p50Ms, 8)} ${cell(row.p99Ms, 8)} ${cell(row.p999Ms, 9)}`;
  return `${name.padEnd(42)} ${cell(row.clients, 7)} ${cell(row.perSecond, 13)} ${latencies} ${cell(row.failed, 7)}`;
}

/** Certified grants and releases against what each peer does with as many clients. */
function ratiosOf(trefoil: readonly TrefoilRow[], peers: readonly PeerRow[]): Record<string, string> {
  const ratios: Record<string, string> = {};
  for (const row of peers) {
    const own = trefoil.find((one) => one.clients === row.clients && one.licenses === 1);
    if (own !== undefined)
      ratios[`trefoil (hot) / ${row.peer}, ${row.clients} clients`] = `${(own.perSecond / row.perSecond).toFixed(1)} ×`;
  }
  return ratios;
}

if (values.help) process.stdout.write(`${HELP}\n`);
else if (values.large) await measureLarge((text) => void process.stdout.write(`${text}\n`));
else await main();
