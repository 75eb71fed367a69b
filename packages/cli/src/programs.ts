import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServerFolder } from './group/loopback-group.ts';

/** In a package all code lies in one folder, as JavaScript. */
const packaged = import.meta.url.endsWith('.js');

/** The files that are started as processes of their own. */
export const programs = {
  trefoil: placeOf('./main.ts'),
  demoClient: placeOf('./demo/client-process.ts'),
  endWithParent: placeOf('./group/end-with-parent.ts'),
};

export function serverProgram(kind: ServerFolder['kind']): string {
  if (packaged) return placeOf(`./${kind}.ts`);
  return fileURLToPath(import.meta.resolve(`@trefoil/${kind}`).replace(/index\.ts$/, 'main.ts'));
}

function placeOf(file: string): string {
  return fileURLToPath(new URL(packaged ? `./${basename(file, '.ts')}.js` : file, import.meta.url));
}
