import { createRequire } from 'node:module';
import type koffi from 'koffi';

const LOCK_EX = 2;
const LOCK_NB = 4;

type Flock = (descriptor: number, operation: number) => number;
let known: Flock | undefined | 'not looked for' = 'not looked for';

/**
 * Locks an open file for nobody else, until the process ends or closes it: the kernel's own lock, seen from every container of the machine.
 * Undefined: it can't be asked here, for the C library can't be called (an application that has only the SDK, or another system).
 */
export function tryFlock(descriptor: number): boolean | undefined {
  if (known === 'not looked for') known = find();
  return known === undefined ? undefined : known(descriptor, LOCK_EX | LOCK_NB) === 0;
}

function find(): Flock | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const { load } = createRequire(import.meta.url)('koffi') as typeof koffi;
    return load(null).func('int flock(int, int)') as Flock;
  } catch {
    return undefined;
  }
}
