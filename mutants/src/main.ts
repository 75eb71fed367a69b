import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { chosen, readOptions, wholeNumber } from '@trefoil/sim/options';
import { instrument, NoSuchFile } from './instrument.ts';
import type { Fate, Mutant, TestCoverage } from './mutant.ts';
import { WorkerHandle } from './worker-handle.ts';

const HELP = `npm run -s mutants -- license             changes packages/license in every place: does a test notice?
npm run -s mutants -- core voter/ base    only files whose path has one of these in it

Each survivor is printed as it is found. "static" is what runs only when a file is loaded; it is not tried. Exit code 0 whatever the
score.`;

/** Beside what its tests usually take. */
const GRACE_MS = 10_000;

const { values, positionals } = readOptions(HELP, {
  allowPositionals: true,
  options: {
    workers: { type: 'string', default: String(availableParallelism()) },
    help: { type: 'boolean', default: false },
  },
});

class Session {
  readonly fates = new Map<string, Fate>();
  readonly #mutants: readonly Mutant[];
  readonly #tests: readonly TestCoverage[];
  readonly #whenLoaded: ReadonlySet<string>;

  constructor(mutants: readonly Mutant[], tests: readonly TestCoverage[], whenLoaded: readonly string[]) {
    this.#mutants = mutants;
    this.#tests = [...tests].sort((a, b) => a.tookMs - b.tookMs);
    this.#whenLoaded = new Set(whenLoaded);
  }

  async run(workers: readonly WorkerHandle[]): Promise<void> {
    const waiting = [...this.#mutants];
    await Promise.all(
      workers.map(async (worker) => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
          const fate = await this.#fate(next, worker);
          this.fates.set(next.id, fate);
          if (fate === 'survived' || fate === 'uncovered') process.stdout.write(`${sentenceOf(next, fate)}\n`);
          if (process.stderr.isTTY) process.stderr.write(`\r${this.fates.size} of ${this.#mutants.length} `);
        }
      }),
    );
  }

  async #fate({ id }: Mutant, worker: WorkerHandle): Promise<Fate> {
    const covering = this.#tests.filter(({ hits }) => hits[id] !== undefined);
    if (covering.length === 0) return this.#whenLoaded.has(id) ? 'static' : 'uncovered';
    const order = {
      kind: 'try',
      mutant: id,
      tests: covering.map(({ test }) => test),
      hitLimit: 1_000 + 100 * Math.max(...covering.map(({ hits }) => hits[id] ?? 0)),
    } as const;
    const withinMs = GRACE_MS + 10 * covering.reduce((sum, { tookMs }) => sum + tookMs, 0);
    for (let attempt = 1; ; attempt++) {
      const said = await worker.ask(order, withinMs);
      if (said?.kind !== 'tried') return 'hung';
      if (said.spoiled) worker.end(); // an earlier mutant may have left something behind: once more, in a fresh process
      if (!said.spoiled || attempt === 2) return said.by === undefined ? 'survived' : 'killed';
    }
  }
}

async function main(room: string, parts: readonly string[], count: number): Promise<void> {
  const workers: WorkerHandle[] = [];
  try {
    const { texts, mutants } = await instrument(room, parts);
    const testFiles = globSync(`packages/${room}/src/**/*.test.ts`).sort();
    for (let i = 0; i < count; i++) workers.push(new WorkerHandle(texts, testFiles));
    const [first] = workers;
    const covered = await first?.ask({ kind: 'cover' }, 600_000);
    if (covered?.kind === 'broken') throw new Error(`without a mutant "${covered.test}" fails: ${covered.reason}`);
    if (covered?.kind !== 'covered') throw new Error('the tests do not come to their end');
    const session = new Session(mutants, covered.tests, covered.whenLoaded);
    await session.run(workers);
    report(mutants, session.fates);
  } finally {
    for (const worker of workers) worker.end();
  }
}

function sentenceOf({ file, line, column, kind, original, replacement }: Mutant, fate: Fate): string {
  return `${file}:${line}:${column} ${fate} ${kind}: ${original} → ${replacement.slice(0, 100)}`;
}

function report(mutants: readonly Mutant[], fates: ReadonlyMap<string, Fate>): void {
  const files = new Map<string, Mutant[]>();
  for (const one of mutants) files.set(one.file, [...(files.get(one.file) ?? []), one]);
  for (const [name, inFile] of [...files, ['all', mutants] as const]) {
    const count = (...wanted: Fate[]): number =>
      inFile.filter(({ id }) => wanted.includes(fates.get(id) ?? 'static')).length;
    const killed = count('killed', 'hung');
    const tried = killed + count('survived', 'uncovered');
    const score = tried === 0 ? '–' : `${((100 * killed) / tried).toFixed(1)} %`;
    process.stdout.write(`${score.padStart(8)}  ${killed} of ${tried} noticed, ${count('static')} static  ${name}\n`);
  }
}

const [room, ...parts] = positionals;
if (values.help || room === undefined) process.stdout.write(`${HELP}\n`);
else {
  chosen(
    'room',
    globSync('packages/*')
      .map((path) => path.slice('packages/'.length))
      .sort(),
    room,
  );
  await main(room, parts, wholeNumber('--workers', values.workers)).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof NoSuchFile ? 2 : 1;
  });
}
