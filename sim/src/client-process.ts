import { type ClientMachine, type Moment, Verifier } from '@trefoil/client';
import type { Certified } from '@trefoil/api';
import type { Accept, Configuration, Outcome, SigningKey } from '@trefoil/license';
import type { DialOptions, FrameConnection } from '@trefoil/link';
import { connectEnds } from './client-connection.ts';
import type { Machine } from './machine.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** One process on a client's machine, from its start until it ends or is killed: what the shipped SDK runs on. */
export class ClientProcess implements ClientMachine {
  readonly #world: World;
  readonly #machine: Machine;
  readonly #random: Random;
  readonly #connections: FrameConnection[] = [];
  alive = true;
  #end: () => void = () => undefined;
  readonly ended = new Promise<void>((resolve) => {
    this.#end = resolve;
  });

  constructor(world: World, machine: Machine, random: Random) {
    this.#world = world;
    this.#machine = machine;
    this.#random = random;
  }

  now(): Moment {
    return { monotonicMs: this.#machine.monotonicMs(), wallMs: this.#machine.wallMs() };
  }

  later(ms: number, run: () => void): () => void {
    return this.#machine.later(ms, () => this.alive && run());
  }

  chance(): number {
    return this.#random.unit();
  }

  nonce(bytes: number): Uint8Array {
    return this.#random.bytes(bytes);
  }

  secret(): Uint8Array {
    return this.#random.bytes(32);
  }

  address(): string {
    return '';
  }

  sessionKey(): { key: SigningKey; seed: Uint8Array } {
    const seed = this.#random.bytes(32);
    return { key: this.#world.keyOf(`session ${seed.join()}`), seed };
  }

  /** To a TMR server by the address that the group document gives. */
  async dial({ host }: DialOptions): Promise<FrameConnection> {
    const { network, agenda, fixture, tmrServers } = this.#world;
    const { id } = fixture.group.tmrServers.find((one) => one.address.startsWith(`${host}:`)) ?? { id: 'A' };
    await agenda.sleep(3 * network.delayMs());
    await this.#machine.awake();
    const server = tmrServers[id];
    const cut = network.isCut('C0', id) || network.isCut(id, 'C0');
    if (!server.up || cut || server.machine.stopped) throw new Error(`${host} can't be reached`);
    const { life } = server;
    const client = { machine: this.#machine, alive: () => this.alive };
    const serving = { machine: server.machine, alive: () => server.life === life };
    const [ours, theirs] = connectEnds(this.#world, client, serving, id);
    this.#connections.push(ours);
    server.serve(theirs);
    return ours;
  }

  /** Nothing that is said to it arrives any more; the servers learn of it by the closed connections. */
  kill(): void {
    this.alive = false;
    this.#end();
    for (const connection of this.#connections) connection.close();
  }
}

/** The shipped verifier, and whoever wants to know what it believes. */
export class WatchedVerifier extends Verifier {
  readonly #world: World;
  /** How often the group has said that it knows nothing of a request any more. */
  forgotten = 0;

  constructor(world: World) {
    super(world.fixture.root.publicKey, world.fixture.crypto);
    this.#world = world;
  }

  override certificate(configuration: Configuration, bytes: Uint8Array): Accept {
    const accept = super.certificate(configuration, bytes);
    this.#world.checks.certified(bytes, accept);
    return accept;
  }

  override answer(configuration: Configuration, certified: Certified, commandHash: Uint8Array): Outcome {
    const outcome = super.answer(configuration, certified, commandHash);
    const { index } = super.certificate(configuration, certified.certificate);
    this.#world.checks.answered(commandHash, certified.outcome, index);
    this.#world.history.answered(commandHash, outcome);
    if (outcome.kind === 'refused' && outcome.code === 'forgotten') this.forgotten++;
    this.#world.count(`outcome ${outcome.kind}${'code' in outcome ? ` ${outcome.code}` : ''}`);
    if (outcome.kind === 'granted' || outcome.kind === 'renewed')
      this.#world.agenda.later(0, () => {
        this.#world.checks.count(); // when the client has taken it in
        this.#world.checks.held();
      });
    return outcome;
  }
}
