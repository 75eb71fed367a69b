import { availableParallelism } from 'node:os';
import { crowd } from './crowd.ts';
import { runMany } from './many.ts';
import { misused, readOptions, wholeNumber } from './options.ts';
import { run, type RunResult } from './run.ts';

const HELP = `npm run -s sim -- SEED            one run, told step by step; run it again and it is the same, bit for bit
npm run -s sim -- --seeds 500    that many runs, from --from (default 1) on; a seed that fails is printed
npm run -s sim -- --crowd 10000  so many clients, whose TMR server dies: all come back at once

Three license servers, two TMR servers and their clients in one process: the code of the product, with clock, network, disk,
randomness and keys from the seed. Many runs are shared out to as many processes as there are cores (--workers). Exit code 0 if
nothing was found.`;

const { values, positionals } = readOptions(HELP, {
  allowPositionals: true,
  options: {
    seeds: { type: 'string' },
    crowd: { type: 'string' },
    from: { type: 'string' },
    workers: { type: 'string' },
    'stop-at-first': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function one(seed: number): Promise<void> {
  process.stdout.write(`seed ${seed}\n`);
  const result = await run(seed);
  for (const note of result.notes) process.stdout.write(`${note}\n`);
  tell(result.counts);
  process.stdout.write(`trace ${result.traceHash}, ${result.entries} entries, ${summary(result)}\n`);
  process.exitCode = result.faults.length === 0 ? 0 : 1;
}

function tell(counts: ReadonlyMap<string, number>): void {
  const width = Math.max(0, ...[...counts.values()].map((count) => inThousands(count).length));
  for (const what of [...counts.keys()].sort())
    process.stdout.write(`${inThousands(counts.get(what) ?? 0).padStart(width + 2)}  ${what}\n`);
}

function inThousands(count: number): string {
  return count.toLocaleString('en-US');
}

function summary({ faults }: RunResult): string {
  return faults.length === 0 ? 'nothing found' : `${faults.length} faults: ${faults.slice(0, 3).join('; ')}`;
}

async function many(from: number, seeds: number): Promise<void> {
  if (from + seeds > 2 ** 32) misused(`from ${from} on there are not ${seeds} seeds: the last is ${2 ** 32 - 1}`);
  let failedSoFar = 0;
  let doneSoFar = 0;
  for (const [signal, code] of Object.entries({ SIGINT: 130, SIGTERM: 143 }))
    process.once(signal, () => {
      process.stdout.write(
        `stopped: ${inThousands(doneSoFar)} of ${inThousands(seeds)} seeds, ${failedSoFar} failed\n`,
      );
      process.exit(code);
    });
  const onResult = (result: RunResult): void => {
    doneSoFar++;
    if (result.faults.length > 0) {
      failedSoFar++;
      process.stdout.write(`seed ${result.seed}: ${summary(result)}\n`);
    }
    if (process.stderr.isTTY) process.stderr.write(`\r${doneSoFar} of ${seeds}, ${failedSoFar} failed `);
  };
  const plan = {
    from,
    seeds,
    workers: wholeNumber('--workers', values.workers ?? String(availableParallelism())),
    stopAtFirst: values['stop-at-first'],
    onResult,
  };
  const totals = await runMany(plan);
  tell(totals.counts);
  const hours = (totals.simulatedMs / 3_600_000).toFixed(totals.simulatedMs < 360_000 ? 3 : 1);
  process.stdout.write(
    `${inThousands(totals.seeds)} seeds, ${inThousands(totals.entries)} entries, ${hours} hours of a cluster, ` +
      `back ${inThousands(Math.round(totals.backAfterMs))} ms after mending at most, ${totals.failed.length} failed\n`,
  );
  process.exitCode = totals.failed.length === 0 ? 0 : 1;
}

async function comeBack(clients: number): Promise<void> {
  const { faults, seatsLost, allRenewedAfterMs, simulatedMs } = await crowd(clients);
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.stdout.write(
    `${inThousands(clients)} clients: all renewed ${allRenewedAfterMs} ms after their TMR server died, ` +
      `${seatsLost} seats lost, ${simulatedMs / 1_000} s simulated, ${faults.length} faults\n`,
  );
  process.exitCode = faults.length === 0 && seatsLost === 0 ? 0 : 1;
}

const asked = [positionals.length > 0, values.seeds !== undefined, values.crowd !== undefined].filter(Boolean);
if (!values.help && (asked.length > 1 || positionals.length > 1))
  misused('one seed, or --seeds, or --crowd: only one of them at a time');
if (values.seeds === undefined && (values.from ?? values.workers) !== undefined && !values.help)
  misused('--from and --workers are for --seeds');
if (values.help) process.stdout.write(`${HELP}\n`);
else if (asked.length === 0) misused(`${HELP}\n\nwhat is to be run: one seed, --seeds, or --crowd?`);
else if (values.crowd !== undefined) await comeBack(wholeNumber('--crowd', values.crowd));
else if (values.seeds !== undefined)
  await many(wholeNumber('--from', values.from ?? '1'), wholeNumber('--seeds', values.seeds));
else await one(wholeNumber('the seed', positionals[0]));
process.exit();
