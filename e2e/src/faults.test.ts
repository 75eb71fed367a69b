import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { createLoopbackGroup, GroupHands, type ServerFolder } from '@trefoil/cli';
import { eventually, RunningGroup } from './running-group.ts';

/** One group, hurt in one way after the other; each test leaves it whole. */
describe('a running group under faults', { timeout: 240_000 }, () => {
  let running: RunningGroup;
  before(async () => {
    running = await RunningGroup.start();
    await running.hands.sell({ version: 1, quantity: 5 });
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
  });

  afterEach(async (context) => {
    if ('passed' in context && !context.passed) console.error(await running.lastWords());
  });

  test('two license servers down: nothing is granted, seats run on, status says so; back up, nobody lost a seat', async () => {
    await using client = await running.client('dana', 1_500);
    const held = await client.acquire('cad');
    assert.equal(held.kind, 'granted');
    await running.hands.server('license-server-1').kill();
    await running.hands.server('license-server-3').kill();
    const asked = await client.acquire('cad');
    assert.ok(asked.kind === 'unknown' && /no-quorum/.test(asked.reason), 'and the client is told why');
    assert.ok(held.kind === 'granted' && held.seat.valid, 'the seat runs to its end');
    const status = await running.trefoil('status');
    assert.match(status.stdout, /NO QUORUM/);
    await running.hands.server('license-server-1').start();
    await running.hands.server('license-server-3').start();
    await running.hands.waitForRedundancy();
    const again = asked.kind === 'unknown' ? await asked.again() : asked;
    assert.equal(again.kind, 'granted', 'the very same request, done once');
    assert.equal(await client.renew(), 'renewed');
    assert.equal(await running.hands.used(), 2);
  });

  test('two license servers down for longer than a seat lives: it runs to its end, and is nobody else’s when they are back', async () => {
    const terms = { sessionTimeoutSeconds: 10 };
    await running.hands.sell({ version: 1, quantity: 2, license: 'short-1', product: 'short', terms });
    await using one = await running.client('ada', 1_000);
    await using two = await running.client('alan', 1_000);
    await using third = await running.client('anna', 1_000);
    const seats = (await Promise.all([one.acquire('short'), two.acquire('short')])).map((result) => {
      assert.ok(result.kind === 'granted');
      return result.seat;
    });
    for (const name of ['license-server-1', 'license-server-3']) await running.hands.server(name).kill();
    await eventually('both have run to their end', 15_000, async () => seats.every((seat) => !seat.valid));
    await new Promise((resolve) => setTimeout(resolve, 5_000)); // and then some
    for (const name of ['license-server-1', 'license-server-3']) await running.hands.server(name).start();
    const asked = new Set<string>();
    await eventually('both are held again', 20_000, async () => {
      const result = await third.acquire('short');
      asked.add(result.kind === 'denied' ? result.code : result.kind);
      return seats.every((seat) => seat.valid);
    });
    assert.equal((await third.acquire('short')).kind, 'denied');
    assert.ok(!asked.has('granted'), 'a seat that was lost by an outage went to somebody else');
    for (const seat of seats) await seat.release();
    await running.hands.waitForRedundancy();
  });

  test('40 requests without an answer: the client goes on, and gives back what nobody asks for', async () => {
    await using client = await running.client('dora', 400);
    const stopped = ['license-server-1', 'license-server-3'].map((name) => running.hands.server(name).pid ?? 0);
    for (const pid of stopped) process.kill(pid, 'SIGSTOP');
    const asked = await Promise.all(Array.from({ length: 40 }, () => client.acquire('cad')));
    for (const pid of stopped) process.kill(pid, 'SIGCONT');
    assert.ok(asked.some((one) => one.kind === 'unknown'));
    for (const one of asked) if (one.kind === 'granted') await one.seat.release();
    await eventually('all seats are free', 20_000, async () => {
      await client.renew();
      return (await running.hands.used()) === 0;
    });
    const [unknown] = asked.filter((one) => one.kind === 'unknown');
    const again = await unknown?.again();
    assert.ok(again?.kind === 'granted' && again.seat.valid, 'asking again is asking for another seat');
    await again.seat.release();
  });

  test('the active TMR server stands still: a call that it has taken is answered by the other one', async () => {
    const active = await running.hands.waitForLeader();
    await using client = await running.client('dick');
    await client.acquire('cad');
    process.kill(active.pid ?? 0, 'SIGSTOP');
    const sentAt = performance.now();
    const several = await Promise.all([client.acquire('cad'), client.acquire('cad'), client.renew()]);
    const tookMs = performance.now() - sentAt;
    process.kill(active.pid ?? 0, 'SIGCONT');
    assert.deepEqual(
      several.map((one) => (typeof one === 'string' ? one : one.kind)),
      ['granted', 'granted', 'renewed'],
    );
    assert.ok(tookMs < 3_000, `${tookMs} ms`);
    await running.hands.waitForRedundancy();
  });

  test('a flipped bit in a log: set aside, re-joined through both peers, nothing cut silently', async () => {
    const server = running.hands.server('license-server-2');
    await server.kill();
    await flipBit(server.folder);
    await server.start();
    await running.hands.waitForRedundancy();
    const lines = await running.log('license-server-2');
    assert.ok(lines.some((line) => String(line['msg']).includes('suspect')));
    const kept = await readdir(join(dirname(server.folder.configFile), 'data'));
    assert.ok(
      kept.some((name) => name.includes('.suspect-')),
      'the damaged log is kept for inspection',
    );
  });

  test('who dies while a damaged log is set aside goes on with the one that was begun in its place', async () => {
    const server = running.hands.server('license-server-2');
    const data = join(dirname(server.folder.configFile), 'data');
    const folders = (await readdir(data, { withFileTypes: true })).filter((one) => one.isDirectory());
    const [name = ''] = folders.map((one) => one.name).filter((one) => !one.includes('.suspect-'));
    await server.kill();
    await rename(join(data, name), join(data, `${name}.new`));
    const before = (await running.log('license-server-2')).length;
    await server.start();
    await running.hands.waitForRedundancy();
    const lines = (await running.log('license-server-2')).slice(before).map((line) => JSON.stringify(line));
    assert.ok(!lines.some((line) => line.includes('empty store')));
    const kept = await readdir(data);
    assert.ok(kept.includes(name) && !kept.includes(`${name}.new`));
  });

  test('a store that is removed under a running server: it stops and says why, and comes back through both peers', async () => {
    const server = running.hands.server('license-server-2');
    await rm(join(dirname(server.folder.configFile), 'data'), { recursive: true });
    await eventually('it stops', 10_000, async () => !server.running);
    const lines = await running.log('license-server-2');
    assert.ok(lines.some((line) => String(line['msg']).includes('was removed while it was in use')));
    await server.start();
    await running.hands.waitForRedundancy();
  });

  test('a client that dials a license server gets no application byte', async () => {
    const { port } = running.hands.server('license-server-1').folder;
    const bytes = await new Promise<number>((resolve) => {
      let read = 0;
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['trefoil/1'] });
      socket.on('data', (data) => {
        read += data.length;
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(read));
      socket.setTimeout(5_000, () => socket.destroy());
    });
    assert.equal(bytes, 0);
    await eventually('it is logged', 3_000, async () =>
      (await running.log('license-server-1')).some((line) => line['msg'] === 'a connection was refused'),
    );
  });

  test('altered, truncated, older, expired and foreign updates are refused with the reason; seats are untouched', async () => {
    await using client = await running.client('erin');
    const held = await client.acquire('cad');
    assert.equal(held.kind, 'granted');
    const { directory } = running.group;
    const good = running.hands.updateFor({ version: 7, quantity: 50 });
    const elsewhere = await createLoopbackGroup(join(directory, 'elsewhere'));
    const ended = { notAfter: '2026-01-01T00:00:00Z' };
    const cases = {
      foreign: new GroupHands(elsewhere).updateFor({ version: 7, quantity: 50 }),
      expired: running.hands.updateFor({ version: 7, quantity: 50, terms: ended }),
      altered: `${good.slice(0, 2_000)}${good[2_000] === 'A' ? 'B' : 'A'}${good.slice(2_001)}`,
      truncated: good.slice(0, -20),
      older: running.hands.updateFor({ version: 1, quantity: 500 }),
    };
    for (const [name, text] of Object.entries(cases)) {
      const file = join(directory, `${name}.update`);
      await writeFile(file, text);
      const { code, stderr } = await running.trefoil('update', file);
      assert.equal(code, 3, `${name}: ${stderr}`);
      assert.match(stderr, /refused \((bad-document|older-license)\): \S+/);
    }
    assert.equal(await running.hands.quantity(), 5);
    assert.equal(await client.renew(), 'renewed');
  });

  test('a port in use, a key that is none: one sentence with the line of the configuration', async () => {
    const { configFile, port } = running.hands.server('license-server-1').folder;
    const folder = dirname(configFile);
    const elsewhere = join(folder, 'elsewhere.yaml');
    const text = (await readFile(configFile, 'utf8'))
      .replace(/dataDirectory: .*/, 'dataDirectory: other-data')
      .replace('container: container.tfc', 'container: other.tfc');
    await copyFile(join(folder, 'container.tfc'), join(folder, 'other.tfc'));
    await writeFile(elsewhere, text);
    const line = text.split('\n').findIndex((one) => one.includes(`:${port}`)) + 1;
    const inUse = await running.trefoil('license-server', elsewhere);
    assert.equal(inUse.code, 1);
    assert.equal(inUse.stderr, `${elsewhere}:${line}: port ${port} on 127.0.0.1 is in use by another process\n`);
    await writeFile(join(folder, 'wrong.pem'), 'no key\n', { mode: 0o600 });
    await writeFile(elsewhere, text.replace(/key: .*/, 'key: wrong.pem'));
    const noKey = await running.trefoil('license-server', elsewhere);
    assert.match(noKey.stderr, /^\S+elsewhere\.yaml:\d+: \S+wrong\.pem: not a private key in PEM\n$/);
  });

  test('a configuration that cannot be meant is one sentence with file and line', async () => {
    const { folder } = running.hands.server('license-server-1');
    const file = join(dirname(folder.configFile), 'wrong.yaml');
    const good = await readFile(folder.configFile, 'utf8');
    await writeFile(file, `prot: 7411\n${good}`);
    const { code, stderr } = await running.trefoil('license-server', file);
    assert.equal(code, 1);
    assert.match(stderr, /wrong\.yaml:1: unknown key "prot"/);
    assert.doesNotMatch(stderr, /\n\s+at /);
  });
});

test('a full disk stops one license server, and the group goes on', { timeout: 120_000 }, async () => {
  assert.equal(process.getuid?.(), 0, 'needs root for a small file system of its own');
  let small = '';
  await using running = await RunningGroup.start({
    prepare: async (group) => {
      const folder = group.servers.find((one) => one.name === 'license-server-3') as ServerFolder;
      small = join(dirname(folder.configFile), 'data');
      await mkdir(small);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1600k', 'tmpfs', small]);
    },
    beforeRemoval: () => void execFileSync('umount', ['--lazy', small]),
  });
  await running.hands.sell({ version: 1, quantity: 5 });
  await using client = await running.client('frank');
  let failed = 0;
  const server = running.hands.server('license-server-3');
  const until = performance.now() + 60_000;
  while (server.running && performance.now() < until) {
    const results = await Promise.all(
      Array.from({ length: 16 }, () => client.consume('cad', 1, { feature: 'x'.repeat(60) })),
    );
    failed += results.filter((one) => one.kind === 'unknown').length;
  }
  assert.equal(server.running, false, 'it stopped');
  assert.equal(failed, 0);
  const lines = await running.log('license-server-3');
  assert.ok(
    lines.some((line) => /disk is full|no space/i.test(JSON.stringify(line))),
    'it says why',
  );
  assert.ok(!lines.some((line) => line['msg'] === 'unexpected error'), 'it is foreseen: one sentence, no stack');
  assert.equal((await client.acquire('cad')).kind, 'granted', 'the other two go on');
});

async function flipBit(folder: ServerFolder): Promise<void> {
  const data = join(dirname(folder.configFile), 'data');
  const [set] = (await readdir(data)).filter((name) => !name.includes('suspect') && name !== 'lock');
  const directory = join(data, set as string);
  const segment = (await readdir(directory))
    .filter((name) => !name.startsWith('snapshot'))
    .sort()
    .at(-1) as string;
  const handle = await open(join(directory, segment), 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, 1_500);
  byte[0] = (byte[0] as number) ^ 0x10;
  await handle.write(byte, 0, 1, 1_500);
  await handle.close();
}
