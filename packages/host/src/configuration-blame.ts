import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isProblem, parsePlacedYaml } from './configuration-places.ts';

/**
 * Runs what a configuration file asks for. If it fails because of a file or a port that the configuration names, the error's
 * sentence begins with the place that names it: `license-server.yaml:4: port 7411 on 10.0.0.5 is in use by another process`.
 */
export async function blamingConfiguration(file: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Error && 'details' in error) {
      const place = placeOf(file, error.details as Culprit);
      if (place !== undefined) error.message = `${place}: ${error.message}`;
    }
    throw error;
  }
}

interface Culprit {
  readonly file?: string;
  readonly port?: number;
  /** Where a file is named twice, the key that means it. */
  readonly key?: string;
}

function placeOf(configurationFile: string, culprit: Culprit): string | undefined {
  const { file, port, key } = culprit;
  if (file === configurationFile) return undefined; // that sentence names its line itself
  const yaml = parsePlacedYaml(readFileSync(configurationFile, 'utf8'));
  if (isProblem(yaml)) return undefined;
  const base = dirname(resolve(configurationFile));
  const names = (leaf: string): boolean =>
    (file !== undefined && resolve(base, leaf) === file) || (port !== undefined && leaf.endsWith(`:${port}`));
  const places = leavesOf(yaml.value, []).filter(({ text }) => names(text));
  const place = places.find(({ path }) => path.at(-1) === key) ?? places[0];
  if (place !== undefined) return `${configurationFile}:${yaml.lineOf(place.path)}`;
  return port === undefined ? undefined : configurationFile; // a port by default
}

function leavesOf(value: unknown, path: readonly PropertyKey[]): { path: readonly PropertyKey[]; text: string }[] {
  if (typeof value === 'string') return [{ path, text: value }];
  if (Array.isArray(value)) return value.flatMap((one, i) => leavesOf(one, [...path, i]));
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, one]) => leavesOf(one, [...path, key]));
}
