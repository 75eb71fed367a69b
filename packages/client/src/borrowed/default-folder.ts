import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where seats of this product are borrowed to if nothing else is said. */
export function borrowedFolder(product: string, feature = '', env: NodeJS.ProcessEnv = process.env): string {
  const own =
    env['XDG_DATA_HOME'] ??
    (process.platform === 'win32' ? env['LOCALAPPDATA'] : undefined) ??
    join(homedir(), '.local', 'share');
  return join(own, 'trefoil', 'borrowed', feature === '' ? product : `${product}.${feature}`);
}
