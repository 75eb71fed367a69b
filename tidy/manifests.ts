import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { importTable } from './imports.ts';
import { root } from './sources.ts';

interface Manifest {
  readonly name?: string;
  readonly license?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Lockfile {
  readonly packages: Readonly<Record<string, Manifest>>;
}

const readJson = <T>(path: string): T => JSON.parse(readFileSync(join(root, path), 'utf8')) as T;

const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'] as const;

const folders = () => ['', ...globSync('{packages/*,sim,e2e,bench,nemesis,fuzz,mutants}', { cwd: root })];

const manifestOf = (folder: string) => readJson<Manifest>(join(folder, 'package.json'));

/** Set-up installs by the lockfile, so a lockfile that lags behind would install something else on each machine. */
export function lockfileLags(): string[] {
  const { packages } = readJson<Lockfile>('package-lock.json');
  return folders().flatMap((folder) =>
    kinds.flatMap((kind) => {
      const wanted = manifestOf(folder)[kind] ?? {};
      const locked = packages[folder]?.[kind] ?? {};
      return [...new Set([...Object.keys(wanted), ...Object.keys(locked)])]
        .filter((name) => wanted[name] !== locked[name])
        .map((name) => `${join(folder, 'package.json')}: ${name} is not as in package-lock.json; run npm install`);
    }),
  );
}

/** Exact versions only, siblings as "*", and no sibling that the import table does not allow. */
export function looseDependencies(): string[] {
  return folders().flatMap((folder) => {
    const manifest = manifestOf(folder);
    const room = folder.replace(/^packages\//, '');
    const complaints = manifest.license === 'Apache-2.0' ? [] : [`${folder}/package.json: license is not Apache-2.0`];
    for (const [name, version] of kinds.flatMap((kind) => Object.entries(manifest[kind] ?? {}))) {
      const sibling = /^@trefoil\/(.+)$/.exec(name)?.[1];
      if (sibling !== undefined && importTable[room]?.includes(sibling) !== true) {
        complaints.push(`${folder}/package.json: ${room} may not depend on ${sibling}`);
      }
      if (sibling === undefined && !/^(npm:[\w@/-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
        complaints.push(`${folder}/package.json: ${name} is not pinned to one version`);
      }
    }
    return complaints;
  });
}

/** A dependency that nobody can explain should not be there. */
export function unexplainedDependencies(): string[] {
  const explained = readFileSync(join(root, 'docs/dependencies.md'), 'utf8');
  return folders().flatMap((folder) =>
    kinds
      .flatMap((kind) => Object.keys(manifestOf(folder)[kind] ?? {}))
      .filter((name) => !name.startsWith('@trefoil/') && !explained.includes(`\`${name}\``))
      .map((name) => `${folder}/package.json: docs/dependencies.md says nothing about ${name}`),
  );
}
