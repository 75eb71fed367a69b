import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { LabHost } from './lab-host.ts';
import { childOf } from './namespace.ts';

const READY_MS = 30_000;
const STOP_MS = 15_000;

/** A server on a host, as its unit starts it, and keeps its log. */
export class Service {
  readonly host: LabHost;
  readonly kind: 'license-server' | 'tmr-server';
  /** Lines that are JSON. */
  readonly log: Record<string, unknown>[] = [];
  complaint = '';
  /** From its next start on. */
  environment: Readonly<Record<string, string>> = {};
  #child: ChildProcess | undefined;
  #pid = 0;

  constructor(host: LabHost, kind: Service['kind']) {
    this.host = host;
    this.kind = kind;
  }

  /** As seen from this machine. */
  get pid(): number {
    return this.#pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Resolves when it is ready. Rejects with its own words if it ends before. */
  async start(): Promise<void> {
    const argv = ['trefoil', this.kind, `/etc/trefoil/${this.kind}.yaml`];
    const child = this.host.spawn(argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.environment },
    });
    this.#child = child;
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
      void this.#afterStop();
    });
    this.complaint = '';
    child.stderr?.on('data', (data: Buffer) => (this.complaint = `${this.complaint}${data.toString()}`.slice(-4_000)));
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.host.name}: not ready after ${READY_MS} ms`)), READY_MS);
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        if (!line.startsWith('{')) return;
        const said = JSON.parse(line) as Record<string, unknown>;
        this.log.push(said);
        if (said['msg'] !== 'ready') return;
        clearTimeout(timer);
        resolve();
      });
      child.once('exit', (code) => {
        clearTimeout(timer);
        reject(new Error(`${this.host.name}: ended with ${code}: ${this.complaint.trim()}`));
      });
    });
    this.#pid = childOf(child.pid as number);
  }

  /** As seen from this machine. */
  signal(name: NodeJS.Signals): void {
    if (this.#child === undefined) return;
    process.kill(this.#pid, name);
    // Who has entered the namespaces to start it stands still together with it, and does not go on by itself.
    if (name === 'SIGCONT') this.#child.kill(name);
  }

  /** As `systemctl stop`. */
  async stop(): Promise<void> {
    await this.#endBy('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.#endBy('SIGKILL');
  }

  async #endBy(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    this.signal(signal);
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(timer);
  }

  /** The unit's ExecStopPost: whoever doesn't serve gives the virtual IP away, also when it was killed. */
  async #afterStop(): Promise<void> {
    if (this.kind === 'tmr-server' && this.host.isOn)
      await this.host.run(['sh', '-c', 'echo -254 > /run/trefoil/virtual-ip-weight']);
  }
}
