import { type ChildProcess, fork } from 'node:child_process';
import { programs } from '../programs.ts';
import { CliError, EXIT } from '../terminal.ts';
import type { LoadFigures, Order, Said } from './client-process.ts';

const ANSWER_MS = 30_000;

/** The story's end of one client process. */
export class ClientHandle implements AsyncDisposable {
  readonly user: string;
  readonly host: string;
  readonly #child: ChildProcess;
  readonly #waiting: ((said: Said) => void)[] = [];
  readonly #heard: Said[] = [];
  readonly #exited: Promise<void>;

  private constructor(options: { clientFile: string; vendorRoot: string; user: string; host: string }) {
    this.user = options.user;
    this.host = options.host;
    this.#child = fork(programs.demoClient, [options.clientFile, options.vendorRoot, options.user, options.host], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.on('error', () => undefined); // an order to one that has ended: its exit says so
    this.#child.on('message', (said: Said) => {
      const next = this.#waiting.shift();
      if (next === undefined) this.#heard.push(said);
      else next(said);
    });
  }

  static async start(options: {
    clientFile: string;
    vendorRoot: string;
    user: string;
    host: string;
  }): Promise<ClientHandle> {
    const handle = new ClientHandle(options);
    await handle.#hear('connected');
    return handle;
  }

  order(order: Order): void {
    this.#child.send(order);
  }

  async acquire(): Promise<{ granted: boolean; sentence: string }> {
    this.order({ kind: 'acquire' });
    return this.#hear('acquired');
  }

  async report(): Promise<LoadFigures> {
    this.order({ kind: 'report' });
    return (await this.#hear('report')).figures;
  }

  async rest(): Promise<boolean> {
    this.order({ kind: 'rest' });
    return (await this.#hear('resting')).holds;
  }

  async proof(): Promise<string | undefined> {
    this.order({ kind: 'proof' });
    return (await this.#hear('proof')).bundle;
  }

  async #hear<K extends Said['kind']>(kind: K): Promise<Extract<Said, { kind: K }>> {
    const said = this.#heard.shift() ?? (await this.#next());
    if (said.kind === kind) return said as Extract<Said, { kind: K }>;
    throw new CliError(
      EXIT.failure,
      `the client of ${this.user} ${said.kind === 'failed' ? `failed: ${said.reason}` : `said "${said.kind}"`}`,
    );
  }

  #next(): Promise<Said> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new CliError(EXIT.failure, `the client of ${this.user} says nothing`)),
        ANSWER_MS,
      );
      void this.#exited.then(() => reject(new CliError(EXIT.failure, `the client of ${this.user} has ended`)));
      this.#waiting.push((said) => {
        clearTimeout(timer);
        resolve(said);
      });
    });
  }

  /** It closes its session, which gives its seat back, and ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.connected) this.order({ kind: 'end' });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 3_000);
    await this.#exited;
    clearTimeout(timer);
  }
}
