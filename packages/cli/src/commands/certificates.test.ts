import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { decodeClientFile } from '@trefoil/client';

const MAIN = join(import.meta.dirname, '../main.ts');
const execute = promisify(execFile);

describe('new authorities, and new addresses after them', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trefoil-certificates-'));
    await trefoil('vendor', 'init-root', '--vendor', 'acme', '--directory', 'vendor');
    await trefoil(
      ...['init', '--group', 'plant-7', '--vendor-root', 'vendor/root.pub', '--virtual-ip', '10.0.0.10/24'],
      ...['--license-servers', '10.0.0.1', '10.0.0.2', '10.0.0.3', '--tmr-servers', '10.0.0.4', '10.0.0.5'],
    );
    await trefoil('certificates', 'plant-7', '--new-authorities', '--output', 'new');
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const trefoil = (...args: string[]) => execute(process.execPath, [MAIN, ...args], { cwd: folder });
  const unpacked = async (archive: string, file: string): Promise<string> =>
    (await execute('tar', ['-xzOf', archive, `etc/trefoil/${file}`], { cwd: folder })).stdout;
  const read = (file: string): Promise<string> => readFile(join(folder, file), 'utf8');

  test('the hosts, too, have the client file of each round', async () => {
    for (const round of ['1-trust-both', '3-trust-the-new']) {
      const clients = await read(`new/${round}/client.json`);
      for (const host of ['license-server-1', 'tmr-server-B'])
        assert.equal(await unpacked(`new/${round}/${host}.tar.gz`, 'client.json'), clients);
    }
    const [old, next] = [
      await read('plant-7/admin/client-authority.pem'),
      await read('new/admin/client-authority.pem'),
    ];
    const trusted = async (round: string): Promise<boolean[]> => {
      const { authority } = decodeClientFile(await read(`new/${round}/client.json`), round);
      return [old, next].map((one) => authority.includes(one.trim()));
    };
    assert.deepEqual(await trusted('1-trust-both'), [true, true]);
    assert.deepEqual(await trusted('3-trust-the-new'), [false, true]);
  });

  test('a client file from before is not carried on; with the last one all hosts get the new addresses', async () => {
    await cp(join(folder, 'new/admin'), join(folder, 'plant-7/admin'), { recursive: true });
    const moves = ['readdress', 'plant-7', '--virtual-ip', '10.0.0.11/24', '--output', 'moved'];
    for (const command of [moves, ['certificates', 'plant-7', '--new-authorities', '--output', 'newer']])
      await assert.rejects(trefoil(...command), {
        stderr:
          /^trefoil: plant-7\/client\.json does not trust plant-7\/admin\/client-authority\.pem: .*Put the last client\.json/,
      });
    await cp(join(folder, 'new/3-trust-the-new/client.json'), join(folder, 'plant-7/client.json'));
    await trefoil(...moves);
    const clients = await read('moved/client.json');
    assert.equal(decodeClientFile(clients, 'moved').addresses[0], '10.0.0.11:7410');
    for (const host of ['license-server-1', 'tmr-server-B'])
      assert.equal(await unpacked(`moved/${host}.tar.gz`, 'client.json'), clients);
  });
});
