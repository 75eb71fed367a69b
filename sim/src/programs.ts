import { OLDEST_RULES, RULES_VERSION } from '@trefoil/core';
import type { Random } from './random.ts';
import type { World } from './world.ts';

const OLD_GROUPS = 0.5;
/** At a start, whatever the reason for it. */
const EXCHANGED = 0.3;
/** The last ones, one after the other, as an admin would. */
const PAUSE_MS = 600;

/** A server's installed program; the process that runs began with it. */
export interface Installed {
  readonly who: string;
  readonly up: boolean;
  /** One of before: it knows the oldest rules, and has never heard of ABOUT (PROTOCOL §4.10). */
  hasOldProgram: boolean;
}

/** In some runs all five begin with the program of before, and get the new one at one of their starts. */
export class Programs {
  readonly isOldGroup: boolean;
  readonly #random: Random;
  readonly #world: World;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    this.isOldGroup = random.chance(OLD_GROUPS);
  }

  /** A process begins: with the new program, perhaps. Returns the newest rules that it knows. */
  begins(server: Installed): number {
    if (server.hasOldProgram && this.#random.chance(EXCHANGED)) this.#exchange(server);
    return rulesOf(server);
  }

  #exchange(server: Installed): void {
    server.hasOldProgram = false;
    this.#world.count('a program was exchanged');
    this.#world.note(`${server.who} gets the new program`);
  }

  async exchangeTheRest(): Promise<void> {
    const { licenseServers, tmrServers } = this.#world;
    for (const server of Object.values(licenseServers))
      await this.#exchangeNow(server, () => {
        server.crash('process', 'its program is exchanged');
        void server.start();
      });
    for (const server of Object.values(tmrServers))
      await this.#exchangeNow(server, () => {
        server.crash();
        server.start();
      });
  }

  async #exchangeNow(server: Installed, restart: () => void): Promise<void> {
    const { agenda } = this.#world;
    if (!server.hasOldProgram) return;
    this.#exchange(server);
    if (!server.up) return;
    restart();
    await agenda.runUntil(agenda.now + PAUSE_MS);
  }
}

export function rulesOf({ hasOldProgram }: Installed): number {
  return hasOldProgram ? OLDEST_RULES : RULES_VERSION;
}
