import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { eventually, RunningGroup, trefoil, trefoilMain } from './running-group.ts';

const run = promisify(execFile);

describe('the command line on a running group', { timeout: 180_000 }, () => {
  let running: RunningGroup;
  before(async () => {
    running = await RunningGroup.start();
    await running.hands.sell({ version: 1, quantity: 2, terms: { units: 100, sessionTimeoutSeconds: 10 } });
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
  });

  test('run passes output, exit code and signals through, and gives the seat back', async () => {
    const ended = await running.trefoil('run', '--product', 'cad', '--', 'sh', '-c', 'echo out; exit 7');
    assert.deepEqual([ended.code, ended.stdout], [7, 'out\n']);
    const child = spawn(process.execPath, [trefoilMain, 'run', '--product', 'cad', '--', 'sleep', '60'], {
      env: { ...process.env, TREFOIL_CLIENT: running.group.clientFile },
    });
    await eventually('a seat is taken', 5_000, async () => (await running.hands.used()) === 1);
    child.kill('SIGTERM');
    assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 128 + 15);
    await eventually('the seat is free', 3_000, async () => (await running.hands.used()) === 0);
  });

  test('run passes signals that end nothing, and those that only a program itself gives a meaning', async () => {
    const script =
      'trap "echo one" USR1; trap "echo two" USR2; trap "echo cont" CONT; echo ready; while :; do sleep 0.1; done';
    const child = spawn(process.execPath, [trefoilMain, 'run', '--product', 'cad', '--', 'sh', '-c', script], {
      env: { ...process.env, TREFOIL_CLIENT: running.group.clientFile },
    });
    let said = '';
    child.stdout.on('data', (data: Buffer) => (said += data.toString()));
    child.stderr.on('data', (data: Buffer) => (said += data.toString()));
    await eventually('it runs', 5_000, async () => said.includes('ready'));
    for (const [signal, word] of [
      ['SIGUSR1', 'one'],
      ['SIGUSR2', 'two'],
      ['SIGCONT', 'cont'],
    ] as const) {
      child.kill(signal);
      await eventually(`${signal} arrives`, 3_000, async () => said.includes(word));
    }
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
    assert.equal(said, 'ready\none\ntwo\ncont\n', 'and no debugger is opened');
  });

  test('run: a seat comes back by itself when even kill −9 ends it', async () => {
    const child = spawn(process.execPath, [trefoilMain, 'run', '--product', 'cad', '--', 'sleep', '1'], {
      env: { ...process.env, TREFOIL_CLIENT: running.group.clientFile },
    });
    await eventually('a seat is taken', 5_000, async () => (await running.hands.used()) === 1);
    child.kill('SIGKILL');
    await eventually(
      'the seat is free after its session time-out',
      90_000,
      async () => (await running.hands.used()) === 0,
    );
  });

  test('denied: exit 3 and who has the seats; run: 125', async () => {
    await using client = await running.client('olga');
    await client.acquire('cad', { seats: 2 });
    const denied = await running.trefoil('acquire', 'cad');
    assert.equal(denied.code, 3);
    assert.match(denied.stderr, /All 2 seats of cad are taken: olga on olga-desk since 20/);
    assert.equal((await running.trefoil('run', '--product', 'cad', '--', 'true')).code, 125);
  });

  test('acquire: ends when an admin has ended its session, and says so', async () => {
    const holding = running.trefoil('acquire', 'cad');
    await eventually('a seat is taken', 10_000, async () => (await running.hands.used()) === 1);
    await evictWhoHolds(running);
    const { code, stderr } = await holding;
    assert.equal(code, 1);
    assert.match(stderr, /the seat is lost: [^]*it is not taken again: an admin has ended it\n$/);
    assert.equal(await running.hands.used(), 0);
  });

  test('acquire --save, verify, release', async () => {
    const proof = join(running.group.directory, 'proof.json');
    const saved = join(running.group.directory, 'seat.json');
    const acquired = await running.trefoil('acquire', 'cad', '--save', saved, '--proof', proof);
    assert.equal(acquired.code, 0, acquired.stderr);
    const verified = await trefoil(['verify', proof, '--vendor-root', running.group.vendorRoot]);
    assert.equal(verified.code, 0, verified.stderr);
    const late = await trefoil([
      'verify',
      proof,
      '--vendor-root',
      running.group.vendorRoot,
      '--at',
      '2040-01-01T00:00:00Z',
    ]);
    assert.equal(late.code, 3);
    assert.match(late.stderr, /expired/);
    assert.equal((await running.trefoil('release', saved)).code, 0);
    await eventually('the seat is free', 3_000, async () => (await running.hands.used()) === 0);
  });

  test('release of a session that an admin has ended gives its seat back at once, and says what happened', async () => {
    const saved = join(running.group.directory, 'ended.json');
    assert.equal((await running.trefoil('acquire', 'cad', '--save', saved)).code, 0);
    await evictWhoHolds(running);
    const released = await running.trefoil('release', saved);
    assert.deepEqual(
      [released.code, released.stdout],
      [0, 'an admin has ended the session (lunch); its seats are free now\n'],
    );
    assert.equal(await running.hands.used(), 0, 'long before its grant has run out');
  });

  test('run tells what becomes of its seat', async () => {
    const child = spawn(process.execPath, [trefoilMain, 'run', '--product', 'cad', '--', 'sleep', '60'], {
      env: { ...process.env, TREFOIL_CLIENT: running.group.clientFile },
    });
    let told = '';
    child.stderr.on('data', (text: Buffer) => {
      told += text.toString();
    });
    await eventually('a seat is taken', 5_000, async () => (await running.hands.used()) === 1);
    await evictWhoHolds(running);
    await eventually('it says so', 30_000, async () => told.includes('lost: evicted: lunch'));
    assert.match(told, /the seat will be lost in \d+ s: evicted: lunch/);
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
  });

  test('--json is JSON also when it fails; status tells a script by its exit code', async () => {
    const nobody = join(running.group.directory, 'nobody.json');
    const file = JSON.parse(await readFile(running.group.clientFile, 'utf8')) as Record<string, unknown>;
    await writeFile(nobody, JSON.stringify({ ...file, addresses: ['127.0.0.1:9'] }));
    const { code, stdout } = await running.trefoil('status', '--client', nobody, '--json');
    assert.equal(code, 4);
    const told = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual([told['kind'], told['exitCode']], ['failed', 4]);
    assert.match(String(told['reason']), /^no TMR server answers/);
  });

  test('status tells a standby from a TMR server that is gone', async () => {
    const { stdout } = await running.trefoil('status');
    assert.match(stdout, /active/);
    assert.match(stdout, /standby/);
    const leader = await running.hands.waitForLeader();
    const name = leader.folder.name === 'tmr-server-A' ? 'tmr-server-B' : 'tmr-server-A';
    await running.hands.server(name).kill();
    const without = await running.trefoil('status');
    assert.equal(without.code, 0);
    assert.match(without.stdout, /NOT REACHABLE from here/);
    await running.hands.server(name).start();
  });

  test('a saved seat that was given back already is said to be free', async () => {
    const [file, copy] = ['saved.json', 'copy.json'].map((name) => join(running.group.directory, name)) as [
      string,
      string,
    ];
    await running.trefoil('acquire', 'cad', '--save', file);
    await copyFile(file, copy);
    assert.equal((await running.trefoil('release', file)).code, 0);
    const again = await running.trefoil('release', copy);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /given back|had ended before/);
  });

  test('a root key that is none is a matter of usage', async () => {
    const { code, stderr } = await running.trefoil('status', '--vendor-root', 'abc');
    assert.equal(code, 2);
    assert.match(stderr, /--vendor-root: the vendor's root key is not 32 bytes/);
  });

  test('client add checks what it writes, and overwrites nothing', async () => {
    const { directory, vendorRoot } = running.group;
    const add = ['client', 'add', '--group', 'g', '--address', '127.0.0.1', '--output', join(directory, 'added.json')];
    const authority = join(directory, 'client-authority.pem');
    const wrong = await trefoil([...add, '--authority', running.group.clientFile]);
    assert.match(wrong.stderr, /client\.json: not a certificate in PEM/);
    const key = await trefoil([...add, '--authority', authority, '--vendor-root', 'AAAA']);
    assert.equal(key.code, 1);
    assert.equal((await trefoil([...add, '--authority', authority, '--vendor-root', vendorRoot])).code, 0);
    assert.match((await trefoil([...add, '--authority', authority])).stderr, /already exists/);
  });

  test('consume counts, never below zero', async () => {
    assert.match((await running.trefoil('consume', 'cad', '60')).stdout, /40 are left/);
    assert.equal((await running.trefoil('consume', 'cad', '41')).code, 3);
    assert.match((await running.trefoil('consume', 'cad', '40')).stdout, /0 are left/);
  });

  test('evict: by an admin key only; the seat stays taken until its last grant has run out', async () => {
    await using client = await running.client('pavel');
    assert.equal((await client.acquire('cad')).kind, 'granted');
    const { sessions } = JSON.parse((await running.trefoil('sessions', '--json')).stdout) as {
      sessions: { id: string; user: string }[];
    };
    const id = sessions.find((one) => one.user === 'pavel')?.id ?? '';
    const foreign = join(running.group.directory, 'foreign');
    await trefoil(['vendor', 'init-root', '--vendor', 'evil', '--directory', foreign]);
    const refused = await running.trefoil('evict', id, '--admin-key', join(foreign, 'issuing.key.pem'));
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /unknown-admin/);
    const evicted = await running.trefoil('evict', id, '--admin-key', running.group.adminKeyFile, '--reason', 'test');
    assert.equal(evicted.code, 0, evicted.stderr);
    assert.equal(await running.hands.used(), 1);
    assert.equal(await client.renew(), 'refused');
    await eventually('free when the grant has run out', 20_000, async () => (await running.hands.used()) === 0);
  });

  test('curl: the same service as JSON over HTTP/1.1 and HTTP/2', async () => {
    const port = running.hands.server('tmr-server-A').folder.port;
    const url = `https://127.0.0.1:${port}/trefoil.v1.VirtualContainer/ListLicenses`;
    const authority = join(running.group.directory, 'client-authority.pem');
    for (const version of ['--http1.1', '--http2']) {
      const { stdout } = await run('curl', [
        '-sS',
        version,
        '--cacert',
        authority,
        '-H',
        'content-type: application/json',
        '-d',
        '{}',
        url,
      ]);
      const reply = JSON.parse(stdout) as { licenses: { product: string }[] };
      assert.equal(reply.licenses[0]?.product, 'cad');
    }
  });

  test('health, readiness and metrics on every server', async () => {
    for (const { healthPort } of running.group.servers) {
      assert.equal((await fetch(`http://127.0.0.1:${healthPort}/healthz`)).status, 200);
      assert.equal((await fetch(`http://127.0.0.1:${healthPort}/readyz`)).status, 200);
      assert.match(await (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text(), /trefoil_certified_index/);
    }
  });
});

/** The only one who holds a seat. */
async function evictWhoHolds(running: RunningGroup): Promise<void> {
  const { sessions } = JSON.parse((await running.trefoil('sessions', '--json')).stdout) as {
    sessions: { id: string; holdings: unknown[] }[];
  };
  const [id = '', ...others] = sessions.filter(({ holdings }) => holdings.length > 0).map((one) => one.id);
  assert.equal(others.length, 0);
  const evicted = await running.trefoil(
    ...['evict', id, '--admin-key', running.group.adminKeyFile, '--reason', 'lunch'],
  );
  assert.equal(evicted.code, 0, evicted.stderr);
}

test('from keys to an update file by the command line alone', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-vendor-'));
  t.after(() => rm(directory, { recursive: true }));
  const at = (name: string): string => join(directory, name);
  const ok = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await trefoil(args);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  await writeFile(at('passphrase'), 'correct horse battery staple\n', { mode: 0o600 });
  const keys = ['--directory', at('vendor'), '--passphrase-file', at('passphrase')];
  await ok('vendor', 'init-root', '--vendor', 'acme', ...keys);
  for (const n of [1, 2, 3])
    await ok('request', '--container', at(`c${n}`), '--name', `host ${n}`, '--output', at(`r${n}`));
  await ok(
    'vendor',
    'configure',
    at('r1'),
    at('r2'),
    at('r3'),
    '--name',
    'Plant 7',
    '--output',
    at('configuration'),
    ...keys,
  );
  const issue = [
    'vendor',
    'issue',
    '--configuration',
    at('configuration'),
    '--license',
    'cad-1',
    '--product',
    'cad',
    ...keys,
  ];
  await ok(...issue, '--quantity', '5', '--output', at('update'));
  const twice = await trefoil(['vendor', 'configure', at('r1'), at('r1'), at('r3'), '--name', 'x', ...keys]);
  assert.equal(twice.code, 1);
  assert.match(twice.stderr, /two of the requests are of the same container/);
  await writeFile(at('terms'), '{"quantity": 5, "features": [{"name": "a", "quantity": 9}]}');
  const bad = await trefoil([...issue, '--terms', at('terms')]);
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /terms\.features\[0\]\.quantity is above the license's quantity/);
});

test('rebind opens a container by its recovery code, once', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-rebind-'));
  t.after(() => rm(directory, { recursive: true }));
  const [container, codeFile] = [join(directory, 'container.tfc'), join(directory, 'code.txt')];
  const made = await trefoil(['request', '--container', container]);
  const recoveryCode = /shown only now: (\S+)/.exec(made.stderr)?.[1] ?? '';
  await writeFile(codeFile, `${recoveryCode}\n`, { mode: 0o600 });
  const rebind = ['rebind', '--container', container, '--recovery-code-file', codeFile];
  const bound = await trefoil(rebind);
  assert.equal(bound.code, 0, bound.stderr);
  assert.match(bound.stderr, /The new one, shown only now: (?!.*undefined)\S+/);
  const again = await trefoil(rebind);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /The recovery code does not open .*container\.tfc/);
  assert.equal((await trefoil(['request', '--container', container])).stdout, made.stdout, 'it is the same container');
});
