import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { eventually, RunningGroup, trefoil } from './running-group.ts';

/** What log time may be beside true time, for two seats. */
const CLOCKS_MS = 600;

interface Day {
  readonly license: string;
  readonly peak: number;
  readonly seatMs: number;
  readonly grants: number;
  readonly denials: Readonly<Record<string, number>>;
}

describe('usage and audit, on a running group', { timeout: 180_000 }, () => {
  let running: RunningGroup;
  let vendor: string;
  /** An empty directory elsewhere. */
  let place: string;
  before(async () => {
    running = await RunningGroup.start();
    await running.hands.sell({ version: 1, quantity: 3, terms: { sessionTimeoutSeconds: 20 } });
    place = await mkdtemp(join(tmpdir(), 'trefoil-auditor-'));
    vendor = join(place, 'vendor-root.pub');
    await writeFile(vendor, running.group.vendorRoot);
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
    await rm(place, { recursive: true, force: true });
  });

  async function days(): Promise<Day[]> {
    const { stdout, stderr, code } = await running.trefoil('usage', '--json');
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout) as { days: Day[] }).days;
  }

  const sum = (all: readonly Day[], of: (day: Day) => number): number => all.reduce((total, day) => total + of(day), 0);
  const seatMs = async (): Promise<number> => sum(await days(), (day) => day.seatMs);
  const grants = async (): Promise<number> => sum(await days(), (day) => day.grants);

  function dataOf(member: number): string {
    const folder = running.group.servers.find(({ name }) => name === `license-server-${member}`);
    return join(dirname(folder?.configFile ?? ''), 'data');
  }

  /** As an auditor who has nothing else. */
  const audit = (...args: string[]) => trefoil(['audit', ...args, '--vendor', vendor], { TREFOIL_CLIENT: '/nowhere' });

  test('no gap and no double count over a takeover', async () => {
    await using ada = await running.client('ada-lovelace');
    const [from, held] = [performance.now(), await ada.acquire('cad', { seats: 2 })];
    const least = performance.now();
    assert.ok(held.kind === 'granted');
    assert.equal((await ada.acquire('cad', { seats: 2 })).kind, 'denied');
    const active = await running.hands.waitForLeader();
    await active.kill();
    await eventually('the other one leads', 20_000, async () => (await running.trefoil('status')).code === 0);
    await active.start();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const atLeast = 2 * (performance.now() - least);
    await held.seat.release();
    const atMost = 2 * (performance.now() - from);
    const counted = await seatMs();
    assert.ok(counted > atLeast - CLOCKS_MS && counted < atMost + CLOCKS_MS, `${atLeast} ≤ ${counted} ≤ ${atMost} ms`);
    const all = await days();
    assert.deepEqual([sum(all, (day) => day.grants), sum(all, (day) => day.denials['seats'] ?? 0)], [1, 1]);
    assert.equal(all.at(-1)?.peak, 2);
    const csv = await running.trefoil('usage', '--csv', '--license', 'cad-1');
    assert.equal(csv.stdout.trim().split('\r\n').length, 1 + all.length);
    assert.match((await running.trefoil('usage', '--product', 'other')).stdout, /Nothing was used/);
    assert.equal((await running.trefoil('usage', '--from', 'today')).code, 2);
  });

  test('nor over a restart of one license server after the other', async () => {
    await using ben = await running.client('ben-bitdiddle');
    const before = await seatMs();
    const [from, held] = [performance.now(), await ben.acquire('cad')];
    const least = performance.now();
    assert.ok(held.kind === 'granted');
    for (const member of [1, 2, 3]) {
      const server = running.hands.server(`license-server-${member}`);
      await server.kill();
      await server.start();
      await eventually(`license server ${member} votes`, 20_000, async () => {
        const status = await running.trefoil('status', '--json');
        const { licenseServers } = JSON.parse(status.stdout) as { licenseServers: { voting: boolean }[] };
        return licenseServers.every(({ voting }) => voting);
      });
    }
    const atLeast = performance.now() - least;
    await held.seat.release();
    const atMost = performance.now() - from;
    const counted = (await seatMs()) - before;
    assert.ok(counted > atLeast - CLOCKS_MS && counted < atMost + CLOCKS_MS, `${atLeast} ≤ ${counted} ≤ ${atMost} ms`);
    assert.equal(await grants(), 2);
  });

  test('both TMR servers and all license servers have the same usage, proved offline', async () => {
    const [told, ...others] = await Promise.all(['A', 'B'].map((id) => usageOf(running, id)));
    assert.deepEqual(others, [told]);
    const asked = await days();
    for (const member of [1, 2, 3]) {
      const { code, stdout, stderr } = await audit('verify', dataOf(member), '--json');
      assert.equal(code, 0, stderr);
      const report = JSON.parse(stdout) as {
        kind: string;
        licenses: { grants: number; peak: number; seatHours: number }[];
      };
      const [line] = report.licenses;
      assert.deepEqual([report.kind, line?.grants, line?.peak], ['sound', 2, 2]);
      assert.ok(Math.abs((line?.seatHours ?? 0) - sum(asked, (day) => day.seatMs) / 3_600_000) < 0.001);
    }
    const users = await trefoil(['usage', '--by', 'user', '--audit', dataOf(2), '--vendor', vendor, '--json']);
    const rows = (JSON.parse(users.stdout) as { users: { user: string; grants: number; denials: number }[] }).users;
    const counts = rows.map(({ user, grants: given, denials }) => [user, given, denials]);
    assert.deepEqual(counts, [
      ['ada-lovelace', 1, 1],
      ['ben-bitdiddle', 1, 0],
    ]);
  });

  test('a bundle is checked anywhere; with a flipped byte it is refused; without names there are none', async () => {
    const [file, moved] = [join(place, 'all.audit'), join(place, 'elsewhere')];
    const made = await audit('bundle', '--data', dataOf(1), '--out', file);
    assert.equal(made.code, 0, made.stderr);
    await mkdir(moved);
    await copyFile(file, join(moved, 'all.audit'));
    const sound = await audit('verify', join(moved, 'all.audit'));
    assert.equal(sound.code, 0, sound.stderr);
    assert.match(sound.stdout, /^SOUND: .*\nfrom .* entry 1: where the log begins\n/);
    const bytes = await readFile(file);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(join(moved, 'bent.audit'), bytes);
    const bent = await audit('verify', join(moved, 'bent.audit'));
    assert.equal(bent.code, 1);
    assert.match(bent.stderr, /^trefoil: \S+bent\.audit: the block at byte \d+ is not what was written[^\n]*\n$/);
    const nameless = join(place, 'nameless.audit');
    assert.equal((await audit('bundle', '--data', dataOf(1), '--out', nameless, '--without-names')).code, 0);
    assert.match((await audit('verify', nameless)).stdout, /^SOUND, as far as it can be checked without names/);
    const [whole, hidden] = [unpacked(await readFile(file)), unpacked(await readFile(nameless))];
    for (const name of ['lovelace', 'bitdiddle', '127.0.0.1']) {
      assert.ok(whole.includes(name), name);
      assert.ok(!hidden.includes(name), name);
    }
  });
});

/** All that stands in a bundle (FORMATS §9.2), and in the documents in it. */
function unpacked(bundle: Buffer): string {
  let text = '';
  for (let at = 16; at < bundle.length; ) {
    const packed = bundle.readUInt32BE(at + 5);
    text += zstdDecompressSync(bundle.subarray(at + 9, at + 9 + packed)).toString('latin1');
    at += 9 + packed + 32;
  }
  const documents = [...text.matchAll(/[A-Za-z0-9_-]{40,}/g)].map(([part]) => Buffer.from(part, 'base64url'));
  return text + Buffer.concat(documents).toString('latin1');
}

/** What this TMR server says itself, over HTTP and without the SDK. */
async function usageOf(running: RunningGroup, id: string): Promise<unknown> {
  const { port } = running.group.servers.find(({ name }) => name === `tmr-server-${id}`) ?? { port: 0 };
  const { authority, certificate, key } = JSON.parse(await readFile(running.group.clientFile, 'utf8')) as Record<
    string,
    string
  >;
  const body = await new Promise<string>((resolve, reject) => {
    const options = {
      ...{ host: '127.0.0.1', port, path: '/trefoil.v1.VirtualContainer/GetUsage', method: 'POST' },
      ...{ ca: authority, cert: certificate, key, headers: { 'content-type': 'application/json' } },
    };
    const asking = request(options, (answer) => {
      let text = '';
      answer.on('data', (data: Buffer) => (text += data.toString()));
      answer.on('end', () => resolve(text));
    });
    asking.on('error', reject);
    asking.end('{}');
  });
  const { days } = JSON.parse(body) as { days: unknown[] };
  assert.ok(days.length > 0, body);
  return days;
}
