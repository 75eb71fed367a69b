import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** Not that of whoever started this: npm puts its own commands in front, one of them named like ours. */
const DEBIANS_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface Done {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Namespaces of network, mounts, host name and processes, alive as long as this object is, and no longer than this process: the first
 * process in them reads a pipe from here, ends with it, and takes everything inside with it. So nothing has to be cleaned up, however
 * this process ends.
 */
export class Namespace {
  readonly #holder: ChildProcess;
  /** Of the first process inside, as seen from outside. */
  readonly pid: number;

  private constructor(holder: ChildProcess, pid: number) {
    this.#holder = holder;
    this.pid = pid;
  }

  /** `script` runs first, in sh, with what it mounts seen inside only; `root`: where it has put the root of those inside. */
  static async create(script: string, root = '/'): Promise<Namespace> {
    // A shell, for it takes leave of those whose parents have ended.
    const program = `${script}\necho ready\nexec chroot ${root} sh -c 'cat >/dev/null; exit 0'`;
    const flags = ['--mount', '--uts', '--net', '--pid', '--fork', '--kill-child', '--propagation', 'private'];
    const holder = spawn('unshare', [...flags, 'sh', '-euc', program], { stdio: ['pipe', 'pipe', 'pipe'] });
    let complaint = '';
    holder.stderr.on('data', (data: Buffer) => (complaint += data.toString()));
    const said = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')]);
    if (String(said[0]).trim() !== 'ready') throw new Error(`no namespaces can be made: ${complaint.trim()}`);
    return new Namespace(holder, childOf(holder.pid as number));
  }

  /** A program inside, whose streams are those of `options`. Its own pid is that of `childOf`. */
  spawn(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return this.#enter(['--mount', '--uts', '--net', '--pid', '--root', '--wdns=/'], argv, options);
  }

  run(argv: readonly string[], input: string | Uint8Array = ''): Promise<Done> {
    return toItsEnd(this.spawn(argv), input);
  }

  /** @throws Error with what it said, if it ends with another code than 0 */
  async sh(script: string): Promise<string> {
    return saidBy(script, await this.run(['sh', '-euc', script]));
  }

  /** In its network, among the processes of this machine: to connect it with others. @throws Error as `sh` */
  async network(script: string): Promise<string> {
    return saidBy(script, await toItsEnd(this.#enter(['--net'], ['sh', '-euc', script]), ''));
  }

  /** A program in its network, among the processes of this machine. */
  spawnInNetwork(argv: readonly string[]): ChildProcess {
    return this.#enter(['--net'], argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  #enter(flags: readonly string[], argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const env = { ...process.env, ...options.env, PATH: DEBIANS_PATH };
    return spawn('nsenter', ['--target', String(this.pid), ...flags, '--', ...argv], { ...options, env });
  }

  /** All that runs inside ends at once, and its network with it, as if the power was cut. */
  async kill(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const exited = once(this.#holder, 'exit');
    process.kill(this.pid, 'SIGKILL');
    await exited;
  }
}

async function toItsEnd(child: ChildProcess, input: string | Uint8Array): Promise<Done> {
  const said = { stdout: '', stderr: '' };
  child.stdout?.on('data', (data: Buffer) => (said.stdout += data.toString()));
  child.stderr?.on('data', (data: Buffer) => (said.stderr += data.toString()));
  child.stdin?.on('error', () => undefined); // it may have ended without reading
  child.stdin?.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said };
}

function saidBy(script: string, { code, stdout, stderr }: Done): string {
  if (code === 0) return stdout;
  throw new Error(`${script}\nended with ${code}: ${stderr.trim() || stdout.trim()}`);
}

/** The one process that this one has started. @throws Error where it has none */
export function childOf(pid: number): number {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  if (child === undefined || child === '') throw new Error(`process ${pid} has no child`);
  return Number(child);
}
