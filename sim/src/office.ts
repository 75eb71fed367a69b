import { Group } from '@trefoil/client';
import { ClientProcess, WatchedVerifier } from './client-process.ts';
import { Machine } from './machine.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

const PATIENCE_MS = 2_000;

/** The vendor's updates and the admin's commands, by the shipped SDK: asked again with the same bytes until they are certified. */
export class Office {
  readonly #world: World;
  readonly #process: ClientProcess;
  #group: Promise<Group> | undefined;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#process = new ClientProcess(world, new Machine(world.agenda, 0), random);
  }

  async submit(what: string, bytes: Uint8Array): Promise<void> {
    const { agenda } = this.#world;
    this.#world.count(`command ${what}`);
    while (!this.#world.quiet) {
      try {
        const group = await (this.#group ??= this.#find());
        if ((await group.submit(bytes, PATIENCE_MS)).kind === 'certified') return;
      } catch {
        this.#group = undefined; // nobody could be reached
        await agenda.sleep(500);
      }
    }
  }

  #find(): Promise<Group> {
    const verifier = new WatchedVerifier(this.#world);
    return Group.find({ file: this.#world.clientFile, verifier, machine: this.#process, patienceMs: PATIENCE_MS });
  }
}
