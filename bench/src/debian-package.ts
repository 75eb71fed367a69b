import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Installs a peer to measure against, when it is missing. Debian, root. */
export function needDebianPackage(name: string, program: string): void {
  if (existsSync(program)) return;
  if (process.getuid?.() !== 0) throw new Error(`${program} is missing; as root: apt-get install ${name}`);
  process.stderr.write(`bench: installing the Debian package ${name}\n`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  execFileSync('apt-get', ['update', '-q'], { stdio: ['ignore', 2, 2], env });
  execFileSync('apt-get', ['install', '-q', '-y', '--no-install-recommends', name], { stdio: ['ignore', 2, 2], env });
}
