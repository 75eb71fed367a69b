import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, RunningGroup, trefoilMain } from './running-group.ts';

/** A command that goes on, and what it says. */
interface Told {
  readonly child: ChildProcess;
  readonly said: () => string;
}

describe('waiting, and the rules of the customer, on a running group', { timeout: 180_000 }, () => {
  let running: RunningGroup;
  before(async () => {
    running = await RunningGroup.start();
    await running.hands.sell({ version: 1, quantity: 1, terms: { sessionTimeoutSeconds: 10 } });
  });
  after(() => running[Symbol.asyncDispose]());

  function tell(...args: string[]): Told {
    const child = spawn(process.execPath, [trefoilMain, ...args], {
      env: { ...process.env, TREFOIL_CLIENT: running.group.clientFile },
    });
    let said = '';
    child.stdout.on('data', (data: Buffer) => (said += data.toString()));
    child.stderr.on('data', (data: Buffer) => (said += data.toString()));
    return { child, said: () => said };
  }

  test('who waits at the command line gets the seat, through a takeover, and the next one moves up', async () => {
    await using ada = await running.client('ada');
    const held = await ada.acquire('cad');
    assert.ok(held.kind === 'granted');
    const first = tell('acquire', 'cad', '--wait', '2m');
    await eventually('it waits', 10_000, async () => first.said().includes('the next seat is yours'));
    const second = tell('run', '--product', 'cad', '--wait', '2m', '--', 'echo', 'it runs');
    await eventually('it waits behind', 10_000, async () => second.said().includes('waiting: place 2'));
    const sessions = await running.trefoil('sessions');
    assert.match(sessions.stdout, /1 × cad \(place 2\)/);
    assert.match((await running.trefoil('licenses')).stdout, /1 +1 +2 /);
    const active = await running.hands.waitForLeader();
    await active.kill();
    await held.seat.release();
    await eventually('it has the seat', 15_000, async () => first.said().includes('granted: 1 of cad'));
    assert.match(first.said(), /after a wait/);
    first.child.kill('SIGINT');
    await eventually('the command runs', 15_000, async () => second.said().includes('it runs'));
    await active.start();
  });

  test('a wait that is over, and one that is given up', async () => {
    await using ada = await running.client('ada');
    await ada.acquire('cad');
    const denied = await running.trefoil('acquire', 'cad', '--wait', '1s');
    assert.equal(denied.code, 3);
    assert.match(denied.stderr, /taken: ada on ada-desk/);
    const patient = tell('acquire', 'cad', '--wait', '2m');
    await eventually('it waits', 10_000, async () => patient.said().includes('the next seat is yours'));
    patient.child.kill('SIGINT');
    assert.equal(await new Promise((resolve) => patient.child.once('exit', resolve)), 3);
    assert.match(patient.said(), /given up/);
    await eventually('nobody waits', 5_000, async () => !(await running.trefoil('sessions')).stdout.includes('(place'));
  });

  test('rules: checked with lines, tried, put into force, obeyed', async () => {
    const { directory } = running.group;
    const file = join(directory, 'plant.rules.yaml');
    const admin = ['--admin-key', running.group.adminKeyFile];
    await writeFile(
      file,
      'rules:\n  - { rule: deny, product: cad, for: { users: [ada] } }\n  - { rule: dney, product: cad }\n',
    );
    const misspelt = await running.trefoil('rules', 'check', file);
    assert.equal(misspelt.code, 1);
    assert.match(misspelt.stderr, /plant\.rules\.yaml:3: "rules\[1\]\.rule" has to be .*did you mean "deny"\?/);
    await writeFile(file, 'rules:\n  - rule: deny\n    product: cad\n    for:\n      subnets: [10.0.0.0/40]\n');
    assert.match(
      (await running.trefoil('rules', 'check', file)).stderr,
      /plant\.rules\.yaml:5: rules\[0\]\.for\.subnets\[0\] is not/,
    );
    await writeFile(file, 'rules:\n  - { rule: deny, product: cad, for: { users: [ada] } }\n');
    await using ada = await running.client('ada');
    const held = await ada.acquire('cad');
    assert.ok(held.kind === 'granted');
    const tried = await running.trefoil('rules', 'try', file);
    assert.match(tried.stdout, /ada +ada-desk +1 × cad +deny cad for user ada/);
    assert.match((await running.trefoil('rules', 'show')).stdout, /There are none/);
    const applied = await running.trefoil('rules', 'apply', file, ...admin);
    assert.deepEqual([applied.code, applied.stdout], [0, 'in force: version 1, 1 rule\n'], applied.stderr);
    assert.equal(await ada.renew(), 'renewed');
    await held.seat.release();
    const denied = await ada.acquire('cad');
    assert.ok(denied.kind === 'denied');
    assert.match(
      denied.sentence,
      /^An administrator's rule does not allow cad here \(deny cad for user ada\): ask the administrator/,
    );
    await using ben = await running.client('ben');
    assert.equal((await ben.acquire('cad')).kind, 'granted');
    assert.match((await running.trefoil('rules', 'show')).stdout, /version 1, by .*\n1\. deny cad for user ada\n/);
    await writeFile(file, (await running.trefoil('rules', 'show', '--yaml')).stdout);
    assert.match((await running.trefoil('rules', 'check', file)).stdout, /^1\. deny cad for user ada\n/);
    await writeFile(file, '');
    assert.match((await running.trefoil('rules', 'apply', file, ...admin)).stderr, /"rules" is missing/);
    await writeFile(file, 'rules: []\n');
    assert.equal((await running.trefoil('rules', 'check', file)).stdout, '0 rules: takes all rules away\n');
    assert.equal((await running.trefoil('rules', 'apply', file, ...admin)).stdout, 'in force: version 2, 0 rules\n');
  });
});
