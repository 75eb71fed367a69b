import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './sources.ts';

/** The texts that others cite by paragraph. */
const cited = ['PROTOCOL', 'FORMATS'] as const;

const citing = [
  '{packages/*/src,e2e,bench,sim,nemesis,fuzz,mutants,tidy,scripts}/**/*.{ts,txt}',
  'packages/api/proto/**/*.proto',
  '*.md',
  'docs/**/*.md',
];

/** The numbers of a document's headings: `## 3 …` and `### 3.2 …`. */
export function paragraphsOf(text: string): Set<string> {
  return new Set([...text.matchAll(/^#{2,4} (\d+(?:\.\d+)*) /gm)].map((match) => match[1] as string));
}

/** Citations of paragraphs that are not there, as `PROTOCOL §3.2`, also in a row: `(PROTOCOL §5.3, §5.4)`. */
export function danglingCitations(
  path: string,
  text: string,
  paragraphs: Readonly<Record<string, Set<string>>>,
): string[] {
  const complaints: string[] = [];
  text.split('\n').forEach((line, index) => {
    for (const [row, document] of line.matchAll(/\b(PROTOCOL|FORMATS) §\d+(?:\.\d+)*(?:(?:,| and) §\d+(?:\.\d+)*)*/g))
      for (const [, number] of row.matchAll(/§(\d+(?:\.\d+)*)/g))
        if (paragraphs[document as string]?.has(number as string) === false)
          complaints.push(`${path}:${index + 1}: there is no ${document} §${number}`);
  });
  return complaints;
}

export function allDanglingCitations(): string[] {
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  const paragraphs = Object.fromEntries(cited.map((name) => [name, paragraphsOf(read(`docs/${name}.md`))]));
  const files = citing.flatMap((pattern) => globSync(pattern, { cwd: root, exclude: ['**/node_modules/**'] }));
  return files.sort().flatMap((path) => danglingCitations(path, read(path), paragraphs));
}
