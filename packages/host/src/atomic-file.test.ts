import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { makeDirectory, readFileWithLimit, writeFileAtomically } from './atomic-file.ts';

describe('a file written atomically', () => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-'));
  after(() => rmSync(directory, { recursive: true }));

  test('has the new content, is private, and leaves nothing beside it', async () => {
    const file = join(directory, 'keys');
    await writeFileAtomically(file, 'one');
    await writeFileAtomically(file, new Uint8Array([116, 119, 111]));
    assert.equal(readFileSync(file, 'utf8'), 'two');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await writeFileAtomically(file, 'three', { mode: 0o644 });
    assert.equal(statSync(file).mode & 0o777, 0o644);
    assert.deepEqual(readdirSync(directory), ['keys']);
  });

  test('keeps the old content when it cannot be written', async () => {
    const file = join(directory, 'missing', 'keys');
    const message = `cannot write ${file}: there is no such file or folder`;
    await assert.rejects(writeFileAtomically(file, 'x'), { code: 'file-unwritable', message });
    const taken = mkdtempSync(join(directory, 'taken-'));
    writeFileSync(join(taken, 'inside'), '');
    await assert.rejects(writeFileAtomically(taken, 'x'), { code: 'file-unwritable' });
    assert.equal(readdirSync(directory).filter((name) => name.endsWith('.tmp')).length, 0);
  });

  test('is read up to a limit', async () => {
    const file = join(directory, 'limited');
    await writeFileAtomically(file, '12345');
    assert.equal(Buffer.from(await readFileWithLimit(file, 5)).toString(), '12345');
    await assert.rejects(readFileWithLimit(file, 4), {
      code: 'file-too-large',
      message: `${file} is larger than 4 bytes`,
    });
    await assert.rejects(readFileWithLimit(`${file}x`, 4), { code: 'file-unreadable' });
    await assert.rejects(readFileWithLimit(directory, 4), { message: `cannot read ${directory}: it is a directory` });
  });
});

test('a folder is made with those above it; where nothing can be made, that is said at once', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-'));
  t.after(() => rmSync(directory, { recursive: true }));
  await makeDirectory(join(directory, 'a', 'b', 'c'));
  await makeDirectory(join(directory, 'a', 'b', 'c'));
  writeFileSync(join(directory, 'file'), '');
  await assert.rejects(makeDirectory(join(directory, 'file')), /there is a file of that name/);
  await assert.rejects(makeDirectory('/proc/nothing/here'), /cannot make the folder \/proc\/nothing\/here: /);
});
