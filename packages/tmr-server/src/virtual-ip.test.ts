import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type Log, silentLog, systemClock } from '@trefoil/host';
import type { ProposerRuntime } from './proposer-runtime.ts';
import { VirtualIp } from './virtual-ip.ts';

/** Every machine has this one; nobody has the other: it is for documentation (RFC 5737). */
const OWN = '127.0.0.1';
const NOBODYS = '192.0.2.1';

describe('the virtual IP', () => {
  let folder: string;
  let weightFile: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trefoil-virtual-ip-'));
    weightFile = join(folder, 'weight');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const weight = async (): Promise<string> => (await readFile(weightFile, 'utf8')).trim();
  function start(address: string, log: Log = silentLog) {
    const told: boolean[] = [];
    const runtime = {
      handle: (event: { kind: string; held?: boolean }) => event.kind === 'virtualIp' && told.push(event.held === true),
    };
    const runtimes = [runtime as unknown as ProposerRuntime];
    return { told, started: VirtualIp.start({ address, weightFile, runtimes, clock: systemClock, log }) };
  }

  test('is not wanted before this server serves, and not after', async () => {
    const { told, started } = start(NOBODYS);
    const virtualIp = await started;
    assert.equal(await weight(), '-254');
    await virtualIp.want();
    assert.equal(await weight(), '0');
    await virtualIp.giveAway();
    assert.equal(await weight(), '0', 'there is nothing to give away');
    await virtualIp[Symbol.asyncDispose]();
    assert.equal(await weight(), '-254');
    assert.deepEqual(told, []);
  });

  test('is held where the system says so; given away for a while, for nobody else may want it', async () => {
    const { told, started } = start(OWN);
    const virtualIp = await started;
    assert.deepEqual(told, [true]);
    await virtualIp.want();
    const given = virtualIp.giveAway();
    const during: string[] = [];
    const looking = setInterval(() => void weight().then((one) => during.push(one)), 50);
    await given;
    clearInterval(looking);
    assert.ok(during.includes('-254'));
    assert.equal(await weight(), '0');
    await virtualIp[Symbol.asyncDispose]();
  });

  test('can not be told to keepalived: said once, and the server goes on', async () => {
    weightFile = join(folder, 'missing', 'weight');
    const said: string[] = [];
    const log: Log = { ...silentLog, error: (fields, message) => said.push(`${message}: ${String(fields['reason'])}`) };
    const { started } = start(NOBODYS, log);
    const virtualIp = await started;
    await virtualIp.want();
    await virtualIp[Symbol.asyncDispose]();
    assert.deepEqual(said, ['keepalived can not be told who wants the virtual IP: there is no such file or folder']);
  });
});
