import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, read, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import koffi from 'koffi';
import { findServiceManager } from './service-manager.ts';

const directory = mkdtempSync(join(tmpdir(), 'trefoil-'));
after(() => rmSync(directory, { recursive: true }));

const library = koffi.load(null);
const socket = library.func('int socket(int, int, int)') as (...numbers: number[]) => number;
const bind = library.func('int bind(int, void *, unsigned int)') as (fd: number, to: Buffer, bytes: number) => number;

/** What systemd is to a service: a datagram socket that somebody reads. */
class StandIn implements Disposable {
  readonly address: string;
  readonly #socket = socket(1, 2, 0);
  static #count = 0;

  constructor(address = join(directory, `notify-${StandIn.#count++}`)) {
    this.address = address;
    const name = Buffer.from(`\x01\0${address.replace(/^@/, '\0')}`);
    assert.equal(bind(this.#socket, name, name.length), 0);
  }

  /** Waits for the next message. */
  async next(): Promise<string> {
    const { bytesRead, buffer } = await promisify(read)(this.#socket, Buffer.alloc(1_000), 0, 1_000, null);
    return buffer.toString('utf8', 0, bytesRead);
  }

  [Symbol.dispose](): void {
    closeSync(this.#socket);
    rmSync(this.address, { force: true });
  }
}

describe('systemd is told how a process is', () => {
  test('nothing without NOTIFY_SOCKET', async () => {
    using manager = await findServiceManager({}, assert.fail);
    manager.ready();
    manager.stopping('SIGTERM');
  });

  test('that it serves, that it lives, that it stops; and no child speaks in its name', async () => {
    using systemd = new StandIn();
    const environment = { NOTIFY_SOCKET: systemd.address, WATCHDOG_USEC: '100000', PATH: '/bin' };
    using manager = await findServiceManager(environment, assert.fail);
    assert.deepEqual(environment, { PATH: '/bin' });
    manager.ready();
    assert.equal(await systemd.next(), 'READY=1\nSTATUS=serving');
    const from = performance.now();
    for (let n = 1; n <= 5; n++) assert.equal(await systemd.next(), 'WATCHDOG=1');
    assert.ok(performance.now() - from > 5 * 33, 'more often than a third of what systemd allows');
    manager.stopping('two\nlines');
    let last = await systemd.next();
    while (last === 'WATCHDOG=1') last = await systemd.next();
    assert.equal(last, 'STOPPING=1\nSTATUS=stopping: two lines');
  });

  test('at a name that is in no file system, as well', async () => {
    using systemd = new StandIn(`@trefoil-${process.pid}`);
    using manager = await findServiceManager({ NOTIFY_SOCKET: systemd.address }, assert.fail);
    manager.ready();
    assert.match(await systemd.next(), /^READY=1/);
  });

  test('the watchdog of another process is not ours', async () => {
    using systemd = new StandIn();
    const environment = { NOTIFY_SOCKET: systemd.address, WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' };
    using manager = await findServiceManager(environment, assert.fail);
    manager.ready();
    await new Promise((resolve) => setTimeout(resolve, 20));
    manager.stopping('enough');
    assert.match(await systemd.next(), /^READY=1/);
    assert.match(await systemd.next(), /^STOPPING=1/);
  });

  test('goes on when systemd has been replaced', async () => {
    const first = new StandIn();
    using manager = await findServiceManager({ NOTIFY_SOCKET: first.address }, assert.fail);
    manager.ready();
    first[Symbol.dispose]();
    using second = new StandIn(first.address);
    manager.stopping('SIGTERM');
    assert.match(await second.next(), /^STOPPING=1/);
  });

  test('complains once when nobody listens, and goes on', async () => {
    const complaints: string[] = [];
    const nowhere = join(directory, 'nobody');
    using manager = await findServiceManager({ NOTIFY_SOCKET: nowhere }, (reason) => complaints.push(reason));
    manager.ready();
    manager.stopping('SIGTERM');
    assert.deepEqual(complaints, [`nobody listens at NOTIFY_SOCKET ${nowhere} (errno 2)`]);
    for (const address of ['relative', '@', '', `/${'x'.repeat(200)}`]) {
      await findServiceManager({ NOTIFY_SOCKET: address }, (reason) => complaints.push(reason));
      assert.equal(complaints.pop(), `NOTIFY_SOCKET ${address} is no address of a Unix socket`);
    }
  });
});

describe('a process that systemd has started', () => {
  const build = `
    import { createLog, runUntilStopped } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))};
    await runUntilStopped(async (running) => {
      running.logTo(createLog({ name: 'x', level: 'info', destination: 'stdout' }));
      running.ready({ port: 1 });
    });`;
  const start = (environment: Record<string, string>) =>
    spawn(process.execPath, ['--input-type=module', '--eval', build], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    });

  test('says when it is ready, and why it stops', async () => {
    using systemd = new StandIn();
    const child = start({ NOTIFY_SOCKET: systemd.address });
    assert.match(await systemd.next(), /^READY=1/);
    child.kill('SIGTERM');
    assert.equal(await systemd.next(), 'STOPPING=1\nSTATUS=stopping: SIGTERM');
    assert.deepEqual(await once(child, 'close'), [0, null]);
  });

  test('is as ready when nobody listens, and has logged it once', async () => {
    const child = start({ NOTIFY_SOCKET: join(directory, 'nobody'), WATCHDOG_USEC: '2000' });
    child.stdout.on('data', (lines: Buffer) => lines.includes('systemd cannot be told') && child.kill('SIGTERM'));
    const said = (await text(child.stdout)).trim().split('\n');
    const messages = said.map((line) => (JSON.parse(line) as { msg: string }).msg);
    assert.deepEqual(messages, ['ready', 'systemd cannot be told how this process is', 'stopping', 'stopped']);
  });

  test('is silent as soon as its event loop hangs', async () => {
    using systemd = new StandIn();
    const hanging = build.replace('running.ready', 'setTimeout(() => { for (;;); }, 100); running.ready');
    const child = spawn(process.execPath, ['--input-type=module', '--eval', hanging], {
      stdio: 'ignore',
      env: { ...process.env, NOTIFY_SOCKET: systemd.address, WATCHDOG_USEC: '50000' },
    });
    const heard: number[] = [];
    const listening = (async () => {
      for (let said = ''; !said.startsWith('STOPPING'); heard.push(performance.now())) said = await systemd.next();
    })();
    const deadline = performance.now() + 20_000;
    while (heard.length < 2 || performance.now() - (heard.at(-1) ?? 0) < 500) {
      assert.ok(performance.now() < deadline, 'it goes on pinging');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(child.exitCode, null);
    child.kill('SIGKILL');
    using end = await findServiceManager({ NOTIFY_SOCKET: systemd.address }, assert.fail);
    end.stopping('no more to be heard');
    await listening;
  });
});
