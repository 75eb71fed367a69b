import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { PRESETS } from '@trefoil/vendor';
import { RunningGroup } from '../running-group.ts';
import { Plant } from './plant.ts';
import { STORIES } from './stories.ts';
import { notShown, optionTable } from './table.ts';
import { FORMS, storiesOf } from './told.ts';

describe('what the guides tell is true', { concurrency: true, timeout: 400_000 }, () => {
  for (const form of FORMS)
    describe(`on ${form}`, { concurrency: false }, () => {
      let running: RunningGroup;
      before(async () => {
        running = await RunningGroup.start({ single: form === 'single server' });
      });
      after(() => running[Symbol.asyncDispose]());

      for (const [name, tell] of storiesOf(form))
        test(name, async () => {
          await using plant = new Plant(running);
          await tell(plant);
        });
    });
});

describe('the guides', () => {
  test('every preset has its story', () =>
    assert.deepEqual(Object.keys(STORIES).sort(), PRESETS.map((preset) => preset.name).sort()));

  test('every option is shown by a story, and the table is the one that follows from them (WRITE_GUIDE=1 writes it)', () => {
    assert.deepEqual(notShown(), []);
    const file = new URL('../../../docs/guides/what-works-where.md', import.meta.url);
    const table = optionTable();
    if (process.env['WRITE_GUIDE'] === '1') writeFileSync(file, table);
    assert.equal(readFileSync(file, 'utf8'), table);
  });
});
