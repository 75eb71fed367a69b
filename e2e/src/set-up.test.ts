import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { describe, test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const oldNode = join(root, 'node_modules/node-20/bin');

/** The directory of the npm that is installed; it brings no node of its own into the PATH. */
const npm = dirname(execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim());

/** What somebody gets who clones this checkout, with what is not committed yet. */
function cloneInto(directory: string): void {
  const list = execFileSync('git', ['ls-files', '-coz', '--exclude-standard'], { cwd: root, encoding: 'utf8' });
  for (const file of list.split('\0')) {
    if (file === '' || !existsSync(join(root, file))) continue;
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    cpSync(join(root, file), join(directory, file));
  }
}

function runIn(
  clone: string,
  environment: Record<string, string> = {},
  command = ['/bin/sh', 'scripts/with-node', '-p', 'process.version'],
) {
  const startedMs = performance.now();
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_TEST)/.test(name));
  const path = [oldNode, npm, '/usr/bin', '/bin'].join(delimiter);
  const env = { ...Object.fromEntries(inherited), PATH: path, ...environment };
  const options = { cwd: clone, env, encoding: 'utf8', timeout: 180_000 } as const;
  const [program, ...args] = command as [string, ...string[]];
  const result = spawnSync(program, args, options);
  return { ...result, elapsedMs: performance.now() - startedMs };
}

describe('set-up on a machine with Node 20', () => {
  const clone = mkdtempSync(join(tmpdir(), 'trefoil-'));

  test('brings Node 24, and says nothing on stdout', (t) => {
    chmodSync(clone, 0o700);
    cloneInto(clone);
    const first = runIn(clone);
    assert.equal(first.status, 0, first.stderr);
    assert.match(first.stdout, /^v(2[4-9]|[3-9]\d)\.\d+\.\d+\n$/);
    assert.match(first.stderr, /installing dependencies/);
    t.diagnostic(`first ${Math.round(first.elapsedMs)} ms`);
  });

  test('npm run demo works from there', () => {
    const demo = runIn(clone, {}, ['npm', 'run', '-s', 'demo', '--', '--once', '--json']);
    assert.equal(demo.status, 0, demo.stderr);
    assert.equal((JSON.parse(demo.stdout) as { failedCalls: number }).failedCalls, 0);
  });

  test('npm test works from there', () => {
    const tested = runIn(clone, {}, ['npm', '-s', 'test', '--', 'packages/host/src/clock.test.ts']);
    assert.equal(tested.status, 0, tested.stderr);
    assert.match(tested.stdout, /\n\d+ passed, 0 failed\n$/);
  });

  test('needs no network and no time when done before', (t) => {
    t.after(() => rmSync(clone, { recursive: true }));
    // A registry that nobody listens on: whoever asks it fails.
    const second = runIn(clone, { npm_config_registry: 'http://127.0.0.1:9/', npm_config_prefer_offline: 'false' });
    assert.equal(second.status, 0, second.stderr);
    assert.equal(second.stderr, '');
    assert.ok(second.elapsedMs < 5_000);
  });

  test('says what is missing when there is no Node to be had', (t) => {
    const bare = mkdtempSync(join(tmpdir(), 'trefoil-'));
    t.after(() => rmSync(bare, { recursive: true }));
    cloneInto(bare);
    const tools = join(bare, 'tools');
    mkdirSync(tools);
    execFileSync('ln', [
      '-s',
      ...['sh', 'dirname', 'cksum', 'uname', 'grep', 'tr'].map((tool) => `/usr/bin/${tool}`),
      tools,
    ]);
    const result = runIn(bare, { PATH: tools });
    assert.equal(result.status, 1);
    assert.equal(result.stderr, 'trefoil: npm is not installed; install Node.js 24 or newer with npm\n');
  });
});
