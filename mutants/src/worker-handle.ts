import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromWorker, ToWorker } from './mutant.ts';

const SCRIPT = fileURLToPath(new URL('./worker.ts', import.meta.url));
const LOADS_WITHIN_MS = 120_000;

/** A process that has loaded all tests of a room, and runs them with one mutant at a time. */
export class WorkerHandle {
  readonly #load: ToWorker & { kind: 'load' };
  #child: ChildProcess | undefined;
  #complaint = '';

  constructor(texts: Readonly<Record<string, string>>, testFiles: readonly string[]) {
    this.#load = { kind: 'load', texts, testFiles };
  }

  /** Undefined = it says nothing in time, and was killed. */
  async ask(order: ToWorker, withinMs: number): Promise<FromWorker | undefined> {
    const child = await this.#started();
    child.send(order);
    const said = await this.#hear(child, withinMs);
    if (said === undefined) this.end();
    return said;
  }

  async #started(): Promise<ChildProcess> {
    if (this.#child !== undefined) return this.#child;
    this.#complaint = '';
    const child = fork(SCRIPT, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    child.stderr?.on('data', (bytes: Buffer) => {
      this.#complaint = `${this.#complaint}${bytes.toString()}`.slice(-4_000);
    });
    this.#child = child;
    child.send(this.#load);
    if ((await this.#hear(child, LOADS_WITHIN_MS))?.kind === 'ready') return child;
    this.end();
    throw new Error(`a worker does not start: ${this.#complaint}`);
  }

  #hear(child: ChildProcess, withinMs: number): Promise<FromWorker | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(undefined), withinMs);
      const onMessage = (said: FromWorker): void => settle(said);
      const onExit = (): void => settle(undefined);
      const settle = (said: FromWorker | undefined): void => {
        clearTimeout(timer);
        child.off('message', onMessage);
        child.off('exit', onExit);
        resolve(said);
      };
      child.once('message', onMessage);
      child.once('exit', onExit);
    });
  }

  end(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}
