import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Trait } from './binding.ts';
import type { Delay } from './watermark-keeper.ts';

/** Helpers for the tests of this folder. */
export const TRAITS: readonly Trait[] = [
  { name: 'machine-id', value: 'm1' },
  { name: 'product-uuid', value: 'u1' },
  { name: 'network-address', value: 'n1' },
  { name: 'root-filesystem', value: 'r1' },
  { name: 'host-name', value: 'h1' },
];

/** Cheap, so that the tests are quick. */
export const SCRYPT_LOG_N = 10;

/** The traits with those at these places changed, or gone. */
export function changed(places: readonly number[], gone = false): readonly Trait[] {
  const altered = TRAITS.map((trait, i) => (places.includes(i) ? { ...trait, value: `${trait.value}'` } : trait));
  return gone ? altered.filter((_, i) => !places.includes(i)) : altered;
}

export async function temporaryFile(t: { after(fn: () => Promise<void>): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'trefoil-container-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'server-1.container');
}

export async function bytesOf(file: string): Promise<string> {
  return (await readFile(file)).toString('hex');
}

/** Time that passes only when told. */
export class FakeDelay {
  #waiting: { readonly ms: number; readonly callback: () => void }[] = [];

  readonly delay: Delay = (ms, callback) => {
    const entry = { ms, callback };
    this.#waiting.push(entry);
    return { cancel: () => (this.#waiting = this.#waiting.filter((other) => other !== entry)) };
  };

  get waitingMs(): number[] {
    return this.#waiting.map(({ ms }) => ms);
  }

  pass(): void {
    for (const { callback } of this.#waiting.splice(0)) callback();
  }
}
