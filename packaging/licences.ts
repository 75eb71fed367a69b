import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './bundle.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly author?: string | { readonly name: string };
}

/** What the package's copyright file says: our licence, then that of each package whose code is in the bundle. */
export async function copyright(folders: readonly string[]): Promise<string> {
  const own = await readFile(join(root, 'LICENSE'), 'utf8');
  const others = await Promise.all(folders.map(sectionOf));
  const intro =
    'Trefoil is under the Apache License 2.0, which follows. Node.js comes along under its own licence, in LICENSE.node beside\n' +
    'this file. The programs contain code of other packages, each under the licence that stands at the end of this file.\n';
  return [intro, own, ...others].join(`\n${'-'.repeat(80)}\n\n`);
}

async function sectionOf(folder: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')) as Manifest;
  const { name, version, license, author } = manifest;
  const by = typeof author === 'object' ? author.name : author;
  const title = `${name} ${version}${by === undefined ? '' : `, by ${by}`}: ${license ?? 'see below'}\n`;
  const file = (await readdir(join(root, folder))).find((one) => /^licen[cs]e(\.(txt|md))?$/i.test(one));
  if (file !== undefined) return `${title}\n${await readFile(join(root, folder, file), 'utf8')}`;
  if (license === undefined) throw new Error(`${folder} says nothing of its licence; leave it out of the bundle`);
  return title;
}
