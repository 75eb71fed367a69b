import type { Random } from '@trefoil/sim/random';
import type { ClientHandle } from './client-handle.ts';
import { drawFault, type Fault, type Victims } from './faults.ts';
import type { TestedGroup } from './tested-group.ts';
import type { TestedServer } from './tested-server.ts';
import { trueTime } from './true-time.ts';

/** After a fault's end a server still has to catch up or to re-join. */
const RECOVERS_WITHIN_MS = 3_000;

interface Running {
  readonly fault: Fault;
  readonly timer: NodeJS.Timeout;
  /** It ends after it has begun, however long that takes. */
  readonly begun: Promise<void>;
  ending: boolean;
}

export interface Told {
  say(line: string): void;
  count(what: string): void;
  found(what: string): void;
}

/** Lets faults begin and end. Half of the time it keeps to what the protocol promises to bear, else nothing is sacred. */
export class Nemesis {
  readonly #victims: Victims;
  readonly #group: TestedGroup;
  readonly #random: Random;
  readonly #told: Told;
  readonly #running = new Set<Running>();
  readonly #ending = new Set<Promise<void>>();
  readonly #recovering: { readonly servers: readonly TestedServer[]; readonly until: number }[] = [];
  /** The last moment at which more was hurt than one license server and one TMR server. */
  unbearableAt = -Infinity;

  constructor(victims: Victims, told: Told) {
    this.#victims = victims;
    this.#group = victims.group;
    this.#random = victims.random;
    this.#told = told;
  }

  /** Until `untilMs` of true time, or until it is called off. */
  async rage(untilMs: number, signal: AbortSignal): Promise<void> {
    while (trueTime() < untilMs && !signal.aborted) {
      const gentle = this.#random.chance(0.5);
      const phaseEnds = Math.min(untilMs, trueTime() + this.#random.between(4_000, 12_000));
      while (trueTime() < phaseEnds && !signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, this.#random.between(100, 1_200)));
        this.#lookForDeaths();
        await this.#strike(gentle);
      }
    }
  }

  async #strike(gentle: boolean): Promise<void> {
    const fault = drawFault(this.#victims);
    if (fault === undefined) return;
    const isBearable = this.#isBearable(fault.hurts);
    if (gentle && !isBearable) return;
    if (fault.needsWhole === true && !(await this.#isWhole())) return;
    if (fault.seizes.some((server) => server.hurt !== undefined)) return;
    if (!isBearable) this.unbearableAt = Infinity;
    for (const server of fault.seizes) server.hurt = fault.kind;
    this.#told.count(`fault ${fault.kind}`);
    this.#told.say(fault.forMs === 0 ? fault.words : `${fault.words}, for ${(fault.forMs / 1_000).toFixed(1)} s`);
    const begun = this.#safely(`"${fault.words}"`, () => fault.begin());
    const running: Running = { fault, begun, timer: setTimeout(() => this.#end(running), fault.forMs), ending: false };
    this.#running.add(running);
    await begun;
  }

  #isBearable(more: readonly TestedServer[]): boolean {
    const now = trueTime();
    const hurt = new Set(more);
    for (const { fault } of this.#running) for (const server of fault.hurts) hurt.add(server);
    for (const { servers, until } of this.#recovering) if (until > now) for (const server of servers) hurt.add(server);
    const count = (kind: TestedServer['kind']): number => [...hurt].filter((server) => server.kind === kind).length;
    return count('license-server') <= 1 && count('tmr-server') <= 1;
  }

  async #isWhole(): Promise<boolean> {
    if (this.#running.size > 0) return false;
    const status = await this.#group.hands.status().catch(() => undefined);
    return status?.redundancy === 1;
  }

  #end(running: Running): void {
    if (running.ending) return;
    running.ending = true;
    const { fault, begun } = running;
    const end = (): Promise<void> => begun.then(() => fault.end());
    const ending = this.#safely(`the end of "${fault.words}"`, end).finally(() => {
      this.#running.delete(running);
      this.#ending.delete(ending);
      this.#recovering.push({ servers: fault.hurts, until: trueTime() + RECOVERS_WITHIN_MS });
      for (const server of fault.seizes) server.hurt = undefined;
      if (this.unbearableAt === Infinity && this.#isBearable([])) this.unbearableAt = trueTime() + RECOVERS_WITHIN_MS;
    });
    this.#ending.add(ending);
  }

  async #safely(what: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#told.found(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** A server that has ended without being told to. */
  #lookForDeaths(): void {
    for (const server of this.#group.all()) {
      if (server.running || server.hurt !== undefined) continue;
      server.hurt = 'ended by itself';
      void this.#safely(`the start of ${server.name}`, async () => {
        const words = await server.lastWords();
        // Its disk has room again, but it had given up before, and waited for a connection to close.
        if (/disk is full/i.test(words)) this.#told.count('ended after its disk was full');
        else this.#told.found(`${server.name} has ended by itself: ${words}`);
        await server.start();
      }).finally(() => {
        server.hurt = undefined;
      });
    }
  }

  /** All that is wrong is mended; the clients are awake. */
  async mendAll(clients: readonly ClientHandle[]): Promise<void> {
    for (const running of this.#running) {
      clearTimeout(running.timer);
      this.#end(running);
    }
    await Promise.all(this.#ending);
    this.#recovering.length = 0;
    for (const link of this.#group.links.values()) link.heal();
    for (const client of clients) if (client.stopped) client.goOn();
  }
}
