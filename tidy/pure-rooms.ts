import ts from 'typescript';
import { importsOf } from './imports.ts';
import { placeOf, walk, type Source } from './sources.ts';

const pureRooms = ['license', 'core'];

/** The one file in a pure room that is the border to Node: it implements the crypto port. */
const borders = ['packages/license/src/node-crypto.ts'];

const ambient = new Set(
  (
    'console process globalThis global performance crypto fetch Promise Worker queueMicrotask ' +
    'setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate'
  ).split(' '),
);

/**
 * What makes a pure room impure: clock, randomness, environment, console, timers, Node's modules, and asynchrony.
 * Pure code gives the same effects for the same events, on any machine and in any browser, which is what lets the
 * simulator replay a seed and three servers agree.
 */
export function impurities(source: Source): string[] {
  if (!pureRooms.includes(source.room) || source.isTest || borders.includes(source.path)) return [];
  const complaints: string[] = [];
  for (const { specifier, node } of importsOf(source)) {
    if (!specifier.startsWith('.') && !specifier.startsWith('@trefoil/')) {
      complaints.push(`${placeOf(source, node)}: a pure room imports "${specifier}"`);
    }
  }
  const ownNames = namesDeclaredIn(source);
  walk(source.tree, (node) => {
    const name = impureName(node);
    if (name !== undefined && ownNames.has(name)) return;
    if (name !== undefined) complaints.push(`${placeOf(source, node)}: a pure room uses ${name}`);
  });
  return complaints;
}

function impureName(node: ts.Node): string | undefined {
  if (ts.isAwaitExpression(node) || node.kind === ts.SyntaxKind.AsyncKeyword) return 'async or await';
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) return 'the clock';
  if (ts.isPropertyAccessExpression(node) && ['Date.now', 'Math.random'].includes(node.getText()))
    return node.getText();
  if (ts.isIdentifier(node) && ambient.has(node.text) && isReference(node)) return node.text;
  return undefined;
}

/** Whether an identifier is read as a variable, and is not the name of a property. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  return !ts.isPropertySignature(parent) && !ts.isMethodDeclaration(parent) && !ts.isMethodSignature(parent);
}

/** Names that the file gives to something of its own, such as a parameter `crypto`. */
function namesDeclaredIn(source: Source): Set<string> {
  const names = new Set<string>();
  walk(source.tree, (node) => {
    const declares =
      ts.isParameter(node) ||
      ts.isBindingElement(node) ||
      ts.isVariableDeclaration(node) ||
      ts.isPropertyDeclaration(node) ||
      ts.isImportSpecifier(node);
    if (declares && ts.isIdentifier(node.name)) names.add(node.name.text);
  });
  return names;
}
