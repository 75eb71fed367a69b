import { minutes, readOptions, wholeNumber } from '@trefoil/sim/options';
import { leftOut, run, type RunResult } from './run.ts';

const HELP = `npm run -s nemesis -- --minutes 2           faults for two minutes
npm run -s nemesis -- --minutes 2 --seed 7  the same plan of faults again (not the same run: processes are real)

Five real servers and six real clients on this machine, under faults of every kind. Clocks of servers are set with the Debian
package faketime; disks are filled for root only. Exit code 0 if nothing was found.`;

const { values } = readOptions(HELP, {
  options: {
    minutes: { type: 'string', default: '2' },
    seed: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function tell({ findings, counts, entries, longestMs, servedAfterMs }: RunResult): void {
  for (const what of [...counts.keys()].sort())
    process.stdout.write(`${String(counts.get(what)).padStart(9)}  ${what}\n`);
  for (const finding of findings) process.stdout.write(`FOUND: ${finding}\n`);
  const sum = (first: string): number =>
    [...counts].reduce((sum, [what, times]) => sum + (what.startsWith(`${first} `) ? times : 0), 0);
  const missing = leftOut().length === 0 ? '' : `; ${leftOut().join('; ')}`;
  const verdict = `${findings.length === 0 ? 'nothing found' : `${findings.length} findings`}${missing}`;
  process.stdout.write(
    `${sum('fault')} faults, ${sum('request')} requests answered, ${sum('unanswered')} not, ${entries} entries; ` +
      `longest wait ${(longestMs / 1_000).toFixed(1)} s, after mending ${(servedAfterMs / 1_000).toFixed(1)} s; ${verdict}\n`,
  );
}

async function main(): Promise<void> {
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : wholeNumber('--seed', values.seed);
  const forMs = 60_000 * minutes(values.minutes);
  const ended = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => ended.abort());
  // Whatever happens: nothing is left behind.
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${error.stack}\n`);
    ended.abort();
  });
  process.stdout.write(`seed ${seed}\n`);
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const result = await run({ seed, forMs, say, signal: ended.signal });
  tell(result);
  process.exitCode = ended.signal.aborted ? 130 : result.findings.length === 0 ? 0 : 1;
}

if (values.help) process.stdout.write(`${HELP}\n`);
else await main();
process.exit();
