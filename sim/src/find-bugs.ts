import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BUGS } from './bugs.ts';

const HELP = `npm run -s sim:bugs [-- --seeds 1000] [--only NAME]

Puts each bug of sim/src/bugs.ts into the product, one at a time, and looks for it with the simulator. Exit code 0 if every one
is found within that many seeds.`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

interface Found {
  readonly seeds: number | undefined;
  readonly what: string;
}

function look(bug: string): Promise<Found> {
  const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
  const search = ['--seeds', values.seeds, '--workers', '1', '--stop-at-first', '--bug', bug];
  const child = spawn(process.execPath, ['--import', path('bug-loader.ts'), path('main.ts'), ...search], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let complaint = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (complaint += data.toString()));
  return new Promise((resolve) => {
    child.on('close', () => {
      const hit = /^seed (\d+): (.*)$/m.exec(output);
      if (hit !== null) resolve({ seeds: Number(hit[1]), what: hit[2] ?? '' });
      else resolve({ seeds: undefined, what: complaint.trim().split('\n').slice(-6).join(' ') });
    });
  });
}

async function main(): Promise<void> {
  const waiting = BUGS.filter((bug) => values.only === undefined || bug.name === values.only);
  const total = waiting.length;
  let found = 0;
  const worker = async (): Promise<void> => {
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      const { seeds, what } = await look(bug.name);
      if (seeds !== undefined) found++;
      const verdict = seeds === undefined ? `NOT FOUND ${what}` : `seed ${String(seeds).padStart(4)}  ${what}`;
      process.stdout.write(`${bug.name.padEnd(62)} ${verdict.slice(0, 140)}\n`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  process.stdout.write(`${found} of ${total} bugs found\n`);
  process.exitCode = found === total ? 0 : 1;
}

if (values.help) process.stdout.write(`${HELP}\n`);
else await main();
