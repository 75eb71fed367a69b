import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { lockFile } from '@trefoil/host';
import { restoreBackup, verifyBackup } from './read-backup.ts';
import { writeBackup } from './write-backup.ts';

describe('a backup', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trefoil-backup-'));
    file = join(folder, 'backup.tar.gz');
    await write('host/etc/tmr.key', 'secret', 0o600);
    await write('host/etc/group.jws', 'group');
    await write('host/data/set/log-1', 'x'.repeat(3_000_000));
    await write('host/data/set/archive/log-0.zst', 'old');
    await write('host/data/lock', '{}');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const places = (name: string) => ({ etc: join(folder, name, 'etc'), data: join(folder, name, 'data') });
  async function write(name: string, text: string, mode = 0o644): Promise<void> {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), text, { mode });
  }
  const make = () => writeBackup(places('host'), { output: file, host: 'here' });
  async function damagedAt(share: number): Promise<void> {
    const bytes = await readFile(file);
    const at = Math.floor(share * bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    await writeFile(file, bytes);
  }

  test('comes back as it was, with its rights, and without locks', async () => {
    const manifest = await make();
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(await verifyBackup(file), manifest);
    assert.deepEqual(await restoreBackup(file, places('other'), { replace: false }), []);
    assert.equal(await readFile(join(folder, 'other/data/set/log-1'), 'utf8'), 'x'.repeat(3_000_000));
    assert.equal((await stat(join(folder, 'other/etc/tmr.key'))).mode & 0o777, 0o600);
    assert.deepEqual((await readdir(join(folder, 'other'), { recursive: true })).sort(), [
      ...['data', 'data/set', 'data/set/archive', 'data/set/archive/log-0.zst', 'data/set/log-1'],
      ...['etc', 'etc/group.jws', 'etc/tmr.key'],
    ]);
  });

  test('is refused where something is, or is moved over nothing', async () => {
    await make();
    await assert.rejects(
      restoreBackup(file, places('host'), { replace: false }),
      /etc: it is not empty; with --replace it is moved aside$/,
    );
    await write('host/etc/group.jws', 'newer');
    const aside = await restoreBackup(file, places('host'), { replace: true });
    assert.equal(aside.length, 2);
    assert.equal(await readFile(join(aside[0] as string, 'group.jws'), 'utf8'), 'newer');
    assert.equal(await readFile(join(folder, 'host/etc/group.jws'), 'utf8'), 'group');
  });

  test('is refused where a server runs, and nothing has changed', async () => {
    await make();
    using _lock = lockFile(join(folder, 'host/data/lock'));
    await assert.rejects(restoreBackup(file, places('host'), { replace: true }), /lock is held by process/);
    assert.equal(await readFile(join(folder, 'host/etc/group.jws'), 'utf8'), 'group');
  });

  for (const share of [0, 0.3, 0.6, 0.9, 0.999])
    test(`that is damaged at ${share * 100} % is refused`, async () => {
      await make();
      await damagedAt(share);
      await assert.rejects(verifyBackup(file), { name: 'HostError', code: 'file-invalid' });
    });

  test('that ends too soon is refused', async () => {
    await make();
    const bytes = await readFile(file);
    for (const length of [0, 20, Math.floor(bytes.length / 2), bytes.length - 1]) {
      await writeFile(file, bytes.subarray(0, length));
      await assert.rejects(verifyBackup(file), { name: 'HostError', code: 'file-invalid' }, `${length}`);
    }
  });

  test('has what links lead to, and is no part of itself', async () => {
    await write('elsewhere/link.crt.pem', 'a certificate');
    await symlink(join(folder, 'elsewhere/link.crt.pem'), join(folder, 'host/etc/link.crt.pem'));
    const { files } = await make();
    assert.ok(files.some(({ name }) => name === 'etc/link.crt.pem'));
    const output = join(folder, 'host/data/backup.tar.gz');
    await assert.rejects(writeBackup(places('host'), { output, host: 'here' }), /it would be a part of itself/);
    await assert.rejects(verifyBackup(join(folder, 'nowhere')), /nowhere: there is no such file or folder$/);
  });

  test('of nothing says so', async () => {
    await assert.rejects(
      writeBackup(places('nowhere'), { output: file, host: 'here' }),
      /nowhere\/etc: there is no such file or folder$/,
    );
  });
});
