import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Client, connect } from '@trefoil/client';
import { decodeReceipt, verifyReceipt } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { issueLicense, makeUpdate } from '@trefoil/vendor';
import { eventually, RunningGroup, trefoil } from './running-group.ts';

describe('the single-server form, and from one server to five', { timeout: 240_000 }, () => {
  let one: RunningGroup;
  let place: string;
  before(async () => {
    one = await RunningGroup.start({ single: true });
    place = await mkdtemp(join(tmpdir(), 'trefoil-move-'));
  });
  after(async () => {
    await one[Symbol.asyncDispose]();
    await rm(place, { recursive: true, force: true });
  });

  test('the same programs, files and commands: seats, waiting, units, a restart of each server', async () => {
    await one.hands.sell({ version: 1, quantity: 1, terms: { sessionTimeoutSeconds: 10 } });
    const metered = { product: 'render', license: 'render-1', terms: { units: 100, queue: false } };
    await one.hands.sell({ version: 1, quantity: 5, ...metered });
    await using ada = await one.client('ada');
    const held = await ada.acquire('cad');
    assert.ok(held.kind === 'granted');
    const file = join(place, 'single.grant');
    await writeFile(file, held.seat.proof());
    assert.equal((await one.trefoil('verify', file, '--vendor-root', one.group.vendorRoot)).code, 0);
    await using ben = await one.client('ben');
    const waiting = ben.acquire('cad', { waitMs: 60_000 });
    for (const name of ['tmr-server-A', 'license-server-1']) {
      await one.hands.server(name).kill();
      await one.hands.server(name).start();
      await one.hands.waitForLeader();
    }
    await held.seat.release();
    assert.equal((await waiting).kind, 'granted');
    const used = await ben.consume('render', 30);
    assert.equal(used.kind === 'consumed' && used.remaining, 70);
    const { stdout } = await one.trefoil('status');
    assert.match(stdout, /working, WITHOUT redundancy/);
  });

  test('a license with a TMR ID is refused, by the tool that issues and by the group', async () => {
    const { issuer, root, configuration } = one.group;
    const order = { license: 'tmr-1', version: 1, product: 'tmr', name: 'tmr', tmrId: 7, terms: { quantity: 1 } };
    assert.throws(() => issueLicense(issuer, configuration, { ...order, issuedAt: Date.now() }), {
      message: 'a license with a TMR ID needs a set of three containers',
    });
    // Issued past the tool's check, as by a vendor with a tool of his own.
    const forged = issueLicense(issuer, { ...configuration, threshold: 2 }, { ...order, issuedAt: Date.now() });
    const update = makeUpdate(issuer, root.publicKey, configuration, {
      licenses: [forged],
      ...{ serial: 1, issuedAt: Date.now() },
    });
    const file = join(place, 'tmr.update');
    await writeFile(file, update);
    const refused = await one.trefoil('update', file);
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /license tmr-1 has a TMR ID: it needs a group of three/);
  });

  test('a customer at work moves to five servers: seats, units and usage period come along, and none is there twice', async () => {
    await using five = await RunningGroup.start({ vendor: one.group });
    const vendor = vendorFolder(one);
    const sold = join(place, 'sold.update');
    const terms = { usagePeriod: 'P30D', units: 100, sessionTimeoutSeconds: 10 };
    const sale = { license: 'mill-1', product: 'mill', version: 1, quantity: 2, terms };
    await writeFile(sold, one.hands.updateFor(sale));
    assert.equal((await one.trefoil('update', sold)).code, 0);
    const people = [await one.client('ada'), await one.client('ben')];
    for (const person of people) assert.equal((await person.acquire('mill')).kind, 'granted');
    assert.equal((await people[0]?.consume('mill', 40))?.kind, 'consumed');

    const [back, receipt, anew] = [join(place, 'back.update'), join(place, 'receipt.json'), join(place, 'anew.update')];
    const configurationOf = async (running: RunningGroup, name: string): Promise<string> => {
      const file = join(place, name);
      await writeFile(file, running.group.configuration.text);
      return file;
    };
    const [from, to] = [await configurationOf(one, 'one.jws'), await configurationOf(five, 'five.jws')];
    const directory = ['--directory', vendor];
    const run = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await trefoil(args);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    await run('vendor', 'return', sold, ...directory, '--configuration', from, '--output', back);
    const applied = await one.trefoil('update', back, '--receipt', receipt);
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(applied.stdout, /^returned: mill-1 version 2 \(2 × mill and 100 units\); nothing is granted/);
    const repeated = await one.trefoil('update', sold);
    assert.match(repeated.stdout, /^mill-1 version 1 was installed before; version 2 is in force, .* was returned/);
    assert.match((await one.trefoil('licenses')).stdout, /mill-1 +2 .* returned/);
    const movedAt = Date.now();
    const proven = verifyReceipt(
      nodeCrypto(),
      one.group.root.publicKey,
      decodeReceipt(await readFile(receipt, 'utf8')),
    );
    const [mill] = proven.licenses;
    assert.deepEqual([mill?.version, mill?.used, mill?.borrowed, mill?.unitsUsed], [2, 2, 0, 40]);

    // Nobody new gets a seat here; who has one keeps it until its last grant has run out.
    await using cid = await one.client('cid');
    const denied = await cid.acquire('mill');
    assert.match(denied.kind === 'denied' ? denied.sentence : '', /was taken back by the vendor/);
    for (const person of people) assert.ok([...person.seats].some((seat) => seat.valid));

    await run('vendor', 'reissue', back, ...directory, '--receipt', receipt, '--configuration', to, '--output', anew);
    assert.equal((await five.trefoil('update', anew)).code, 0);
    const there = await Promise.all(['ada', 'ben', 'cid'].map((user) => at(five, user)));
    const results = await Promise.all(there.map((person) => person.acquire('mill')));
    assert.deepEqual(results.map(({ kind }) => kind).sort(), ['denied', 'granted', 'granted']);
    const used = await there[0]?.consume('mill', 1);
    assert.equal(used?.kind === 'consumed' && used.remaining, 59);
    const granted = results.find(({ kind }) => kind === 'granted');
    const notAfter = granted?.kind === 'granted' ? granted.seat.grants[0]?.notAfter : undefined;
    const month = 30 * 86_400_000;
    assert.ok(notAfter !== undefined && notAfter <= movedAt + month && notAfter > movedAt + month - 120_000);
    await eventually('the old seats have run out', 20_000, async () =>
      people.every((person) => [...person.seats].every((seat) => !seat.valid)),
    );
    const again = await trefoil(['vendor', 'reissue', sold, ...directory, '--receipt', receipt, '--configuration', to]);
    assert.match(again.stderr, /the update file does not take mill-1 back/);
    for (const person of [...people, ...there]) await person.close();
  });
});

function at({ group }: RunningGroup, user: string): Promise<Client> {
  const { clientFile, vendorRoot: vendor } = group;
  return connect({ clientFile, vendor, user, host: `${user}-desk`, program: 'test' });
}

/** As `trefoil vendor init-root` leaves it. */
function vendorFolder({ group }: RunningGroup): string {
  return join(dirname(group.clientFile), 'vendor');
}
