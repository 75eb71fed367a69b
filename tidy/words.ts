import ts from 'typescript';
import { placeOf, walk, type Source } from './sources.ts';

const denied: readonly { readonly pattern: RegExp; readonly instead: string }[] = [
  { pattern: /\b(TODO|FIXME|XXX|HACK)\b/, instead: 'file an issue or do it' },
  { pattern: /@ts-(ignore|nocheck|expect-error)/, instead: 'repair the type' },
  { pattern: /\b(oxlint|eslint|biome)-(disable|ignore)(?!.* -- \S)/, instead: 'give the reason after " -- "' },
  { pattern: /\b(whitelist|blacklist)/i, instead: 'say allowed or denied' },
];

const vagueNames = /(^|\/)(common|shared|utils?|lib|misc|helpers?)(\/|\.ts$|\.test\.ts$)/;

export function deniedWords(source: Source): string[] {
  // The list itself has to name what it denies.
  if (source.path.startsWith('tidy/')) return [];
  const complaints = vagueNames.test(source.path) ? [`${source.path}: the name says nothing; name what is in it`] : [];
  source.text.split('\n').forEach((line, index) => {
    for (const { pattern, instead } of denied) {
      const word = pattern.exec(line)?.[0];
      if (word !== undefined) complaints.push(`${source.path}:${index + 1}: "${word}": ${instead}`);
    }
  });
  return complaints;
}

/** Tests that are switched off, and casts that switch the type checker off. */
export function evasions(source: Source): string[] {
  const complaints: string[] = [];
  walk(source.tree, (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword)
      complaints.push(`${placeOf(source, node)}: any; use unknown and a parser`);
    if (!source.isTest) return;
    if (ts.isPropertyAccessExpression(node) && ['only', 'skip', 'todo'].includes(node.name.text)) {
      complaints.push(`${placeOf(source, node)}: .${node.name.text} leaves tests out`);
    }
    if (ts.isPropertyAssignment(node) && ['only', 'skip', 'todo'].includes(node.name.getText(source.tree))) {
      complaints.push(`${placeOf(source, node)}: ${node.name.getText(source.tree)} leaves tests out`);
    }
  });
  return complaints;
}
