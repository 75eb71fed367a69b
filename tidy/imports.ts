import { posix } from 'node:path';
import ts from 'typescript';
import { placeOf, walk, type Source } from './sources.ts';

const all = ['api', 'client', 'container', 'core', 'host', 'license', 'license-server', 'link', 'tmr-server', 'vendor'];

/** Which room may import which: imports go one way, so that a reader can stop at any room's border. */
export const importTable: Readonly<Record<string, readonly string[]>> = {
  license: [],
  core: ['license'],
  api: ['license'],
  link: ['api'],
  host: ['api'],
  container: ['license', 'host'],
  'license-server': ['core', 'container', 'link', 'host', 'api', 'license'],
  'tmr-server': ['core', 'link', 'host', 'api', 'license'],
  client: ['container', 'link', 'host', 'api', 'license'], // container and host: for borrowed seats
  vendor: ['container', 'license'],
  central: ['vendor', 'host', 'api', 'license'],
  cli: all,
  web: ['api', 'license'],
  sim: ['core', 'license', 'client', 'license-server', 'tmr-server', 'container', 'host', 'link', 'api'], // what it replaces or runs
  e2e: ['cli', 'client', 'vendor', 'link', 'api', 'license'], // link and api: strangers who speak to a port without the SDK
  bench: ['cli', 'client', 'core', 'license', 'license-server'], // the latter: the ledger alone, as large as it may become, and its disk
  // Checks as the simulator does, and reads the stores that the servers have left.
  nemesis: ['cli', 'client', 'sim', 'link', 'api', 'license', 'license-server', 'core'],
  fuzz: ['sim'], // how options are read
  mutants: ['sim'],
  vectors: ['license'],
  packaging: [],
  scripts: [],
  tidy: [],
};

/** Imports that the table does not allow, or that reach into another room past its public surface. */
export function forbiddenImports(source: Source): string[] {
  const complaints: string[] = [];
  for (const { specifier, node } of importsOf(source)) {
    const room = /^@trefoil\/([^/]+)/.exec(specifier)?.[1];
    const allowed = importTable[source.room];
    if (allowed === undefined) complaints.push(`${source.path}: the room "${source.room}" is not in the import table`);
    else if (room !== undefined && !allowed.includes(room) && !(source.isTest && room === 'fuzz')) {
      complaints.push(`${placeOf(source, node)}: ${source.room} may not import ${room}`);
    } else if (specifier.startsWith('.') && leavesItsRoom(source, specifier)) {
      complaints.push(`${placeOf(source, node)}: "${specifier}" leaves the room; import the package by its name`);
    }
  }
  return complaints;
}

export function importsOf(source: Source): { specifier: string; node: ts.Node }[] {
  const found: { specifier: string; node: ts.Node }[] = [];
  walk(source.tree, (node) => {
    const target =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : undefined;
    if (target !== undefined && ts.isStringLiteralLike(target)) found.push({ specifier: target.text, node });
  });
  return found;
}

function leavesItsRoom(source: Source, specifier: string): boolean {
  const room = source.path.startsWith('packages/') ? `packages/${source.room}/` : `${source.room}/`;
  return !posix.join(posix.dirname(source.path), specifier).startsWith(room);
}
