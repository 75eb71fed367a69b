import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { StoreError } from './disk.ts';
import { type Fault, MemoryDisk } from './memory-disk.ts';
import type { LogStore } from './store.ts';
import { openStore, record, seededRandom } from './test-log.ts';

type Action =
  | { readonly kind: 'append'; readonly sizes: readonly number[]; readonly wait: boolean }
  | { readonly kind: 'segment' };

interface Life {
  readonly actions: readonly Action[];
  readonly fault: { readonly step: number; readonly kind: Fault['kind'] };
  readonly restart: 'power' | 'process';
}

const size = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 8, max: 700 }) }, fc.integer({ min: 700, max: 6000 }));
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      sizes: fc.array(size, { minLength: 1, maxLength: 4 }),
      wait: fc.boolean(),
    }),
  },
  fc.record({ kind: fc.constant('segment' as const) }),
);
const faultKind = fc.constantFrom('power' as const, 'io' as const, 'no-space' as const);
const restart = fc.constantFrom('power' as const, 'process' as const);
const life: fc.Arbitrary<Life> = fc.record({
  actions: fc.array(action, { minLength: 1, maxLength: 12 }),
  fault: fc.record({
    step: fc.integer({ min: 1, max: 30 }),
    kind: faultKind,
  }),
  restart,
});

/** Openings that may be interrupted, then a life. */
const brokenOpening = fc.record({
  openings: fc.array(
    fc.record({
      fault: fc.record({ step: fc.integer({ min: 1, max: 6 }), kind: faultKind }),
      restart,
    }),
    { maxLength: 3 },
  ),
  life,
});

function restartAfter(disk: MemoryDisk, fault: Fault['kind'], restart: Life['restart']): void {
  if (restart === 'power' || fault === 'power') disk.restartAfterPowerLoss();
  else disk.restartProcess();
}

/** What was asked of the log, call by call, and which calls were confirmed. */
interface History {
  readonly calls: { readonly labels: string[]; confirmed: boolean }[];
}

async function live(store: LogStore, actions: readonly Action[], history: History): Promise<void> {
  const pending: Promise<unknown>[] = [];
  for (const act of actions) {
    if (act.kind === 'segment') {
      pending.push(store.startSegment().catch(onlyStoreError));
      continue;
    }
    const call = { labels: act.sizes.map((_, i) => `${history.calls.length}.${i}`), confirmed: false };
    history.calls.push(call);
    const records = act.sizes.map((bytes, i) => record(call.labels[i] ?? '', bytes));
    const done = store.append(records).then(() => (call.confirmed = true), onlyStoreError);
    pending.push(done);
    if (act.wait) await done;
  }
  await Promise.all(pending);
}

function onlyStoreError(error: unknown): void {
  assert.ok(error instanceof StoreError);
}

/** The recovered records are those of whole calls, from the first on, at least up to the last confirmed one. */
function checkRecovered(texts: readonly string[], history: History): void {
  let at = 0;
  let kept = 0;
  for (; kept < history.calls.length && at < texts.length; kept++) {
    const labels = history.calls[kept]?.labels ?? [];
    assert.deepEqual(texts.slice(at, at + labels.length), labels);
    at += labels.length;
  }
  assert.equal(at, texts.length, 'nothing is invented');
  const lost = history.calls.slice(kept);
  assert.ok(!lost.some((call) => call.confirmed), 'a confirmed record is lost');
  // What is read back counts from now on: the server acts on it.
  history.calls.length = kept;
  for (const call of history.calls) call.confirmed = true;
}

test('what was confirmed survives any row of power losses and failures; nothing is invented or reordered', async () => {
  let tornEnds = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 5 }), fc.nat(), async (lives, seed) => {
      const disk = new MemoryDisk(seededRandom(seed));
      const history: History = { calls: [] };
      for (const { actions, fault, restart } of lives) {
        const opened = await openStore(disk);
        if (opened.torn) tornEnds += 1;
        checkRecovered(opened.texts, history);
        disk.failAt({ step: disk.steps + fault.step, kind: fault.kind });
        await live(opened.store, actions, history);
        restartAfter(disk, fault.kind, restart);
      }
      checkRecovered((await openStore(disk)).texts, history);
    }),
    { numRuns: 1500, seed: 20261124 },
  );
  assert.ok(tornEnds > 50, `the property is worth nothing if it never meets a torn end (${tornEnds})`);
});

test('a power loss or a failing disk while the log is opened and repaired loses nothing either', async () => {
  let failedTwice = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(brokenOpening, { minLength: 1, maxLength: 5 }), fc.nat(), async (lives, seed) => {
      const disk = new MemoryDisk(seededRandom(seed));
      const history: History = { calls: [] };
      for (const { openings, life: next } of lives) {
        let failed = 0;
        for (const { fault, restart } of openings) {
          disk.failAt({ step: disk.steps + fault.step, kind: fault.kind });
          const opened = await openStore(disk).catch(onlyStoreError);
          if (opened === undefined) failed += 1;
          else checkRecovered(opened.texts, history);
          restartAfter(disk, fault.kind, restart);
        }
        if (failed > 1) failedTwice += 1;
        const { store, texts } = await openStore(disk);
        checkRecovered(texts, history);
        disk.failAt({ step: disk.steps + next.fault.step, kind: next.fault.kind });
        await live(store, next.actions, history);
        restartAfter(disk, next.fault.kind, next.restart);
      }
      checkRecovered((await openStore(disk)).texts, history);
    }),
    { numRuns: 1500, seed: 20261125 },
  );
  assert.ok(failedTwice > 50, `the property is worth nothing if openings don't fail (${failedTwice})`);
});

test('after a failed sync the store is dead: the same error for every later call, and no second try', async () => {
  const disk = new MemoryDisk(seededRandom(1));
  const { store } = await openStore(disk);
  await store.append([record('kept', 100)]);
  disk.failAt({ step: disk.steps + 2, kind: 'io' });
  const first = await store.append([record('lost', 100)]).catch((error: unknown) => error);
  assert.ok(first instanceof StoreError);
  assert.equal(first.code, 'io');
  const steps = disk.steps;
  assert.equal(await store.append([record('later', 100)]).catch((error: unknown) => error), first);
  assert.equal(await store.startSegment().catch((error: unknown) => error), first);
  assert.equal(disk.steps, steps);
  await store.close();
});

test('what is read back after a failed sync is written again, so that it is durable before anyone acts on it', async () => {
  for (let seed = 1; seed < 40; seed++) {
    const disk = new MemoryDisk(seededRandom(seed));
    const { store } = await openStore(disk);
    disk.failAt({ step: disk.steps + 2, kind: 'io' });
    await store.append([record('half', 1000)]).catch(onlyStoreError);
    disk.restartProcess();
    const again = await openStore(disk);
    assert.deepEqual(again.texts, ['half']);
    disk.restartAfterPowerLoss();
    assert.deepEqual((await openStore(disk)).texts, ['half']);
  }
});
