import { writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { type Clock, type Log, reasonOf } from '@trefoil/host';
import type { ProposerRuntime } from './proposer-runtime.ts';

/** What keepalived adds to the priority of this host: nothing, or so much less that it gives the address away. */
const WANTS = '0';
const GIVES_AWAY = '-254';

const LOOK_MS = 100;
/** Nobody else may want it. */
const GIVE_AWAY_MS = 3_000;

interface Parts {
  readonly address: string;
  readonly weightFile: string;
  readonly runtimes: Iterable<ProposerRuntime>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The address that both TMR servers share. keepalived decides who has it; this server says whether it wants it, and looks whether its
 * own host has it, as the system says: keepalived may have died and left it there.
 */
export class VirtualIp implements AsyncDisposable {
  readonly #parts: Parts;
  #held = false;
  #stopLooking: (() => void) | undefined;
  #gaveUp = false;

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Not wanted until `want`. */
  static async start(parts: Parts): Promise<VirtualIp> {
    const virtualIp = new VirtualIp(parts);
    await virtualIp.#write(GIVES_AWAY);
    virtualIp.#look();
    return virtualIp;
  }

  /** This server serves clients. */
  want(): Promise<void> {
    return this.#write(WANTS);
  }

  /** To the other host, if it wants it; within some tenths of a second. */
  async giveAway(): Promise<void> {
    if (!this.#held) return;
    await this.#write(GIVES_AWAY);
    const { clock } = this.#parts;
    const until = clock.monotonicMs() + GIVE_AWAY_MS;
    while (this.#held && clock.monotonicMs() < until)
      await new Promise<void>((resolve) => clock.later(LOOK_MS, resolve));
    await this.want();
  }

  #look(): void {
    const { address, clock, runtimes, log } = this.#parts;
    const held = Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === address));
    if (held !== this.#held) {
      this.#held = held;
      log.info({ address, held }, 'virtual IP');
      for (const runtime of runtimes) runtime.handle({ kind: 'virtualIp', held });
    }
    this.#stopLooking = clock.later(LOOK_MS, () => this.#look());
  }

  /** In place: keepalived watches this very file. Without it clients still reach both servers by their own addresses. */
  async #write(weight: string): Promise<void> {
    const { weightFile, log } = this.#parts;
    try {
      await writeFile(weightFile, `${weight}\n`);
    } catch (error) {
      if (!this.#gaveUp)
        log.error({ file: weightFile, reason: reasonOf(error) }, 'keepalived can not be told who wants the virtual IP');
      this.#gaveUp = true;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopLooking?.();
    await this.#write(GIVES_AWAY);
  }
}
