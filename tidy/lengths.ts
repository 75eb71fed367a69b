import ts from 'typescript';
import { placeOf, walk, type Source } from './sources.ts';

/** Aim at 200; past this a file has become two files. */
const maximumFileLines = 400;
/** Aim at 25; past this a function hides its own outline. */
const maximumFunctionLines = 70;
const maximumLineColumns = 140;

export function overlongFiles(source: Source): string[] {
  const lines = source.text.split('\n');
  const complaints: string[] = [];
  if (lines.length - 1 > maximumFileLines) {
    complaints.push(`${source.path}: ${lines.length - 1} lines, at most ${maximumFileLines}`);
  }
  lines.forEach((line, index) => {
    if (line.length > maximumLineColumns) {
      complaints.push(`${source.path}:${index + 1}: ${line.length} columns, at most ${maximumLineColumns}`);
    }
  });
  return complaints;
}

export function overlongFunctions(source: Source): string[] {
  const complaints: string[] = [];
  walk(source.tree, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return;
    // A suite of tests is a list, not a function to follow.
    if (source.isTest && ts.isCallExpression(node.parent)) return;
    const line = (position: number) => source.tree.getLineAndCharacterOfPosition(position).line;
    const lines = line(node.getEnd()) - line(node.getStart(source.tree)) + 1;
    if (lines > maximumFunctionLines) {
      complaints.push(`${placeOf(source, node)}: a function of ${lines} lines, at most ${maximumFunctionLines}`);
    }
  });
  return complaints;
}
