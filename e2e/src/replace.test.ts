import assert from 'node:assert/strict';
import { cp, mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, RunningGroup, trefoil } from './running-group.ts';

/** What admins do with reconfigurations, right and wrong; the laboratory shows that nobody notices (e2e/src/operations). */
describe('the configuration of a running group', () => {
  let running: RunningGroup;
  let at: (name: string) => string;
  before(async () => {
    running = await RunningGroup.start({
      // While its container is nobody's yet.
      prepare: async ({ directory }) => {
        const container = join(directory, 'license-server-3', 'container.tfc');
        const asked = ['request', '--container', container, '--output', join(directory, 'own.request')];
        assert.equal((await trefoil(asked)).code, 0);
      },
    });
    at = (name) => join(running.group.directory, name);
    await writeFile(at('cad.update'), running.hands.updateFor({ version: 1, quantity: 5 }));
    assert.equal((await running.trefoil('update', at('cad.update'))).code, 0);
    await writeFile(at('v1.jws'), running.group.configuration.text);
  });
  after(() => running[Symbol.asyncDispose]());

  const reconfigure = async (to: string, from: string, ...more: string[]): Promise<void> => {
    const vendor = [
      'vendor',
      'reconfigure',
      '--directory',
      at('vendor'),
      '--configuration',
      at(from),
      '--output',
      at(to),
    ];
    const { code, stderr } = await running.trefoil(...vendor, ...more);
    assert.equal(code, 0, stderr);
  };
  const server = (n: 2 | 3) => {
    const found = running.hands.servers.get(`license-server-${n}`);
    assert.ok(found !== undefined);
    return found;
  };

  test('is good for longer after an update, and that is done once', async () => {
    await reconfigure('v2', 'v1.jws', '--days', '700');
    const wrong = await running.trefoil('replace', at('v2.reconfiguration'));
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /nobody is replaced by it: run "trefoil update/);
    for (const _ of ['once', 'twice']) {
      const { code, stdout, stderr } = await running.trefoil('update', at('v2.reconfiguration'));
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^version 2 of the configuration is in force, until 20\d\d-/);
    }
    const { stdout } = await running.trefoil('status');
    assert.match(stdout, /configuration version 2, expires/);
    const seat = await running.trefoil('acquire', 'cad', '--save', at('seat.json'));
    assert.equal(seat.code, 0, seat.stderr);
  });

  test('a vendor says what does not fit', async () => {
    const asked = ['vendor', 'reconfigure', '--directory', at('vendor'), '--configuration', at('v2.configuration.jws')];
    const alone = await running.trefoil(...asked, '--output', at('x'), '--member', '3');
    assert.equal(alone.code, 2);
    assert.match(alone.stderr, /--member and --request belong together/);
    const own = await running.trefoil(...asked, '--output', at('x'), '--member', '3', '--request', at('own.request'));
    assert.equal(own.code, 1);
    assert.match(own.stderr, /is, or was, one of the set/);
    const update = await running.trefoil('replace', at('cad.update'));
    assert.equal(update.code, 1);
    assert.match(update.stderr, /no reconfiguration.*trefoil update/);
  });

  test('one license server is replaced by another; not while one of those that stay is down', async () => {
    const folder = dirname(server(3).folder.configFile);
    await mkdir(at('next'));
    const made = await running.trefoil(
      'request',
      '--container',
      at('next/container.tfc'),
      '--output',
      at('next.request'),
    );
    assert.equal(made.code, 0, made.stderr);
    await reconfigure('v3', 'v2.configuration.jws', '--member', '3', '--request', at('next.request'), at('cad.update'));
    await server(2).kill();
    const early = await running.trefoil('replace', at('v3.reconfiguration'));
    assert.equal(early.code, 1);
    assert.match(early.stderr, /license server 2 does not vote now, and is one of the two that stay/);
    await server(3).kill();
    const alone = await running.trefoil('replace', at('v3.reconfiguration'));
    assert.notEqual(alone.code, 0);
    assert.match(alone.stderr, /too few license servers vote/);
    await server(2).start();
    await eventually('two vote', 20_000, async () => (await running.trefoil('status')).code === 0);
    const waiting = await running.trefoil('replace', at('v3.reconfiguration'), '--wait', '1');
    assert.equal(waiting.code, 1);
    assert.match(waiting.stderr, /license server 3 is not connected: start the new machine at/);
    // The new machine, at its address.
    await rename(join(folder, 'data'), at('burnt'));
    await cp(at('next/container.tfc'), join(folder, 'container.tfc'));
    await cp(at('v3.configuration.jws'), join(folder, 'configuration.jws'));
    await server(3).start();
    const { code, stdout, stderr } = await running.trefoil('replace', at('v3.reconfiguration'));
    assert.equal(code, 0, stderr);
    assert.match(stderr, /version 3 of the configuration is in force already/);
    assert.match(stdout, /^done: all three license servers vote under version 3/);
  });

  test('an auditor follows it through all versions, and sees who has done what', async () => {
    const data = join(dirname(server(2).folder.configFile), 'data');
    const { code, stdout, stderr } = await running.trefoil('audit', 'verify', data, '--vendor', at('vendor/root.pub'));
    assert.equal(code, 0, stderr);
    assert.match(stdout, /version 3 of the configuration, container 3 is new/);
  });
});
