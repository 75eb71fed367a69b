import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Instrumenter } from '@stryker-mutator/instrumenter';
import type { Mutant } from './mutant.ts';

const root = join(import.meta.dirname, '../..');

export interface Instrumented {
  /** Text by path from the root: all mutants are in it, each behind a switch. */
  readonly texts: Readonly<Record<string, string>>;
  readonly mutants: readonly Mutant[];
}

/** What is for tests only is not worth a mutant. */
const FOR_TESTS = ['**/*.test.ts', '**/test-*.ts', '**/fixture*.ts', '**/scenarios/**', '**/index.ts'];

export class NoSuchFile extends Error {}

/** Files of the room whose path has one of `parts` in it; all if there is none. */
export async function instrument(room: string, parts: readonly string[]): Promise<Instrumented> {
  const paths = globSync(`packages/${room}/src/**/*.ts`, { cwd: root, exclude: FOR_TESTS }).sort();
  const chosen = paths.filter((path) => parts.length === 0 || parts.some((part) => path.includes(part)));
  if (paths.length === 0) throw new Error(`there is no room packages/${room}`);
  if (chosen.length === 0) throw new NoSuchFile(`no file of ${room} has ${parts.join(' or ')} in its path`);
  const files = chosen.map((name) => ({ name, content: readFileSync(join(root, name), 'utf8'), mutate: true }));
  const instrumenter = new Instrumenter(SILENT);
  const options = { plugins: null, excludedMutations: [], ignorers: [{ shouldIgnore: wordsOfErrors }] };
  const result = await instrumenter.instrument(files, options);
  const lines = new Map(files.map(({ name, content }) => [name, content.split('\n')]));
  const mutants = result.mutants
    .filter((one) => one.statusReason === undefined)
    .map((one): Mutant => {
      const { start, end } = one.location;
      const line = lines.get(one.fileName)?.[start.line] ?? '';
      return {
        ...{ id: one.id, file: one.fileName, line: start.line + 1, column: start.column + 1, kind: one.mutatorName },
        original: line.slice(start.column, start.line === end.line ? end.column : undefined),
        replacement: one.replacement.replaceAll(/\s+/g, ' '),
      };
    });
  return { texts: Object.fromEntries(result.files.map(({ name, content }) => [name, content])), mutants };
}

const SILENT = new Proxy({} as ConstructorParameters<typeof Instrumenter>[0], {
  get: (_, name) => (String(name).startsWith('is') ? () => false : () => undefined),
});

interface Path {
  readonly node: { readonly type: string };
  readonly key?: string | number | null;
  readonly listKey?: string;
  readonly parent?: {
    readonly type: string;
    readonly callee?: { readonly name?: string };
    readonly arguments?: unknown[];
  };
}

/** The sentence in an error is for people: no test should fix each of its words. */
function wordsOfErrors(path: unknown): string | undefined {
  const { node, key, listKey, parent } = path as Path;
  if (!['StringLiteral', 'TemplateLiteral'].includes(node.type) || listKey !== 'arguments') return undefined;
  const callee = parent?.callee?.name ?? '';
  const isLast = key === (parent?.arguments?.length ?? 0) - 1;
  return isLast && (callee === 'malformed' || callee.endsWith('Error')) ? 'words of an error' : undefined;
}
