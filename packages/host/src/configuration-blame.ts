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
      const place = placeOf(file, error.details as { readonly file?: string; readonly port?: number });
      if (place !== undefined) error.message = `${place}: ${error.message}`;
    }
    throw error;
  }
}

function placeOf(
  configurationFile: string,
  culprit: { readonly file?: string; readonly port?: number },
): string | undefined {
  const { file, port } = culprit;
  if (file === configurationFile) return undefined; // that sentence names its line itself
  const yaml = parsePlacedYaml(readFileSync(configurationFile, 'utf8'));
  if (isProblem(yaml)) return undefined;
  const base = dirname(resolve(configurationFile));
  const names = (leaf: string): boolean =>
    (file !== undefined && resolve(base, leaf) === file) || (port !== undefined && leaf.endsWith(`:${port}`));
  for (const { path, text } of leavesOf(yaml.value, []))
    if (names(text)) return `${configurationFile}:${yaml.lineOf(path)}`;
  return port === undefined ? undefined : configurationFile; // a port by default
}

function leavesOf(value: unknown, path: readonly PropertyKey[]): { path: readonly PropertyKey[]; text: string }[] {
  if (typeof value === 'string') return [{ path, text: value }];
  if (Array.isArray(value)) return value.flatMap((one, i) => leavesOf(one, [...path, i]));
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, one]) => leavesOf(one, [...path, key]));
}
