import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, RunningGroup } from './running-group.ts';

/** What log time may be beside true time, for two seats. */
const CLOCKS_MS = 600;

interface Day {
  readonly license: string;
  readonly peak: number;
  readonly seatMs: number;
  readonly grants: number;
  readonly denials: Readonly<Record<string, number>>;
}

describe('usage, on a running group', { timeout: 180_000 }, () => {
  let running: RunningGroup;
  before(async () => {
    running = await RunningGroup.start();
    await running.hands.sell({ version: 1, quantity: 3, terms: { sessionTimeoutSeconds: 20 } });
  });
  after(() => running[Symbol.asyncDispose]());

  async function days(): Promise<Day[]> {
    const { stdout, stderr, code } = await running.trefoil('usage', '--json');
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout) as { days: Day[] }).days;
  }

  test('no gap and no double count over a takeover', async () => {
    await using ada = await running.client('ada');
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
    const all = await days();
    const sum = (of: (day: Day) => number): number => all.reduce((total, day) => total + of(day), 0);
    const seatMs = sum((day) => day.seatMs);
    assert.ok(seatMs > atLeast - CLOCKS_MS && seatMs < atMost + CLOCKS_MS, `${atLeast} ≤ ${seatMs} ≤ ${atMost} ms`);
    assert.deepEqual([sum((day) => day.grants), sum((day) => day.denials['seats'] ?? 0)], [1, 1]);
    assert.equal(all.at(-1)?.peak, 2);
    const csv = await running.trefoil('usage', '--csv', '--license', 'cad-1');
    assert.equal(csv.stdout.trim().split('\r\n').length, 1 + all.length);
    assert.match((await running.trefoil('usage', '--product', 'other')).stdout, /Nothing was used/);
    assert.equal((await running.trefoil('usage', '--from', 'today')).code, 2);
  });
});
