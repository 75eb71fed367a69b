import { chosen, readOptions, wholeNumber } from '../options.ts';
import type { Bounds } from './adversary.ts';
import { explore } from './explore.ts';

const CASES: Readonly<Record<string, Bounds>> = {
  'two epochs, one entry': { epochs: [2, 3], contents: ['xy'], rollbacks: 0 },
  'two epochs, two entries': { epochs: [2, 3], contents: ['xy', 'xy'], rollbacks: 0 },
  'two epochs, one entry, one rollback': { epochs: [2, 3], contents: ['xy'], rollbacks: 1 },
  'two epochs, two entries, one rollback, all alone': {
    ...{ epochs: [2, 3], contents: ['x', 'x'], rollbacks: 1, alone: true },
  },
  'two epochs, three entries': { epochs: [2, 3], contents: ['xy', 'xy', 'xy'], rollbacks: 0 },
  'three epochs, two entries': { epochs: [2, 3, 4], contents: ['x', 'xy'], rollbacks: 0 },
  'three epochs, one entry': { epochs: [2, 3, 4], contents: ['xy'], rollbacks: 0 },
};

const HELP = `npm run -s sim:explore [-- --states 800000] [--only NAME]

Everything that lying TMR servers can do to three license servers within small bounds, with the shipped step function: some twenty
minutes for all. "Safe so far": there were more states than --states. Exit code 0 if no way leads to two certificates for one
index or to an old start; else the shortest one is printed. NAME is one of:
${Object.keys(CASES)
  .map((name) => `  ${name}\n`)
  .join('')}`;

const { values } = readOptions(HELP, {
  options: {
    states: { type: 'string', default: '800000' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function main(): void {
  let found = 0;
  const unfinished: string[] = [];
  let states = 0;
  const limit = wholeNumber('--states', values.states);
  for (const name of chosen('case', Object.keys(CASES), values.only)) {
    const bounds = CASES[name] as Bounds;
    const since = performance.now();
    const progress = (done: number): void => {
      if (process.stderr.isTTY) process.stderr.write(`\r${name}: ${done} states `);
    };
    const result = explore(bounds, limit, progress);
    states += result.states;
    if (!result.exhausted) unfinished.push(name);
    const seconds = ((performance.now() - since) / 1_000).toFixed(1);
    const how =
      result.counterexample !== undefined
        ? result.counterexample.what.toUpperCase()
        : result.exhausted
          ? 'exhausted, safe'
          : 'safe so far';
    const counts = `${String(result.states).padStart(8)} states ${String(result.steps).padStart(10)} steps`;
    process.stdout.write(`${name.padEnd(40)}${counts}  depth ${result.depth}  ${seconds} s  ${how}\n`);
    if (result.counterexample === undefined) continue;
    found++;
    process.stdout.write(`${result.counterexample.way.join('\n')}\n`);
  }
  const rest = unfinished.length === 0 ? 'all of them' : `not all of: ${unfinished.join('; ')}`;
  process.stdout.write(`${states} states (${rest}), ${found} ways to a fork or an old start\n`);
  process.exitCode = found === 0 ? 0 : 1;
}

if (values.help) process.stdout.write(`${HELP}\n`);
else main();
