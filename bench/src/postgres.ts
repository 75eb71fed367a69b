import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { closedLoop } from './closed-loop.ts';
import { needDebianPackage } from './debian-package.ts';
import type { PeerRow } from './etcd.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const PORT = 23_800;

/** One PostgreSQL 15, fsync on, its strict pattern for one license: UPDATE of a hot row. One connection for each client. */
export async function measurePostgres(
  options: { clients: readonly number[]; warmUpMs: number; measureMs: number },
  report: (row: PeerRow) => void,
): Promise<void> {
  needDebianPackage('postgresql-15', join(BIN, 'initdb'));
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-postgres-'));
  const uid = Number(execFileSync('id', ['-u', 'postgres']).toString());
  chownSync(directory, uid, uid);
  chmodSync(directory, 0o700);
  const as = ['-u', 'postgres', '--'];
  execFileSync('runuser', [...as, join(BIN, 'initdb'), '-D', directory, '-A', 'trust', '-U', 'postgres'], {
    stdio: 'ignore',
  });
  const settings = [
    '-c',
    `port=${PORT}`,
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    'max_connections=300',
    '-c',
    `unix_socket_directories=${directory}`,
  ];
  const server = spawn('runuser', [...as, join(BIN, 'postgres'), '-D', directory, ...settings], { stdio: 'ignore' });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  try {
    await prepare();
    for (const clients of options.clients)
      report({ peer: 'PostgreSQL: hot row', clients, ...(await hotRow({ ...options, clients })) });
  } finally {
    execFileSync('runuser', [...as, join(BIN, 'pg_ctl'), '-D', directory, '-m', 'fast', 'stop'], { stdio: 'ignore' });
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

const connection = { host: '127.0.0.1', port: PORT, user: 'postgres', database: 'postgres' };

async function prepare(): Promise<void> {
  const until = performance.now() + 20_000;
  for (;;) {
    const client = new pg.Client(connection);
    try {
      await client.connect();
      await client.query('CREATE TABLE license (id int PRIMARY KEY, used int NOT NULL, quantity int NOT NULL)');
      await client.query('INSERT INTO license VALUES (1, 0, 1000000)');
      await client.end();
      return;
    } catch (error) {
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function hotRow(options: { clients: number; warmUpMs: number; measureMs: number }) {
  const clients = Array.from({ length: options.clients }, () => new pg.Client(connection));
  await Promise.all(clients.map((client) => client.connect()));
  const sign = clients.map(() => 1);
  const result = await closedLoop(options, async (i) => {
    const change = sign[i] as number;
    sign[i] = -change;
    const query = {
      name: 'take',
      text: 'UPDATE license SET used = used + $1 WHERE id = 1 AND used + $1 BETWEEN 0 AND quantity',
      values: [change],
    };
    return (await (clients[i] as pg.Client).query(query)).rowCount === 1;
  });
  await Promise.all(clients.map((client) => client.end()));
  return result;
}
