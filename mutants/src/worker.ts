import { realpathSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { tests } from './harness.ts';
import type { FromWorker, TestCoverage, ToWorker } from './mutant.ts';

const root = realpathSync(join(import.meta.dirname, '../..'));
const byUrl = new Map<string, string>();
const urlOf = (path: string): string => pathToFileURL(join(root, path)).href;
const harness = new URL('./harness.ts', import.meta.url).href;

/** What the instrumented texts share; its names are Stryker's. */
interface Switches {
  activeMutant?: string | undefined;
  hitCount?: number | undefined;
  hitLimit?: number | undefined;
  currentTestId?: string | undefined;
  mutantCoverage?: { static: Record<string, number>; perTest: Record<string, Record<string, number>> } | undefined;
}
const switches: Switches = {};
Object.assign(globalThis, { __stryker__: switches });

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'node:test'
      ? { url: harness, format: 'module-typescript', shortCircuit: true }
      : next(specifier, context),
  load(url, context, next) {
    const loaded = next(url, context);
    const text = byUrl.get(url);
    return text === undefined ? loaded : { ...loaded, source: text };
  },
});

/** The first failure says enough: nobody will look for the smallest one. */
fc.configureGlobal({ endOnFailure: true });

function say(said: FromWorker): void {
  process.send?.(said);
}

async function fails(test: number): Promise<string | undefined> {
  try {
    await tests[test]?.run();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function cover(): Promise<void> {
  const coverage = (switches.mutantCoverage ??= { static: {}, perTest: {} });
  const covered: TestCoverage[] = [];
  for (const [test, { name }] of tests.entries()) {
    switches.currentTestId = String(test + 1);
    const startedAt = performance.now();
    const reason = await fails(test);
    if (reason !== undefined) return say({ kind: 'broken', test: name, reason });
    const hits = coverage.perTest[String(test + 1)] ?? {};
    covered.push({ test, name, tookMs: performance.now() - startedAt, hits });
  }
  say({ kind: 'covered', tests: covered, whenLoaded: Object.keys(coverage.static) });
}

async function attempt({ mutant, tests: chosen, hitLimit }: ToWorker & { kind: 'try' }): Promise<void> {
  for (const test of chosen) {
    Object.assign(switches, { activeMutant: mutant, hitCount: 0, hitLimit });
    const reason = await fails(test);
    switches.activeMutant = undefined;
    if (reason === undefined) continue;
    const spoiled = (await fails(test)) !== undefined;
    return say({ kind: 'tried', by: tests[test]?.name ?? '', spoiled });
  }
  say({ kind: 'tried', by: undefined, spoiled: false });
}

async function load({ texts, testFiles }: ToWorker & { kind: 'load' }): Promise<void> {
  for (const [path, text] of Object.entries(texts)) byUrl.set(urlOf(path), text);
  for (const file of testFiles) await import(urlOf(file));
  say({ kind: 'ready' });
}

function obey(order: ToWorker): Promise<void> {
  switch (order.kind) {
    case 'load':
      return load(order);
    case 'cover':
      return cover();
    case 'try':
      return attempt(order);
  }
}

process.on('disconnect', () => process.exit());
process.on('message', (order: ToWorker) => void obey(order));
