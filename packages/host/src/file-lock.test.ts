import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { lockFile } from './file-lock.ts';

/** A process that takes the lock, says "held" or why not, and stays. */
function locker(file: string, startAtMs = 0): ChildProcess {
  const code = `
    import { lockFile } from ${JSON.stringify(join(import.meta.dirname, 'file-lock.ts'))};
    while (Date.now() < ${startAtMs});
    try { lockFile(${JSON.stringify(file)}); console.log('held'); setInterval(() => {}, 1000); }
    catch (error) { console.log(error.code); }`;
  return spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function wordOf(child: ChildProcess): Promise<string> {
  assert.ok(child.stdout);
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return chunk.toString().trim();
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  if (child.exitCode === null && child.kill('SIGKILL')) await ended;
}

describe('a lock', () => {
  const directory = mkdtempSync(join(tmpdir(), 'trefoil-'));
  after(() => rmSync(directory, { recursive: true }));

  test('is held once, and can be taken again after its release', () => {
    const file = join(directory, 'once');
    const lock = lockFile(file);
    assert.throws(() => lockFile(file), { code: 'locked', message: `${file} is held by process ${process.pid}` });
    lock.release();
    lock.release();
    assert.equal(existsSync(file), false);
    using _again = lockFile(file);
    assert.equal(existsSync(file), true);
  });

  test('names a holder in another process, and outlives its kill -9 for nobody', async () => {
    const file = join(directory, 'other');
    const holder = locker(file);
    assert.equal(await wordOf(holder), 'held');
    assert.throws(() => lockFile(file), { code: 'locked', details: { file, pid: holder.pid } });
    await kill(holder);
    using _lock = lockFile(file);
    assert.deepEqual(readdirSync(directory), ['other']);
  });

  test('does not believe a pid that was given to another process, or an earlier boot', () => {
    const file = join(directory, 'reused');
    const mine = () => JSON.parse(readFileSync(file, 'utf8')) as object;
    for (const change of [{ started: '1' }, { bootId: 'earlier' }, { pid: 2 ** 30 }]) {
      const lock = lockFile(file);
      const content = JSON.stringify({ ...mine(), ...change });
      lock.release();
      writeFileSync(file, content);
      lockFile(file).release();
    }
    writeFileSync(file, '{');
    lockFile(file).release();
  });

  test('asks the kernel about a holder in another container', async () => {
    const file = join(directory, 'container');
    const holder = locker(file);
    assert.equal(await wordOf(holder), 'held');
    const said = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...said, pidNamespace: 'pid:[1]' }));
    assert.throws(() => lockFile(file), { code: 'locked', message: /another container/ });
    await kill(holder);
    lockFile(file).release();
    assert.equal(existsSync(file), false);
  });

  test('does not judge a holder in another container that could not ask for the lock of the kernel', () => {
    const file = join(directory, 'container');
    const lock = lockFile(file);
    const said = JSON.parse(readFileSync(file, 'utf8')) as object;
    lock.release();
    writeFileSync(file, JSON.stringify({ ...said, pidNamespace: 'pid:[1]', flock: false }));
    assert.throws(() => lockFile(file), { code: 'locked', message: /another container/ });
    rmSync(file);
  });

  test('left by a dead process is taken over by one of many', async () => {
    const file = join(directory, 'raced');
    const holder = locker(file);
    await wordOf(holder);
    await kill(holder);
    const startAtMs = Date.now() + 1_000;
    const children = Array.from({ length: 6 }, () => locker(file, startAtMs));
    const words = await Promise.all(children.map(wordOf));
    await Promise.all(children.map(kill));
    assert.deepEqual(words.sort(), ['held', 'locked', 'locked', 'locked', 'locked', 'locked']);
  });

  test('says why it cannot be taken', () => {
    const file = join(directory, 'nowhere', 'lock');
    assert.throws(() => lockFile(file), {
      code: 'file-unwritable',
      message: `cannot write ${file}: there is no such file or folder`,
    });
  });
});
