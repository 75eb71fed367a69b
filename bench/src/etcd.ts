import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closedLoop } from './closed-loop.ts';
import { needDebianPackage } from './debian-package.ts';
import { EtcdClient } from './etcd-client.ts';
import type { LoadResult } from './latencies.ts';

export interface PeerRow extends LoadResult {
  readonly peer: string;
  readonly clients: number;
}

const FIRST_PORT = 23_790;
const SEATS = 100_000;

/** Three members on loopback, fsync on as by default, no TLS: as favourable as it can be. One connection for each client. */
export async function measureEtcd(
  options: { clients: readonly number[]; warmUpMs: number; measureMs: number },
  report: (row: PeerRow) => void,
): Promise<void> {
  needDebianPackage('etcd-server', '/usr/bin/etcd');
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-etcd-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const urls = await startMembers(directory, stack);
  for (const clients of options.clients) {
    const connections = Array.from({ length: clients }, (_, i) => new EtcdClient(urls[i % urls.length] as string));
    const at = (client: number): EtcdClient => connections[client] as EtcdClient;
    const row = async (peer: string, operation: (client: number) => Promise<boolean>): Promise<void> =>
      report({ peer, clients, ...(await closedLoop({ ...options, clients }, operation)) });
    await row('etcd: plain puts', async (client) => {
      await at(client).put(`k${client}`, 'v');
      return true;
    });
    const held = new Map<number, string>();
    await row('etcd: compare-and-swap, a key per seat', (client) => seatPerKey(at(client), client, held));
    await row('etcd: compare-and-swap, one hot key', async (client) => {
      for (;;) if (await at(client).swap('hot', await at(client).modRevision('hot'), `${client}`)) return true;
    });
    for (const connection of connections) connection.close();
  }
}

/** Acquire: create a seat's key that is absent; release: delete it. Both are one conditional transaction. */
async function seatPerKey(etcd: EtcdClient, client: number, held: Map<number, string>): Promise<boolean> {
  const mine = held.get(client);
  if (mine !== undefined) {
    held.delete(client);
    return etcd.deleteIfPresent(mine);
  }
  for (;;) {
    const seat = `seat/${Math.floor(Math.random() * SEATS)}`;
    if (!(await etcd.createIfAbsent(seat, `${client}`))) continue;
    held.set(client, seat);
    return true;
  }
}

async function startMembers(directory: string, stack: AsyncDisposableStack): Promise<string[]> {
  const members = [0, 1, 2].map((i) => ({
    name: `m${i}`,
    client: `http://127.0.0.1:${FIRST_PORT + 2 * i}`,
    peer: `http://127.0.0.1:${FIRST_PORT + 2 * i + 1}`,
  }));
  const cluster = members.map((one) => `${one.name}=${one.peer}`).join(',');
  for (const { name, client, peer } of members) {
    const child = spawn(
      '/usr/bin/etcd',
      [
        ...[
          '--name',
          name,
          '--data-dir',
          join(directory, name),
          '--initial-cluster',
          cluster,
          '--logger',
          'zap',
          '--log-level',
          'error',
        ],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ],
      { stdio: 'ignore' },
    );
    stack.defer(() => stop(child));
  }
  await untilReady((members[0] as { client: string }).client);
  return members.map((one) => one.client);
}

async function untilReady(url: string): Promise<void> {
  const until = performance.now() + 20_000;
  for (;;) {
    const probe = new EtcdClient(url);
    try {
      await probe.put('ready', '1');
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    } finally {
      probe.close();
    }
  }
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
