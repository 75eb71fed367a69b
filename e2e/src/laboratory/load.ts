import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LabHost } from './lab-host.ts';
import type { LoadFigures, LoadOrder, LoadSaid } from './load-process.ts';

const SCRIPT = fileURLToPath(new URL('./load-process.ts', import.meta.url));
const ANSWER_MS = 60_000;

export interface LoadOptions {
  readonly clientFile: string;
  readonly vendorRoot: string;
  readonly clients: number;
  /** Between two requests of one client. */
  readonly everyMs: number;
}

/** Clients at work on a host, until they are disposed of. */
export class LoadHandle implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(host: LabHost, options: LoadOptions): Promise<LoadHandle> {
    const { clientFile, vendorRoot, clients, everyMs } = options;
    const argv = [process.execPath, SCRIPT, clientFile, vendorRoot, String(clients), String(everyMs)];
    const load = new LoadHandle(host.spawn(argv, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
    await load.#hear('working');
    return load;
  }

  mark(): void {
    this.#order({ kind: 'mark' });
  }

  async report(): Promise<LoadFigures> {
    const said = this.#hear('report');
    this.#order({ kind: 'report' });
    return (await said).figures;
  }

  #order(order: LoadOrder): void {
    this.#child.send(order);
  }

  async #hear<K extends LoadSaid['kind']>(kind: K): Promise<Extract<LoadSaid, { kind: K }>> {
    const heard = new AbortController();
    const signal = AbortSignal.any([heard.signal, AbortSignal.timeout(ANSWER_MS)]);
    const ended = once(this.#child, 'exit', { signal }).then(([code]) => [
      { kind: 'failed', reason: `it ended with ${code}` },
    ]);
    ended.catch(() => undefined); // it went on, as it should
    const [said] = (await Promise.race([once(this.#child, 'message', { signal }), ended])) as [LoadSaid];
    heard.abort();
    if (said.kind !== kind) throw new Error(said.kind === 'failed' ? said.reason : `said ${said.kind}, not ${kind}`);
    return said as Extract<LoadSaid, { kind: K }>;
  }

  /** All give back what they have. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    if (this.#child.connected) this.#order({ kind: 'end' });
    await exited;
  }
}
