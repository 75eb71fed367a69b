import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { eventually, trefoil, trefoilMain } from './running-group.ts';

interface Figures {
  readonly granted: number;
  readonly denied: number;
  readonly failedCalls: number;
  readonly licenseServerKill: { readonly maxGapMs: number };
  readonly tmrServerKill: { readonly maxGapMs: number };
  readonly caughtUp: boolean;
  readonly afterUpdate: { readonly quantity: number; readonly granted: number };
  readonly singleConstituent: string;
  readonly offlineVerified: boolean;
  readonly secondsTaken: number;
}

test('the demo tells its story to the end, and its figures hold', { timeout: 120_000 }, async () => {
  const { code, stdout, stderr } = await trefoil(['demo', '--once', '--json']);
  assert.equal(code, 0, stderr);
  const figures = JSON.parse(stdout) as Figures;
  assert.equal(figures.granted, 5);
  assert.equal(figures.denied, 3);
  assert.equal(figures.failedCalls, 0);
  assert.deepEqual(figures.afterUpdate, { quantity: 6, granted: 6 });
  assert.equal(figures.singleConstituent, 'refused');
  assert.equal(figures.offlineVerified, true);
  assert.equal(figures.caughtUp, true);
  assert.ok(figures.secondsTaken < 90, `took ${String(figures.secondsTaken)} s`);
  // Gaps are aims: printed beside their targets, no reason to fail.
  const { licenseServerKill, tmrServerKill } = figures;
  process.stderr.write(`license server killed: longest gap ${licenseServerKill.maxGapMs} ms (aim 20)\n`);
  process.stderr.write(`active TMR server killed: longest gap ${tmrServerKill.maxGapMs} ms (aim 250)\n`);
});

interface Interrupted {
  readonly code: number | null;
  readonly said: string;
  /** What is left in the folder for temporary files. */
  readonly left: readonly string[];
  /** Processes that have it open or in their arguments. */
  readonly running: () => Promise<readonly string[]>;
}

/** Sends the demo a signal as soon as it says that. */
async function interrupt(signal: NodeJS.Signals, word: string, directory: string): Promise<Interrupted> {
  const env = { ...process.env, TMPDIR: directory };
  const child = spawn(process.execPath, [trefoilMain, 'demo'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      said += `${line}\n`;
      if (line.includes(word)) child.kill(signal);
    });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { code, said, left: await readdir(directory), running: () => processesOf(directory) };
}

async function processesOf(directory: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name))) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(directory)) found.push(command.replaceAll('\0', ' '));
  }
  return found;
}

test('Ctrl-C in the middle of the story stops all processes and removes all keys', { timeout: 90_000 }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-e2e-demo-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const { code, said, left, running } = await interrupt('SIGINT', '4. kill', directory);
  assert.equal(code, 130, said);
  assert.match(said, /ended before the story was over/);
  assert.doesNotMatch(said, /\n\s+at |Node\.js v/, 'no stack trace');
  assert.deepEqual(left, []);
  assert.deepEqual(await running(), []);
});

test('kill −9 of the demo ends its servers, too', { timeout: 90_000 }, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-e2e-demo-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const { running } = await interrupt('SIGKILL', '4. kill', directory);
  await eventually('no process is left', 15_000, async () => (await running()).length === 0);
});
