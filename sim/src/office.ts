import { Group } from '@trefoil/client';
import {
  bytesKey,
  encodeCommand,
  type EvictCommand,
  keyIdBytes,
  type Outcome,
  type RulesCommand,
  signCommand,
  type UnnameCommand,
  type WriteOffCommand,
} from '@trefoil/license';
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
  /** Rules, names and write-offs that were sent so far: whoever hears them may send them again. */
  readonly sentByAdmin: Uint8Array[] = [];
  /** Not on its way yet: nobody can have heard it. */
  readonly #written = new Map<string, Uint8Array>();
  /** By their handles: sessions whose machines he has written off, or wants to. */
  readonly #writtenOff = new Set<string>();

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#process = new ClientProcess(world, new Machine(world.agenda, 0), random);
  }

  /** By its handle. */
  evict(session: Uint8Array): void {
    const { set, admin } = this.#world.fixture;
    const unsigned = {
      kind: 'evict',
      session,
      reason: 'found idle',
      ...this.#byAdmin(this.#world.random.bytes(16)),
    } as const;
    void this.submit('evict', encodeCommand(signCommand<EvictCommand>(set, unsigned, admin)));
  }

  rules(document: string, nonce: Uint8Array): void {
    const { set, admin } = this.#world.fixture;
    const unsigned = { kind: 'rules', document, ...this.#byAdmin(nonce) } as const;
    this.#send('rules', encodeCommand(signCommand<RulesCommand>(set, unsigned, admin)));
  }

  /** Takes the name off the license. */
  unname(license: string, name: string, nonce: Uint8Array): void {
    const { set, admin } = this.#world.fixture;
    const unsigned = { kind: 'unname', license, name, ...this.#byAdmin(nonce) } as const;
    this.#send('unname', encodeCommand(signCommand<UnnameCommand>(set, unsigned, admin)));
  }

  /** The machine of the session is lost; by its handle. */
  writeOff(session: Uint8Array, nonce: Uint8Array): void {
    const { set, admin } = this.#world.fixture;
    this.#writtenOff.add(bytesKey(session));
    const unsigned = { kind: 'write-off', session, reason: 'it was stolen', ...this.#byAdmin(nonce) } as const;
    this.#send('write-off', encodeCommand(signCommand<WriteOffCommand>(set, unsigned, admin)));
  }

  /** Who hears of it may send it again and again, until it is done or ten minutes old. */
  mayBeWrittenOff(session: Uint8Array): boolean {
    return this.#writtenOff.has(bytesKey(session));
  }

  #byAdmin(nonce: Uint8Array): { admin: Uint8Array; nonce: Uint8Array; atLogTime: number } {
    const { crypto, admin } = this.#world.fixture;
    return { admin: keyIdBytes(crypto, admin.publicKey), nonce, atLogTime: this.#world.checks.newestLogTime };
  }

  #send(what: string, bytes: Uint8Array): void {
    this.#written.set(bytesKey(bytes), bytes);
    void this.submit(what, bytes);
  }

  /** A command leaves somebody for a TMR server. */
  leaves(command: Uint8Array): void {
    const written = this.#written.get(bytesKey(command));
    if (written !== undefined && this.#written.delete(bytesKey(command))) this.sentByAdmin.push(written);
  }

  /** Undefined: the run was over before. */
  async submit(what: string, bytes: Uint8Array): Promise<Outcome | undefined> {
    const { agenda } = this.#world;
    this.#world.count(`command ${what}`);
    while (!this.#world.quiet) {
      try {
        const group = await (this.#group ??= this.#find());
        const result = await group.submit(bytes, PATIENCE_MS);
        if (result.kind === 'certified') return result.outcome;
      } catch {
        this.#group = undefined; // nobody could be reached
        await agenda.sleep(500);
      }
    }
    return undefined;
  }

  #find(): Promise<Group> {
    const verifier = new WatchedVerifier(this.#world);
    return Group.find({ file: this.#world.clientFile, verifier, machine: this.#process, patienceMs: PATIENCE_MS });
  }
}
