import { parseArgs } from 'node:util';
import { run, type RunResult } from './run.ts';

const HELP = `npm run -s sim -- SEED            one run, told step by step; run it again and it is the same, bit for bit
npm run -s sim -- --seeds 500    that many runs, from --from (default 1) on; a seed that fails is printed

Three license servers, two TMR servers and their clients in one process: the code of the product, with clock, network, disk,
randomness and keys from the seed. Exit code 0 if nothing was found.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    'stop-at-first': { type: 'boolean', default: false },
    bug: { type: 'string' },
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
  for (const what of [...counts.keys()].sort())
    process.stdout.write(`${String(counts.get(what)).padStart(9)}  ${what}\n`);
}

function summary({ faults }: RunResult): string {
  return faults.length === 0 ? 'nothing found' : `${faults.length} faults: ${faults.slice(0, 3).join('; ')}`;
}

async function many(from: number, seeds: number): Promise<void> {
  const counts = new Map<string, number>();
  let failed = 0;
  let entries = 0;
  let simulatedMs = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    const result = await run(seed);
    entries += result.entries;
    simulatedMs += result.simulatedMs;
    for (const [what, count] of result.counts) counts.set(what, (counts.get(what) ?? 0) + count);
    if (result.faults.length > 0) {
      failed++;
      process.stdout.write(`seed ${seed}: ${summary(result)}\n`);
      if (values['stop-at-first']) break;
    }
    if (process.stderr.isTTY) process.stderr.write(`\r${seed - from + 1} of ${seeds}, ${failed} failed `);
  }
  tell(counts);
  const hours = (simulatedMs / 3_600_000).toFixed(1);
  process.stdout.write(`${seeds} seeds, ${entries} entries, ${hours} simulated hours, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

if (values.help || (positionals.length === 0 && values.seeds === undefined)) process.stdout.write(`${HELP}\n`);
else if (values.seeds !== undefined) await many(Number(values.from), Number(values.seeds));
else await one(Number(positionals[0]));
process.exit();
