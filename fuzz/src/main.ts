import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { minutes, readOptions } from '@trefoil/sim/options';

const HELP = `npm run -s fuzz                    every reader of outside bytes, in turn, for ten minutes in all
npm run -s fuzz -- --minutes 60    for an hour

Bent and random bytes for the readers of all rooms (packages/*/src/**/fuzz.test.ts). A failure prints fast-check's seed and path and
the smallest bytes that fail. Exit code 0 if nothing was found.`;

const { values } = readOptions(HELP, {
  options: { minutes: { type: 'string', default: '10' }, help: { type: 'boolean', default: false } },
});

/** As many as there are calls of fuzz in these files: so each gets its share of the time. */
function countTargets(files: readonly string[]): number {
  const { stdout } = spawnSync('grep', ['-hoE', '\\bfuzz\\(', ...files], { encoding: 'utf8' });
  return stdout.split('\n').length - 1;
}

if (values.help) process.stdout.write(`${HELP}\n`);
else {
  const total = minutes(values.minutes);
  const files = globSync('packages/*/src/**/fuzz.test.ts').sort();
  const forMs = Math.max(100, Math.floor((60_000 * total) / countTargets(files)));
  const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...files], {
    stdio: 'inherit',
    env: { ...process.env, TREFOIL_FUZZ_MS: String(forMs) },
  });
  const verdict = status === 0 ? 'nothing found' : status === null ? 'stopped' : 'see what failed above';
  process.stdout.write(`${countTargets(files)} readers in ${files.length} files, ${total} minutes: ${verdict}\n`);
  process.exitCode = status ?? 130;
}
