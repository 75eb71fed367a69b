import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export const root = join(import.meta.dirname, '..');

/** One TypeScript file of this repository, parsed. */
export interface Source {
  /** Path from the root, for example `packages/core/src/voter.ts`. */
  readonly path: string;
  /** The room it stands in: `core`, `sim`, `scripts`. */
  readonly room: string;
  readonly isTest: boolean;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

const folders = '{packages/*/src,packaging,scripts,tidy,vectors,sim,e2e,bench,nemesis,fuzz,mutants}';

/** Every hand-written TypeScript file. Generated code has its own rules, which are its generator's. */
export function readSources(): Source[] {
  return globSync(`${folders}/**/*.{ts,tsx}`, { cwd: root, exclude: ['**/node_modules/**', '**/generated/**'] })
    .sort()
    .map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')));
}

export function parseSource(path: string, text: string): Source {
  const [first = '', second = ''] = path.split('/');
  return {
    path,
    room: first === 'packages' ? second : first,
    isTest: /\.test\.tsx?$/.test(path),
    text,
    tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true),
  };
}

/** Calls `visit` with every node of the file, outermost first. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

/** `packages/core/src/voter.ts:17`, as editors understand it. */
export function placeOf(source: Source, node: ts.Node): string {
  return `${source.path}:${source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1}`;
}
