import assert from 'node:assert/strict';
import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { chown, cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { DebianRoot, NotifySocket } from './debian-root.ts';

const execute = promisify(execFile);
const checkout = join(import.meta.dirname, '../../..');
const UNITS = ['trefoil-license-server.service', 'trefoil-tmr-server.service'];
/** systemd's own scale from 0 to 10, here in tenths: the network, which both have to have, is most of what is left. */
const MOST_EXPOSURE = 15;

describe('the Debian package', { timeout: 600_000 }, () => {
  let folder: string;
  let deb: string;
  let debian: DebianRoot;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trefoil-deb-'));
    [debian] = await Promise.all([
      DebianRoot.create(join(folder, 'debian')),
      execute('sh', ['scripts/with-node', 'packaging/deb.ts', '--out', folder], { cwd: checkout }),
    ]);
    deb = join(folder, (await readdir(folder)).find((name) => name.endsWith('.deb')) as string);
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  test('has the same bytes from another folder and with another umask', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await mkdir(elsewhere);
    const script =
      'umask 077; mount --bind "$1" "$2"; cd "$2"; exec sh scripts/with-node packaging/deb.ts --out "$2.out"';
    await execute('unshare', ['--mount', 'sh', '-ec', script, 'sh', checkout, elsewhere]);
    const again = await readFile(join(`${elsewhere}.out`, basename(deb)));
    assert.ok(again.equals(await readFile(deb)));
  });

  test('has units that systemd finds nothing wrong with, and little to attack', async () => {
    const content = join(folder, 'content');
    await execute('dpkg-deb', ['--extract', deb, content]);
    const files: string[] = [];
    for (const unit of UNITS) {
      const written = await readFile(join(content, 'usr/lib/systemd/system', unit), 'utf8');
      // The one thing that is not where it will be.
      files.push(join(folder, unit));
      await writeFile(join(folder, unit), written.replace('=/usr/bin/trefoil', `=${content}/usr/bin/trefoil`));
    }
    const manual = { ...process.env, MANPATH: `${content}/usr/share/man:` };
    assert.deepEqual(await execute('systemd-analyze', ['verify', ...files], { env: manual }), {
      stdout: '',
      stderr: '',
    });
    const options = ['security', '--offline=true', `--threshold=${MOST_EXPOSURE}`, '--no-pager'];
    for (const file of files) await execute('systemd-analyze', [...options, file]);
  });

  test('installs without a word of complaint', async () => {
    await cp(deb, debian.path('trefoil.deb'));
    const { stderr } = await debian.run('dpkg', '--install', '/trefoil.deb');
    assert.equal(stderr.replaceAll(/^(Creating (user|group)|Created symlink) .*\n/gm, ''), '');
    assert.match(
      (await debian.run('id', 'trefoil')).stdout,
      /^uid=\d+\(trefoil\) gid=\d+\(trefoil\) groups=\d+\(trefoil\)\n/,
    );
    const { stdout } = await debian.run(
      'stat',
      '--format=%n %U %G %a',
      '/etc/trefoil',
      '/var/lib/trefoil',
      '/run/trefoil',
    );
    assert.equal(
      stdout,
      '/etc/trefoil root root 755\n/var/lib/trefoil trefoil trefoil 750\n/run/trefoil trefoil trefoil 755\n',
    );
    const enabled = await readdir(debian.path('etc/systemd/system/multi-user.target.wants'));
    assert.deepEqual(
      enabled.filter((name) => name.startsWith('trefoil')),
      UNITS,
    );
    assert.equal((await debian.run('dpkg', '--verify', 'trefoil')).stdout, '');
    const monitoring = ['trefoil.rules.yml', 'trefoil.json'].map((name) => `doc/trefoil/monitoring/${name}`);
    for (const file of [
      ...['man/man1/trefoil.1.gz', 'bash-completion/completions/trefoil', 'doc/trefoil/LICENSE.node'],
      ...monitoring,
    ])
      await stat(join(folder, 'content/usr/share', file));
  });

  test('has a command that runs', async () => {
    const { version } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as { version: string };
    assert.equal((await debian.run('trefoil', '--version')).stdout, `${version}\n`);
    assert.match((await debian.run('trefoil', '--help')).stdout, /Begin with: {2}trefoil demo/);
    const asked = { ask: 'process.versions.node' };
    assert.match((await debian.run('/usr/lib/trefoil/node', '-p', asked.ask)).stdout, /^2[4-9]\./);
  });

  test('runs a group of five servers as the user that it has made', async () => {
    const demo = debian.start('trefoil', {}, 'trefoil', 'demo', '--json');
    const story = text(demo.stdout as Readable);
    await said(demo, 'Ctrl-C ends it');
    // The story goes on for the services: two of its servers have theirs from here.
    const group = (await readdir(debian.path('tmp'))).find((name) => name.startsWith('trefoil-demo-')) as string;
    for (const server of ['license-server-1', 'tmr-server-A'])
      await cp(debian.path(`tmp/${group}/${server}`), debian.path(`var/lib/trefoil/${server}`), { recursive: true });
    await endDemo(demo);
    const figures = JSON.parse(await story) as { failedCalls: number; offlineVerified: boolean };
    assert.deepEqual([figures.failedCalls, figures.offlineVerified], [0, true]);
    assert.deepEqual(await readdir(debian.path('tmp')), []);
  });

  test('has services that tell systemd themselves that they are ready, that they live and that they stop', async () => {
    const own = Number((await debian.run('id', '--user', 'trefoil')).stdout);
    await handOver(debian.path('var/lib/trefoil'), own);
    for (const [server, kind] of [
      ['license-server-1', 'license-server'],
      ['tmr-server-A', 'tmr-server'],
    ] as const) {
      await using systemd = await NotifySocket.listen(debian.path('run/notify'));
      const environment = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '200000' };
      const child = debian.start('trefoil', environment, 'trefoil', kind, `/var/lib/trefoil/${server}/${kind}.yaml`);
      await Promise.race([systemd.waitFor(4), endedEarly(child)]);
      const [, ready, ...alive] = systemd.heard;
      assert.deepEqual([ready?.text, ready?.uid], ['READY=1\nSTATUS=serving', own]);
      // As systemd sees it with NotifyAccess=main: the server speaks, nobody for it.
      const pid = ready?.pid as number;
      assert.equal(await readlink(`/proc/${pid}/exe`), debian.path('usr/lib/trefoil/node'));
      for (const one of alive) assert.deepEqual(one, { pid, uid: own, text: 'WATCHDOG=1' });
      process.kill(pid, 'SIGTERM');
      assert.deepEqual(await once(child, 'exit'), [0, null]);
      assert.equal(systemd.heard.at(-1)?.text, 'STOPPING=1\nSTATUS=stopping: SIGTERM');
      await rm(debian.path('run/notify'));
    }
  });

  test('leaves licenses and keys alone when it goes, and nothing else', async () => {
    await writeFile(debian.path('etc/trefoil/license-server.yaml'), 'member: 1\n');
    await debian.run('dpkg', '--remove', 'trefoil');
    await assert.rejects(stat(debian.path('usr/lib/trefoil')));
    const { stderr } = await debian.run('dpkg', '--purge', 'trefoil');
    assert.match(
      stderr,
      /trefoil: \/etc\/trefoil is kept, .*\ntrefoil: \/var\/lib\/trefoil is kept, .*rm -r \/var\/lib\/trefoil/,
    );
    assert.deepEqual((await readdir(debian.path('var/lib/trefoil'))).sort(), ['license-server-1', 'tmr-server-A']);
    await stat(debian.path('var/lib/trefoil/license-server-1/container.tfc'));
    await stat(debian.path('etc/trefoil/license-server.yaml'));
    await assert.rejects(stat(debian.path('run/trefoil')));

    for (const place of ['etc/trefoil', 'var/lib/trefoil']) await rm(debian.path(place), { recursive: true });
    await debian.run('dpkg', '--install', '/trefoil.deb');
    assert.equal((await debian.run('dpkg', '--purge', 'trefoil')).stderr, '');
    for (const place of ['etc/trefoil', 'var/lib/trefoil']) await assert.rejects(stat(debian.path(place)));
    assert.deepEqual(await debian.remains(), []);
  });
});

/** Waits until it has said this on stderr; rejects with all it has said when it ends before. */
async function said(child: ChildProcess, words: string): Promise<void> {
  let all = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (data: Buffer) => {
      all += data.toString();
      if (all.includes(words)) resolve();
    });
    child.once('exit', () => reject(new Error(`it has ended; its last words: ${all.slice(-800)}`)));
  });
}

/** What was started is `unshare`, which does not pass signals on; its child is the demonstration. */
async function endDemo(unshare: ChildProcess): Promise<void> {
  const children = await readFile(`/proc/${unshare.pid}/task/${unshare.pid}/children`, 'utf8');
  const ended = once(unshare, 'exit');
  process.kill(Number(children.trim()), 'SIGINT');
  assert.deepEqual(await ended, [0, null]);
}

/** Copies of what others had belong to a new user, and their locks to nobody. */
async function handOver(folder: string, user: number): Promise<void> {
  for (const file of await readdir(folder, { recursive: true })) {
    if (/(^|[/.])lock$/.test(file)) await rm(join(folder, file));
    else await chown(join(folder, file), user, user);
  }
}

/** Rejects with its words when a server does not go on. */
async function endedEarly(child: ChildProcess): Promise<never> {
  const words = Promise.all([child.stdout, child.stderr].map((one) => text(one as Readable)));
  await once(child, 'exit');
  throw new Error((await words).join('\n'));
}
