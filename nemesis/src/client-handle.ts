import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Order, Said } from './said.ts';

const SCRIPT = fileURLToPath(new URL('./client-process.ts', import.meta.url));

/** The nemesis' end of one client process. */
export class ClientHandle implements AsyncDisposable {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #hear: (said: Said) => void;
  #complaint = '';
  #expected = false;
  #stopped = false;

  constructor(options: {
    name: string;
    clientFile: string;
    vendorRoot: string;
    seed: number;
    hear: (said: Said) => void;
    /** It ended, and nobody has killed it. */
    onDeath: (complaint: string) => void;
  }) {
    const { name, clientFile, vendorRoot, seed, hear, onDeath } = options;
    this.name = name;
    this.#hear = hear;
    this.#child = fork(SCRIPT, [clientFile, vendorRoot, name, String(seed)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.#complaint = `${this.#complaint}${bytes.toString()}`.slice(-2_000);
    });
    this.#child.on('message', (said: Said) => this.#hear(said));
    this.#exited = new Promise((resolve) =>
      this.#child.once('exit', () => {
        if (!this.#expected) onDeath(this.#complaint.trim());
        resolve();
      }),
    );
  }

  order(order: Order): void {
    if (this.#child.connected) this.#child.send(order);
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Its machine stands still. */
  stop(): void {
    this.#stopped = true;
    this.#child.kill('SIGSTOP');
  }

  goOn(): void {
    this.#stopped = false;
    this.#child.kill('SIGCONT');
  }

  /** One word of this kind, after `order`. */
  async ask<K extends Said['kind']>(order: Order, kinds: readonly K[], withinMs: number): Promise<Said | undefined> {
    const { promise, resolve } = Promise.withResolvers<Said | undefined>();
    const listen = (said: Said): void => {
      if (kinds.some((kind) => kind === said.kind)) resolve(said);
    };
    this.#child.on('message', listen);
    const timer = setTimeout(() => resolve(undefined), withinMs);
    this.order(order);
    try {
      return await Promise.race([promise, this.#exited.then(() => undefined)]);
    } finally {
      clearTimeout(timer);
      this.#child.off('message', listen);
    }
  }

  async kill(): Promise<void> {
    this.#expected = true;
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
