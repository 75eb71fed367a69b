import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIRST_START_MS, World } from './world.ts';

/** The next entry is open before the last is answered. */
const WITHOUT_PAUSE = 0.0001;

test('a license server that starts anew under full load is taken in at once, not when there is a pause', async () => {
  const world = new World(2);
  const { agenda, checks } = world;
  const server = world.licenseServers[3];
  await world.start();
  world.arrive(60);
  world.sell('hot-1', 'hot', 300);
  await agenda.runUntil(FIRST_START_MS);
  Object.defineProperty(world, 'pace', { value: WITHOUT_PAUSE });
  await agenda.runUntil(agenda.now + 500);
  server.crash('process');
  await agenda.runUntil(agenda.now + 500);
  const startedAt = agenda.now;
  void server.start();
  const isBack = (): boolean => server.runtime?.voter.withholding === '';
  while (!isBack() && agenda.now < startedAt + 5_000) await agenda.runUntil(agenda.now + 10);
  assert.ok(agenda.now - startedAt < 1_000, `${agenda.now - startedAt} ms`);
  assert.equal(server.runtime?.voter.unanchored, false);
  assert.deepEqual(checks.faults, []);
});
