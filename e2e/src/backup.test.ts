import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { trefoil } from './running-group.ts';

/** With a disk of its own: as root, as all tests with processes. */
describe('a backup that finds a full disk', () => {
  let folder: string;
  let small: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trefoil-backup-'));
    small = join(folder, 'small');
    for (const name of ['host/etc', 'host/data', 'small']) await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, 'host/etc/group.jws'), 'group');
    await writeFile(join(folder, 'host/data/log'), randomBytes(3_000_000));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
    for (const name of ['etc', 'data']) await mkdir(join(small, name));
    await writeFile(join(small, 'data/log'), 'here');
  });
  after(async () => {
    execFileSync('umount', [small]);
    await rm(folder, { recursive: true, force: true });
  });

  const places = (name: string): string[] => ['--etc', join(folder, name, 'etc'), '--data', join(folder, name, 'data')];

  test('says so, and leaves nothing half', async () => {
    const output = join(small, 'backup.tar.gz');
    const { code, stderr } = await trefoil(['backup', ...places('host'), '--output', output]);
    assert.deepEqual([code, stderr], [1, `trefoil: ${output}: the disk is full\n`]);
    assert.deepEqual((await readdir(small)).sort(), ['data', 'etc']);
  });

  test('as a support bundle does', async () => {
    const output = join(small, 'support.tar.gz');
    execFileSync('sh', ['-c', 'cat /dev/zero > filler || true'], { cwd: small, stdio: 'ignore' });
    const { code, stderr } = await trefoil(['support-bundle', '--etc', join(folder, 'host/etc'), '--output', output]);
    assert.deepEqual([code, stderr], [1, `trefoil: ${output}: the disk is full\n`]);
    await rm(join(small, 'filler'));
    assert.deepEqual((await readdir(small)).sort(), ['data', 'etc']);
  });

  test('while it is put back: what was there stays', async () => {
    const file = join(folder, 'backup.tar.gz');
    const made = await trefoil(['backup', ...places('host'), '--output', file]);
    assert.match(made.stdout, /: 2 files of .*, 2\.9 MiB, as of .*Z, read again and found right\n$/);
    const { code, stderr } = await trefoil(['restore', file, ...places('small'), '--replace']);
    assert.deepEqual([code, stderr], [1, `trefoil: ${join(small, 'data')}: the disk is full\n`]);
    assert.equal(await readFile(join(small, 'data/log'), 'utf8'), 'here');
    assert.deepEqual((await readdir(small)).sort(), ['data', 'etc']);
  });
});
