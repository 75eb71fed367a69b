import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Client, type ClientMachine, openBorrowed, systemMachine } from '@trefoil/client';
import { decodeCommand } from '@trefoil/license';
import { eventually, RunningGroup } from './running-group.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

/** The borrower's machine, so much later by its clock. */
const later = (ms: number): ClientMachine => ({
  ...systemMachine,
  now: () => {
    const { monotonicMs, wallMs } = systemMachine.now();
    return { monotonicMs, wallMs: wallMs + ms };
  },
});

describe('borrowing, on a running group', { timeout: 240_000 }, () => {
  let running: RunningGroup;
  let laptop: string;
  before(async () => {
    running = await RunningGroup.start();
    laptop = await mkdtemp(join(tmpdir(), 'trefoil-laptop-'));
    const borrowing = { seats: 2, longest: 'P14D', extensions: 1, writeOffs: { count: 1, within: 'P365D' } };
    await running.hands.sell({ version: 1, quantity: 3, terms: { borrowing, sessionTimeoutSeconds: 10 } });
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
    await rm(laptop, { recursive: true, force: true });
  });

  const open = (folder: string, afterMs = 0, more: object = {}) =>
    openBorrowed('cad', { folder, vendor: running.group.vendorRoot, machine: later(afterMs), ...more });
  const cli = (...args: string[]) => running.trefoil(...args);
  async function borrowedBy(client: Client, folder: string): Promise<void> {
    assert.equal((await client.borrow('cad', { forMs: 7 * DAY, folder })).kind, 'borrowed');
  }
  const isOver = (folder: string): Promise<void> =>
    eventually('its time is over', 5_000, async () => {
      const still = await open(folder).catch(() => undefined);
      await still?.[Symbol.asyncDispose]();
      return still === undefined;
    });
  async function inUse(): Promise<number> {
    const { stdout } = await cli('licenses', '--json');
    const [license] = (JSON.parse(stdout) as { licenses: { used: number; borrowed: number }[] }).licenses;
    return license?.used ?? -1;
  }

  test('at the command line: borrowed, shown, checked without network, used, extended through a takeover, given back', async () => {
    const folder = join(laptop, 'cli');
    const borrowed = await cli('borrow', 'cad', '--for', '7d', '--folder', folder);
    assert.match(borrowed.stdout, /^borrowed: 1 of cad\nuntil 20/, borrowed.stderr);
    assert.match((await cli('sessions')).stdout, /1 × cad \(borrowed until 20/);
    assert.match((await cli('licenses')).stdout, /1 \(1 borrowed\)/);
    const again = await cli('borrow', 'cad', '--for', '7d', '--folder', folder);
    assert.deepEqual([again.code, again.stdout], [2, '']);
    assert.match(again.stderr, /something is borrowed in .* already: extend it, or give it back first/);
    const proof = join(laptop, 'proof.json');
    const shown = await cli('borrowed', 'cad', '--folder', folder, '--proof', proof);
    assert.match(shown.stdout, /may be used until 20/, shown.stderr);
    const verified = await cli('verify', proof, '--vendor-root', running.group.vendorRoot);
    assert.match(verified.stdout, /cad/, verified.stderr);
    const active = await running.hands.waitForLeader();
    await active.kill();
    const extended = await cli('extend', 'cad', '--for', '14d', '--folder', folder);
    assert.match(extended.stdout, /^borrowed: 1 of cad/, extended.stderr);
    await active.start();
    const more = await cli('extend', 'cad', '--for', '14d', '--folder', folder);
    assert.deepEqual([more.code, more.stderr], [3, 'trefoil: A borrowed seat of cad can be extended once, no more.\n']);
    const back = await cli('give-back', 'cad', '--folder', folder);
    assert.equal(back.stdout, 'given back\n', back.stderr);
    assert.equal(await inUse(), 0);
    const gone = await cli('borrowed', 'cad', '--folder', folder);
    assert.match(gone.stderr, /there is no borrowed seat in/);
  });

  test('"run" uses what the machine has borrowed, though nobody can be reached', async () => {
    const home = { XDG_DATA_HOME: join(laptop, 'home') };
    const borrow = await running.trefoilWith(home, 'borrow', 'cad', '--for', '1h');
    assert.equal(borrow.code, 0, borrow.stderr);
    const text = await readFile(running.group.clientFile, 'utf8');
    const cut = join(laptop, 'cut.json');
    await writeFile(cut, text.replaceAll(/"127\.0\.0\.1:\d+"/g, '"127.0.0.1:9"'));
    const ran = await running.trefoilWith(home, 'run', '--client', cut, '--product', 'cad', '--', 'echo', 'it runs');
    assert.deepEqual([ran.code, ran.stdout, ran.stderr], [0, 'it runs\n', '']);
    assert.equal((await running.trefoilWith(home, 'give-back', 'cad')).code, 0);
  });

  test('others are told who has it and until when; it lives on when its client is gone', async () => {
    const folders = [join(laptop, 'one'), join(laptop, 'two')];
    {
      await using ada = await running.client('ada');
      for (const folder of folders) await borrowedBy(ada, folder);
      const third = await ada.borrow('cad', { forMs: DAY, folder: join(laptop, 'three') });
      assert.equal(third.kind === 'denied' && third.sentence, 'All 2 seats of cad that may be borrowed are away.');
      const long = await ada.borrow('cad', { forMs: 15 * DAY, folder: join(laptop, 'three') });
      assert.equal(long.kind === 'denied' && long.sentence, 'A seat of cad may be borrowed for 14 days at most.');
    }
    await using bob = await running.client('bob');
    assert.equal((await bob.acquire('cad')).kind, 'granted');
    const denied = await bob.acquire('cad');
    assert.match(denied.kind === 'denied' ? denied.sentence : '', /ada on ada-desk since .* \(borrowed until 20/);
    for (const folder of folders) {
      await using borrowed = await open(folder);
      assert.ok(borrowed.remainingMs > 6.9 * DAY && borrowed.remainingMs < 7 * DAY * 0.99);
      await assert.rejects(open(folder), { code: 'in-use', message: /in use by process/ });
    }
    await using ada = await running.client('ada');
    for (const folder of folders) assert.equal((await ada.giveBack(folder)).kind, 'released');
  });

  test('a clock that was set back is noticed, and one that goes on ends it', async () => {
    const folder = join(laptop, 'clock');
    await using ada = await running.client('ada');
    await borrowedBy(ada, folder);
    await (await open(folder, 3 * DAY))[Symbol.asyncDispose]();
    await assert.rejects(open(folder, 0), {
      code: 'clock-set-back',
      message: /clock is 43\d\d minutes behind what it showed/,
    });
    await (await open(folder, 3 * DAY - 4 * MINUTE))[Symbol.asyncDispose]();
    await assert.rejects(open(folder, 7 * DAY), { code: 'not-borrowed', message: /is over$/ });
    assert.equal((await ada.giveBack(folder)).kind, 'released');
  });

  test('neither moved to another machine nor altered, it can be used', async () => {
    const [folder, copy] = [join(laptop, 'mine'), join(laptop, 'copy')];
    await using ada = await running.client('ada');
    await borrowedBy(ada, folder);
    const traits = ['machine-id', 'product-uuid', 'network-address', 'root-filesystem', 'host-name', 'processor'];
    const elsewhere = { traits: traits.map((name) => ({ name, value: 'another' })) };
    await assert.rejects(open(folder, 0, elsewhere), { code: 'other-machine', message: /bound to another machine/ });
    await cp(folder, copy, { recursive: true });
    const state = join(copy, 'seat.json');
    const text = await readFile(state, 'utf8');
    const outcome = /"outcome": "([^"]+)"/.exec(text)?.[1] as string;
    await writeFile(
      state,
      text.replace(outcome, `${outcome.slice(0, 900)}${outcome[900] === 'A' ? 'B' : 'A'}${outcome.slice(901)}`),
    );
    await assert.rejects(open(copy), { code: 'not-borrowed' });
    await writeFile(state, text.slice(0, 500));
    await assert.rejects(open(copy), { code: 'not-borrowed', message: /is damaged/ });
    await writeFile(state, text);
    await rm(join(copy, 'container.mark'));
    await assert.rejects(open(copy), { code: 'clock-set-back', message: /remembers of the time is missing/ });
    assert.equal((await ada.giveBack(folder)).kind, 'released');
  });

  test('an answer that is lost is asked for again: it is borrowed, extended and given back once', async () => {
    const folder = join(laptop, 'lost');
    await using ada = await running.client('ada');
    loseOne(ada, 'borrow');
    const first = await ada.borrow('cad', { forMs: DAY, folder });
    assert.equal(first.kind, 'unknown');
    await assert.rejects(open(folder), { code: 'not-borrowed', message: /nobody has answered yet/ });
    assert.equal(await inUse(), 1);
    assert.equal((await ada.borrow('cad', { forMs: DAY, folder })).kind, 'borrowed');
    assert.equal(await inUse(), 1);
    loseOne(ada, 'extend');
    const unknown = await ada.extend(folder, 2 * DAY);
    const extended = unknown.kind === 'unknown' ? await unknown.again() : unknown;
    assert.ok(extended.kind === 'borrowed' && extended.until.getTime() > Date.now() + 1.9 * DAY);
    loseOne(ada, 'close');
    assert.equal((await ada.giveBack(folder)).kind, 'unknown');
    await assert.rejects(open(folder), { code: 'not-borrowed', message: /is being given back/ });
    assert.equal((await ada.giveBack(folder)).kind, 'released');
    assert.equal(await inUse(), 0);
  });

  test('given back before its answer has come, it is free: borrowed as well as extended', async () => {
    const folder = join(laptop, 'soon');
    await using ada = await running.client('ada');
    loseOne(ada, 'borrow');
    assert.equal((await ada.borrow('cad', { forMs: DAY, folder })).kind, 'unknown');
    assert.equal((await ada.giveBack(folder)).kind, 'released');
    assert.equal(await inUse(), 0);
    await borrowedBy(ada, folder);
    loseOne(ada, 'extend');
    assert.equal((await ada.extend(folder, 8 * DAY)).kind, 'unknown');
    assert.equal((await ada.giveBack(folder)).kind, 'released');
    assert.equal(await inUse(), 0);
  });

  test('a seat of one product is none of another, and of a copy one at a time is used', async () => {
    const [folder, copy] = [join(laptop, 'one'), join(laptop, 'other')];
    await using ada = await running.client('ada');
    await borrowedBy(ada, folder);
    const { vendorRoot: vendor } = running.group;
    await assert.rejects(openBorrowed('cam', { vendor, folder }), {
      code: 'not-borrowed',
      message: /is one of cad, not of cam$/,
    });
    await assert.rejects(openBorrowed('cad', { vendor, folder, feature: 'mill' }), { code: 'not-borrowed' });
    assert.equal((await cli('borrowed', 'cam', '--folder', folder)).code, 1);
    await cp(folder, copy, { recursive: true });
    {
      await using inUse = await open(folder);
      assert.ok(inUse.remainingMs > 0);
      await assert.rejects(open(copy), { code: 'in-use', message: /in use on this machine, by way of a copy/ });
      const shown = await cli('borrowed', 'cad', '--folder', copy);
      assert.match(shown.stderr, /in use on this machine, by way of a copy/);
    }
    await (await open(copy))[Symbol.asyncDispose]();
    assert.equal((await ada.giveBack(folder)).kind, 'released');
  });

  test('asked for something else before there is an answer, extended for less, or over: it is said, or made anew', async () => {
    const folder = join(laptop, 'wishes');
    await using ada = await running.client('ada');
    loseOne(ada, 'borrow');
    assert.equal((await ada.borrow('cad', { forMs: DAY, folder })).kind, 'unknown');
    await assert.rejects(ada.borrow('cad', { forMs: 2 * DAY, folder }), {
      code: 'bad-request',
      message: /was something else: ask the same again, or give it back first$/,
    });
    assert.equal((await ada.borrow('cad', { forMs: DAY, folder })).kind, 'borrowed');
    await assert.rejects(ada.extend(folder, MINUTE), { code: 'bad-request', message: /would change nothing$/ });
    assert.equal((await ada.giveBack(folder)).kind, 'released');
    assert.equal((await ada.borrow('cad', { forMs: 1_000, folder })).kind, 'borrowed');
    await isOver(folder);
    await assert.rejects(ada.extend(folder, DAY), { code: 'not-borrowed', message: /is over: borrow it again$/ });
    assert.equal((await ada.borrow('cad', { forMs: 1_500, folder })).kind, 'borrowed');
    loseOne(ada, 'extend');
    assert.equal((await ada.extend(folder, DAY)).kind, 'unknown');
    await isOver(folder);
    await assert.rejects(ada.borrow('cad', { forMs: DAY, folder }), {
      code: 'bad-request',
      message: /extend it, or give/,
    });
    assert.equal((await ada.extend(folder, DAY)).kind, 'borrowed', 'it was extended while it was not over');
    assert.equal((await ada.giveBack(folder)).kind, 'released');
  });

  test('a lost machine: written off by an admin, once', async () => {
    const folders = [join(laptop, 'stolen'), join(laptop, 'stolen-too')];
    await using ada = await running.client('ada');
    for (const folder of folders) await borrowedBy(ada, folder);
    const { stdout } = await cli('sessions', '--json');
    const { sessions } = JSON.parse(stdout) as { sessions: { id: string; holdings: { borrowedUntilUtc: number }[] }[] };
    const lost = sessions.filter(({ holdings }) => (holdings[0]?.borrowedUntilUtc ?? 0) > 0).map(({ id }) => id);
    assert.equal(lost.length, 2);
    const key = ['--admin-key', running.group.adminKeyFile];
    assert.equal((await cli('write-off', lost[0] as string, ...key)).stdout, 'written off; its seats are free\n');
    assert.equal(await inUse(), 1);
    const refused = await cli('write-off', lost[1] as string, ...key);
    assert.match(refused.stderr, /the license \S+ allows 1 in its time/);
    assert.equal(refused.code, 3);
    for (const folder of folders) assert.equal((await ada.giveBack(folder)).kind, 'released');
    assert.equal(await inUse(), 0);
  });
});

/** The group does it, and its answer does not come. */
function loseOne(client: Client, kind: string): void {
  const { group } = client;
  const submit = group.submit.bind(group);
  group.submit = async (command, patienceMs) => {
    const result = await submit(command, patienceMs);
    if (decodeCommand(command).kind !== kind) return result;
    group.submit = submit;
    return { kind: 'unknown', reason: 'lost on its way' };
  };
}
