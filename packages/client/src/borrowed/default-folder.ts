import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Where seats of this product are borrowed to if nothing else is said. */
export function borrowedFolder(product: string, feature = '', env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_DATA_HOME = '', LOCALAPPDATA = '' } = env;
  const local = process.platform === 'win32' && isAbsolute(LOCALAPPDATA) ? LOCALAPPDATA : undefined;
  // A relative one is to be ignored (XDG Base Directory Specification).
  const own = isAbsolute(XDG_DATA_HOME) ? XDG_DATA_HOME : (local ?? join(homedir(), '.local', 'share'));
  // No code has a plus sign in it.
  return join(own, 'trefoil', 'borrowed', feature === '' ? product : `${product}+${feature}`);
}
