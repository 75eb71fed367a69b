import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PRESETS } from '@trefoil/vendor';
import { RunningGroup } from '../running-group.ts';
import { Plant } from './plant.ts';
import { STORIES } from './stories.ts';

describe('what the guide tells of each preset is true in a running group', { timeout: 300_000 }, () => {
  let running: RunningGroup;
  before(async () => {
    running = await RunningGroup.start();
  });
  after(() => running[Symbol.asyncDispose]());

  for (const [name, story] of Object.entries(STORIES))
    test(name, async () => {
      await using plant = new Plant(running);
      await story(plant);
    });

  test('no story is of a preset that there is not', () => {
    const names = PRESETS.map((preset) => preset.name);
    assert.deepEqual(
      Object.keys(STORIES).filter((name) => !names.includes(name)),
      [],
    );
  });
});
