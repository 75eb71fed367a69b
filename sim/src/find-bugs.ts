import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Bug, BUGS } from './bugs.ts';
import { chosen, readOptions, wholeNumber } from './options.ts';

const HELP = `npm run -s sim:bugs [-- --seeds 1000] [--only NAME]

Puts each bug of sim/src/bugs.ts into the product, one at a time, and looks for it with the simulator, and where a bug
is known to need many steps in one order, with the explorer: some 40 minutes on two cores. Exit code 0 if every one is found.`;

const { values } = readOptions(HELP, {
  options: {
    seeds: { type: 'string', default: '1000' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const HERE = import.meta.dirname;

/** What one program said, with this bug in the product. */
function output(bug: Bug, program: string, ...options: readonly string[]): Promise<string> {
  const loader = ['--max-old-space-size=8192', '--import', join(HERE, 'bug-loader.ts')];
  return saidBy([...loader, join(HERE, program), ...options], { SEEDED_BUG: bug.name });
}

function saidBy(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
  return new Promise((resolve) => child.on('close', () => resolve(said)));
}

/** By whom it was found, and what was seen; undefined = by nobody. */
async function look(bug: Bug): Promise<string | undefined> {
  const said = await output(bug, 'main.ts', '--seeds', values.seeds, '--workers', '1', '--stop-at-first');
  const hit = /^seed (\d+): (?:\d+ faults: )?(.*)$/m.exec(said);
  if (hit?.[1] !== undefined) {
    const without = await saidBy([join(HERE, 'main.ts'), hit[1]]);
    // It has to be this bug that was found.
    if (!without.endsWith('nothing found\n')) throw new Error(`seed ${hit[1]} fails without the bug, too`);
  }
  if (hit !== null) return `seed ${String(hit[1]).padStart(4)}  ${hit[2]}`;
  // Without its last line of totals it has not searched at all.
  if (!/ 0 failed$/m.test(said)) throw new Error(`${bug.name}: ${said.trim().split('\n').slice(-6).join('\n')}`);
  if (bug.explored === undefined) return undefined;
  const explored = await output(bug, 'explore/main.ts', '--states', '2000000', '--only', bug.explored);
  const steps = explored.split('\n').filter((line) => line.startsWith('> '));
  return steps.length === 0 ? undefined : `explorer   ${steps.length} steps`;
}

async function main(): Promise<void> {
  wholeNumber('--seeds', values.seeds);
  const names = chosen(
    'bug',
    BUGS.map(({ name }) => name),
    values.only,
  );
  // Those that take long come last.
  const waiting = BUGS.filter(({ name }) => names.includes(name)).sort(
    (a, b) => Number(a.explored !== undefined) - Number(b.explored !== undefined),
  );
  const total = waiting.length;
  let found = 0;
  const worker = async (): Promise<void> => {
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      // What could not be tried is told like what was not found, and the others are still tried.
      let tried = true;
      const how = await look(bug).catch((error: unknown) => {
        tried = false;
        return error instanceof Error ? error.message.replaceAll('\n', ' ') : String(error);
      });
      if (tried && how !== undefined) found++;
      process.stdout.write(
        `${bug.name.padEnd(62)} ${`${tried ? '' : 'NOT TRIED: '}${how ?? 'NOT FOUND'}`.slice(0, 140)}\n`,
      );
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  process.stdout.write(`${found} of ${total} bugs found\n`);
  process.exitCode = found === total ? 0 : 1;
}

if (values.help) process.stdout.write(`${HELP}\n`);
else await main();
