import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeFolder } from './files.ts';

test('a folder is written in whole or not at all, and none that was there before is touched', async () => {
  const place = mkdtempSync(join(tmpdir(), 'trefoil-files-'));
  const folder = join(place, 'new');
  const writes = async (): Promise<void> => writeFileSync(join(folder, 'a'), 'whole');
  await assert.rejects(
    writeFolder(folder, async () => {
      await writes();
      throw new Error('the disk is full');
    }),
    /the disk is full/,
  );
  assert.equal(existsSync(folder), false);
  await writeFolder(folder, writes);
  await assert.rejects(
    writeFolder(folder, async () => rmSync(folder, { recursive: true })),
    /already exists/,
  );
  assert.equal(readFileSync(join(folder, 'a'), 'utf8'), 'whole');
  rmSync(place, { recursive: true });
});
