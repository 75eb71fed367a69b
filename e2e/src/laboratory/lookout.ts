import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LabHost } from './lab-host.ts';

/** How a group is, as the TMR server that answers sees it. */
export interface Status {
  /** How many more license servers may fail. */
  readonly redundancy: number;
  readonly alarms: readonly string[];
  /** Of the log; 0 = a server of before tells. */
  readonly rules: number;
  readonly tmrServers: readonly { readonly server: 'A' | 'B'; readonly active: boolean; readonly heard: boolean }[];
  readonly licenseServers: readonly {
    readonly voting: boolean;
    readonly withholding: string;
    readonly lag: number;
    readonly unanchored: boolean;
  }[];
}

const SCRIPT = fileURLToPath(new URL('./lookout-process.ts', import.meta.url));

/** Somebody on a host who can be asked how the group is. Ends with the host, or with this process. */
export class Lookout {
  readonly #child: ChildProcess;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(host: LabHost): Promise<Lookout> {
    const child = host.spawn([process.execPath, SCRIPT], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    child.unref();
    child.channel?.unref();
    await once(child, 'spawn');
    return new Lookout(child);
  }

  /** @throws Error, if nobody answers */
  status(): Promise<Status> {
    const answer = this.#last.then(() => this.#ask());
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  async #ask(): Promise<Status> {
    const signal = AbortSignal.timeout(10_000);
    const heard = once(this.#child, 'message', { signal });
    this.#child.send('status');
    const [said] = (await heard) as [{ status: Status } | { reason: string }];
    if ('reason' in said) throw new Error(said.reason);
    return said.status;
  }
}
