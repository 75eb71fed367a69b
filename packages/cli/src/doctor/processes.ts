import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

/** A process that listens here; without `pid` where this user may not see whose it is. */
export interface Listening {
  readonly pid: number | undefined;
  readonly program: string | undefined;
}

/** Who listens at a TCP port of this host, as Linux tells it; undefined: nobody, or another system. */
export async function listenerAt(port: number): Promise<Listening | undefined> {
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  const inode = tables.map((text) => listeningInode(text, port)).find((one) => one !== undefined);
  if (inode === undefined) return undefined;
  for (const pid of await processIds()) if (await hasSocket(pid, inode)) return { pid, program: await programOf(pid) };
  return { pid: undefined, program: undefined };
}

const LISTEN = '0A';

/** In the format of proc(5): `sl local_address rem_address st tx:rx tr:when retransmits uid timeout inode`. */
export function listeningInode(table: string, port: number): string | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of table.split('\n').slice(1)) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    if (state === LISTEN && local?.endsWith(suffix) === true) return inode;
  }
  return undefined;
}

async function processIds(): Promise<number[]> {
  const names = await readdir('/proc').catch((): string[] => []);
  return names.filter((name) => /^[0-9]+$/.test(name)).map(Number);
}

async function hasSocket(pid: number, inode: string): Promise<boolean> {
  const directory = `/proc/${pid}/fd`;
  const links = await readdir(directory).catch((): string[] => []);
  for (const link of links)
    if ((await readlink(`${directory}/${link}`).catch(() => '')) === `socket:[${inode}]`) return true;
  return false;
}

export async function isRunning(program: string): Promise<boolean> {
  for (const pid of await processIds()) if ((await programOf(pid)) === program) return true;
  return false;
}

/** The name that it was started by: what a process calls itself may be that of a thread. */
async function programOf(pid: number): Promise<string | undefined> {
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const name = basename(line.split('\0')[0] ?? '');
  return name === '' ? undefined : name; // the kernel's own have none
}

/** `python3 (process 123)` */
export function inWords({ pid, program }: Listening): string {
  return pid === undefined ? 'a process of another user' : `${program ?? 'a process'} (process ${pid})`;
}

/** Its effective user. @throws the system's error */
export async function userOf(pid: number): Promise<number> {
  return Number(/^Uid:\s+\d+\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** The soft limit. @throws the system's error */
export async function openFilesOf(pid: number): Promise<number> {
  return softLimit(await readFile(`/proc/${pid}/limits`, 'utf8'));
}

export function softLimit(limits: string): number {
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return soft === 'unlimited' ? Infinity : Number(soft);
}
