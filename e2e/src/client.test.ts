import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { GroupHands } from '@trefoil/cli';
import { create, fromBinary, ListSessionsReplySchema, ListSessionsRequestSchema, toBinary } from '@trefoil/api';
import { connect, systemMachine } from '@trefoil/client';
import { decodeGrantBundle, encodeCommand, fromBase64url, verifyGrant } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { eventually, RunningGroup } from './running-group.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');

describe('the SDK on a group with two virtual containers', { timeout: 180_000 }, () => {
  let running: RunningGroup;
  let second: GroupHands;
  before(async () => {
    running = await RunningGroup.start({ virtualContainers: 2 });
    second = new GroupHands(running.group, 2);
    await running.hands.sell({ version: 1, quantity: 3 });
    await second.sell({ version: 1, quantity: 1, license: 'sim-1', product: 'sim' });
  });
  after(async () => {
    await second[Symbol.asyncDispose]();
    await running[Symbol.asyncDispose]();
  });

  test('each virtual container has its own log, licenses and seats', async () => {
    const clientFile = running.group.virtualContainers[1]?.clientFile ?? '';
    await using other = await connect({
      clientFile,
      vendor: running.group.vendorRoot,
      user: 'zoe',
      host: 'z',
      program: 'test',
    });
    assert.equal((await other.acquire('sim')).kind, 'granted');
    const wrong = await other.acquire('cad');
    assert.ok(wrong.kind === 'denied' && wrong.code === 'unknown-product');
    assert.equal(await second.used(), 1);
    assert.equal(await running.hands.used(), 0);
  });

  test('several licenses in one command: all or none', async () => {
    await using client = await running.client('yuri');
    const none = await client.acquireAll([
      { product: 'cad', feature: '', seats: 1 },
      { product: 'cad', feature: '', seats: 3 },
    ]);
    assert.ok(none.kind === 'denied' && none.code === 'seats');
    assert.equal(await running.hands.used(), 0);
    const all = await client.acquireAll([
      { product: 'cad', feature: '', seats: 1 },
      { product: 'cad', feature: '', seats: 2 },
    ]);
    assert.equal(all.kind, 'granted');
    assert.equal(await running.hands.used(), 3);
  });

  test('the proof of a renewed seat verifies, though the session holds a seat of another license, too', async () => {
    await running.hands.sell({ version: 1, quantity: 1, license: 'viewer-1', product: 'viewer' });
    await using client = await running.client('yves');
    const seats = await Promise.all([client.acquire('cad'), client.acquire('viewer')]);
    assert.equal(await client.renew(), 'renewed');
    const root = { alg: 'ed25519', bytes: fromBase64url(running.group.vendorRoot) } as const;
    for (const result of seats) {
      assert.ok(result.kind === 'granted');
      const { grants } = verifyGrant(nodeCrypto(), root, decodeGrantBundle(result.seat.proof()));
      assert.equal(grants.length, 2, 'a renewal is proved as a whole');
    }
  });

  test('events: a seat is lost when nobody renews it, and restored when the group is back', async () => {
    let asleepMs = 0;
    const clientFile = running.group.clientFile;
    const now = () => ({ wallMs: Date.now() + asleepMs, monotonicMs: performance.now() });
    await using client = await connect({
      clientFile,
      vendor: running.group.vendorRoot,
      user: 'xena',
      host: 'x',
      program: 'test',
      machine: { ...systemMachine, now },
    });
    const result = await client.acquire('cad');
    assert.equal(result.kind, 'granted');
    const heard: string[] = [];
    client.on('lost', () => heard.push('lost'));
    client.on('restored', () => heard.push('restored'));
    asleepMs = 3_600_000; // the laptop slept for an hour; its monotonic clock did not run
    assert.ok(result.kind === 'granted' && !result.seat.valid, 'not usable from the first look on');
    await eventually('lost, then restored', 10_000, async () => heard.join() === 'lost,restored');
    assert.ok(result.seat.valid);
  });

  test('forged releases and foreign secrets are refused; the seat stays', async () => {
    await using client = await running.client('wanda');
    const result = await client.acquire('cad');
    assert.equal(result.kind, 'granted');
    const session = await client.session();
    const forged = await session.request(
      { kind: 'release', hold: result.kind === 'granted' ? result.seat.hold : 0, secret: new Uint8Array(32) },
      5_000,
    );
    assert.ok(forged.kind === 'outcome' && forged.outcome.kind === 'refused' && forged.outcome.code === 'wrong-secret');
    assert.equal(await client.renew(), 'renewed');
    assert.ok(result.kind === 'granted' && result.seat.valid);
  });

  test('watch: certified outcomes as they happen, over HTTP too', async () => {
    const port = running.hands.server('tmr-server-A').folder.port;
    const authority = join(running.group.directory, 'client-authority.pem');
    const set = Buffer.from(running.group.configuration.set).toString('base64');
    const body = Buffer.from(JSON.stringify({ set }));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    const request = join(running.group.directory, 'watch.request');
    await writeFile(request, Buffer.concat([head, body]));
    const url = `https://127.0.0.1:${port}/trefoil.v1.VirtualContainer/Watch`;
    const args = [
      '-sS',
      '--max-time',
      '4',
      '--cacert',
      authority,
      '-H',
      'content-type: application/connect+json',
      '--data-binary',
      `@${request}`,
      url,
    ];
    const streamed = run('curl', args).then(
      ({ stdout }) => stdout,
      (error: unknown) => (error as { stdout: string }).stdout, // curl ends a stream by its time limit
    );
    await new Promise((resolve) => setTimeout(resolve, 500));
    await using client = await running.client('vera');
    await client.acquire('cad');
    assert.match(await streamed, /"outcomes":\["/);
  });

  test('a slip of the calling program is a sentence at once; what is released after close needs no waiting', async () => {
    const client = await running.client('tess');
    const slips: readonly (readonly [() => Promise<unknown>, RegExp])[] = [
      [() => client.acquire(undefined as unknown as string), /^the product is missing$/],
      [() => client.acquire('x'.repeat(65)), /^the product has 65 bytes; at most 64 are allowed$/],
      [() => client.acquire('cad', { seats: 1.5 }), /^seats has to be a whole number from 1 to 1000000000, not 1.5$/],
      [() => client.acquire('cad', { mode: 'pear' as 'user' }), /^the counting mode has to be one of session/],
      [() => client.acquireAll([]), /^acquireAll takes a list of 1 to 16 licenses$/],
      [() => client.consume('cad', -1), /^the number of units has to be a whole number from 1 to/],
    ];
    for (const [slip, sentence] of slips) await assert.rejects(slip, { code: 'bad-request', message: sentence });
    const none = connect({} as unknown as Parameters<typeof connect>[0]);
    await assert.rejects(none, { code: 'bad-vendor-root' });
    const held = await client.acquire('cad');
    await client.close();
    const before = performance.now();
    if (held.kind === 'granted') assert.equal((await held.seat.release()).kind, 'released');
    assert.ok(performance.now() - before < 100);
  });

  test('as a package: its types hold, and Node 20 runs it', async () => {
    const { directory } = running.group;
    const application = join(directory, 'application');
    const installed = join(application, 'node_modules/@trefoil/client');
    await mkdir(installed, { recursive: true });
    const packing = await run(process.execPath, [join(root, 'scripts/pack-sdk.ts'), directory]);
    await run('tar', ['-xzf', packing.stdout.trim(), '--strip-components=1', '-C', installed]);
    const options = { clientFile: running.group.clientFile, vendor: running.group.vendorRoot, user: 'u', host: 'h' };
    await writeFile(join(application, 'package.json'), '{ "type": "module" }');
    await writeFile(
      join(application, 'main.ts'),
      `import { type AcquireResult, connect } from '@trefoil/client';
const client = await connect(${JSON.stringify(options)});
const result: AcquireResult = await client.acquire('cad');
if (result.kind !== 'granted') throw new Error(result.kind);
client.on('lost', ({ seat, reason }) => console.log(seat.hold.toFixed(), reason.length));
console.log(process.version, result.kind, result.seat.proof().length > 1000, result.seat.grants[0]?.seats.toFixed());
await result.seat.release();
await client.close();
`,
    );
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const strictly = ['--ignoreConfig', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
    const typeRoots = ['--typeRoots', join(root, 'node_modules/@types')];
    await run(process.execPath, [compiler, ...strictly, ...typeRoots, join(application, 'main.ts')]).catch(
      (error: unknown) => assert.fail((error as { stdout: string }).stdout),
    );
    const node20 = join(createRequire(import.meta.url).resolve('node-20/package.json'), '..', 'bin', 'node');
    const { stdout } = await run(node20, [join(application, 'main.js')]);
    assert.match(stdout, /^v20\.\S+ granted true 1\n/);
  });
});

test('what a client is shown of the sessions of others lets it ask in none of them', {
  timeout: 120_000,
}, async (t) => {
  const running = await RunningGroup.start();
  t.after(() => running[Symbol.asyncDispose]());
  await running.hands.sell({ version: 1, quantity: 1 });
  await using alice = await running.client('alice');
  await using mallory = await running.client('mallory');
  const held = await alice.acquire('cad');
  assert.equal(held.kind, 'granted');
  const { group } = mallory;
  const request = create(ListSessionsRequestSchema, { set: group.configuration.set });
  const listed = await mallory.read('listSessions', toBinary(ListSessionsRequestSchema, request));
  const shown = fromBinary(ListSessionsReplySchema, listed).sessions.find(({ user }) => user === 'alice');
  const far = { requestId: 2 ** 40, lowestUnanswered: 2 ** 40, nonce: new Uint8Array(16), idleMs: 0 };
  const renewal = encodeCommand({ kind: 'renew', session: shown?.id ?? new Uint8Array(16), ...far });
  const result = await group.submit(renewal, 3_000);
  assert.ok(result.kind === 'certified' && result.outcome.kind === 'refused');
  assert.equal(result.outcome.code, 'unknown-session');
  assert.equal(await alice.renew(), 'renewed');
});
