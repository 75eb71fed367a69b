import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { join } from 'node:path';
import { eventually, RunningGroup } from './running-group.ts';

describe('a planned switch', () => {
  let running: RunningGroup;
  before(async () => {
    running = await RunningGroup.start();
  });
  after(() => running[Symbol.asyncDispose]());

  interface Status {
    readonly epoch: number;
    readonly alarms: readonly string[];
    readonly tmrServers: readonly { readonly server: 'A' | 'B'; readonly active: boolean; readonly heard: boolean }[];
  }
  const status = async (): Promise<Status> => JSON.parse((await running.trefoil('status', '--json')).stdout) as Status;
  const active = async (): Promise<'A' | 'B' | undefined> =>
    (await status()).tmrServers.find((one) => one.active)?.server;
  const standbyIsHeard = (): Promise<void> =>
    eventually('both are heard', 10_000, async () => (await status()).tmrServers.every(({ heard }) => heard));
  const switchBy = (key: string, ...more: string[]) => running.trefoil('switch', '--admin-key', key, ...more);

  test('by an admin, there and back: whoever asks meanwhile is answered', async () => {
    await running.hands.sell({ version: 1, quantity: 5 });
    await standbyIsHeard();
    await using client = await running.client('anna');
    let asked = 0;
    const over = new AbortController();
    const asks = (async () => {
      for (; !over.signal.aborted; asked++) {
        const result = await client.acquire('cad');
        assert.equal(result.kind, 'granted');
        if (result.kind === 'granted') assert.equal((await result.seat.release()).kind, 'released');
      }
    })();
    for (let i = 0; i < 2; i++) {
      const from = await active();
      const { code, stdout, stderr } = await switchBy(running.group.adminKeyFile, '--json');
      assert.equal(code, 0, stderr);
      const to = from === 'A' ? 'B' : 'A';
      const said = JSON.parse(stdout) as { from: string; to: string; epoch: number };
      assert.deepEqual([said.from, said.to], [from, to]);
      assert.equal(await active(), to);
      await standbyIsHeard();
    }
    over.abort();
    await asks;
    assert.ok(asked > 10, `${asked}`);
  });

  test('by nobody else, and by an order for this epoch only', async () => {
    const before = await active();
    const { code, stderr } = await switchBy(join(running.group.directory, 'vendor/root.key.pem'));
    assert.equal(code, 3);
    assert.match(stderr, /^trefoil: refused: no order of an admin: not signed by an admin of this group\n$/);
    assert.equal(await active(), before);
  });

  test('a stop is one, too: the other one leads before the doors are closed', async () => {
    const from = await active();
    await running.hands.server(`tmr-server-${from}`).stop();
    const roles = (await running.log(`tmr-server-${from}`)).filter(({ msg }) => msg === 'role changed');
    assert.equal(roles.at(-1)?.['why'], 'a planned switch');
    await eventually('the other one leads', 2_000, async () => (await active()) !== from);
    assert.ok(
      (await status()).alarms.some((alarm) => alarm.includes(`TMR server ${from} is not heard`)),
      JSON.stringify((await status()).alarms),
    );
  });

  test('not where nobody would take over', async () => {
    const { code, stderr } = await switchBy(running.group.adminKeyFile);
    assert.equal(code, 3);
    assert.match(
      stderr,
      /^trefoil: refused: TMR server [AB] is not heard by enough license servers: nobody would take over\n$/,
    );
  });
});
