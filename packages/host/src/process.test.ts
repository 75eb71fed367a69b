import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';

interface Ending {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a main file with this body of `build`; sends the signals once it has said "ready". */
async function runMain(body: string, signals: readonly NodeJS.Signals[] = [], options = '{}'): Promise<Ending> {
  const code = `
    import { HostError, createLog, runUntilStopped } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))};
    const say = (word) => console.log(word);
    await runUntilStopped(async (running) => { ${body} }, ${options});`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', (chunk: Buffer) => {
    if (chunk.toString().includes('ready')) for (const signal of signals) child.kill(signal);
  });
  const outputs = Promise.all([text(child.stdout), text(child.stderr)]);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  const [out, err] = await outputs;
  return { code: exitCode, out, err };
}

const twoResources = "running.resources.defer(() => say('first')); running.resources.defer(() => say('second'));";
const full = "new HostError('file-unwritable', 'the disk is full', { file: 'f', reason: 'r' })";

describe('a process', () => {
  test('stops on SIGTERM, the last resource first, and is not kept alive by what was forgotten', async () => {
    const ending = await runMain(`${twoResources} setInterval(() => {}, 1000); say('ready');`, ['SIGTERM']);
    assert.deepEqual(ending, { code: 0, out: 'ready\nsecond\nfirst\n', err: '' });
  });

  test('opens no debugger and does not die of signals that mean nothing', async () => {
    const ending = await runMain("say('ready'); setTimeout(() => running.stop('enough'), 500);", [
      'SIGUSR1',
      'SIGUSR2',
    ]);
    assert.deepEqual(ending, { code: 0, out: 'ready\n', err: '' });
  });

  test('stops on SIGINT, on SIGHUP and when it asks to', async () => {
    assert.equal((await runMain("say('ready');", ['SIGINT'])).code, 0);
    assert.equal((await runMain("say('ready');", ['SIGHUP'])).code, 0);
    assert.deepEqual(await runMain(`${twoResources} running.stop('done');`), {
      code: 0,
      out: 'second\nfirst\n',
      err: '',
    });
  });

  test('ends with one sentence on an operational failure, whatever had been started', async () => {
    assert.deepEqual(await runMain(`${twoResources} throw ${full};`), {
      code: 1,
      out: 'second\nfirst\n',
      err: 'the disk is full\n',
    });
  });

  test('can fail while it runs', async () => {
    const ending = await runMain(`${twoResources} setTimeout(() => running.fail(${full}), 10);`);
    assert.deepEqual(ending, { code: 1, out: 'second\nfirst\n', err: 'the disk is full\n' });
  });

  test('knows the operational errors of other packages', async () => {
    const ending = await runMain(
      "throw new RangeError('the store is damaged');",
      [],
      '{ operationalErrors: [RangeError] }',
    );
    assert.deepEqual(ending, { code: 1, out: '', err: 'the store is damaged\n' });
  });

  test('logs an operational failure with its code and details', async () => {
    const log = "running.logTo(createLog({ name: 'x', level: 'info', destination: 'stdout' }));";
    const line = JSON.parse((await runMain(`${log} throw ${full};`)).out.split('\n')[0] ?? '') as Record<
      string,
      unknown
    >;
    assert.deepEqual(
      [line['msg'], line['code'], line['details']],
      ['the disk is full', 'file-unwritable', { file: 'f', reason: 'r' }],
    );
  });

  test('logs anything unexpected with its stack and exits with 70', async () => {
    for (const body of [
      "throw new Error('bug');",
      "setTimeout(() => { throw new Error('bug'); });",
      "Promise.reject(new Error('bug'));",
    ]) {
      const { code, err } = await runMain(body);
      assert.equal(code, 70, body);
      assert.match(err, /"msg":"unexpected error"/);
      assert.match(err, /Error: bug\\n +at /);
    }
  });

  test('does not wait for ever for a resource', async () => {
    const ending = await runMain(
      "running.resources.defer(() => new Promise(() => {})); say('ready');",
      ['SIGTERM'],
      '{ stopTimeoutMs: 50 }',
    );
    assert.deepEqual(ending, { code: 70, out: 'ready\n', err: 'stopping took more than 50 ms; ending anyway\n' });
  });

  test('ends at once on a second signal', async () => {
    const body =
      "running.resources.defer(() => { say('disposing'); return new Promise(() => {}); }); process.on('SIGTERM', () => 0); say('ready');";
    assert.equal((await runMain(body, ['SIGTERM', 'SIGINT'])).code, 1);
  });
});
