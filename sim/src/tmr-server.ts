import {
  decodeToProposer,
  decodeToVoter,
  encodeToVoter,
  encodeWitness,
  takeWitness,
  type ToProposer,
} from '@trefoil/core';
import { bytesKey, concatBytes, LicenseError, type Member, SET_ID_BYTES, type TmrServer as Id } from '@trefoil/license';
import type { FrameConnection } from '@trefoil/link';
import { ProposerRuntime, serveFrames, Service } from '@trefoil/tmr-server';
import { Liar } from './lies.ts';
import { Machine } from './machine.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

const REDIAL_MS = 60;
const WITNESS_MS = 1_000;

/** A TMR server: the shipped process without its sockets, on a simulated machine. */
export class TmrServer {
  readonly id: Id;
  readonly machine: Machine;
  readonly #world: World;
  readonly #random: Random;
  runtime: ProposerRuntime | undefined;
  service: Service | undefined;
  #clients: FrameConnection[] = [];
  #witness: Uint8Array | undefined;
  readonly liar: Liar;
  life = 0;
  hasOldProgram: boolean;
  /** Called once, when an entry is certified and nobody has been told. */
  onceCertified: (() => void) | undefined;

  constructor(world: World, id: Id, random: Random) {
    this.#world = world;
    this.id = id;
    this.#random = random;
    this.machine = new Machine(world.agenda, random.between(0, 1e6));
    this.liar = new Liar(world, id, random.fork());
    this.hasOldProgram = world.programs.isOldGroup;
  }

  get who(): Id {
    return this.id;
  }

  get up(): boolean {
    return this.runtime !== undefined;
  }

  start(): void {
    const life = ++this.life;
    const { fixture, checks, programs } = this.#world;
    const context = { ...this.#world.context, rules: programs.begins(this) };
    const runtime = new ProposerRuntime({
      context,
      id: this.id,
      key: fixture.tmrKeys[this.id],
      clock: this.machine,
      random: { bytes: (count) => this.#random.bytes(count) },
      log: this.#world.logOf(this.id),
      snapshotEveryEntries: this.#world.snapshotEveryEntries,
      recentBytes: this.#world.recentBytes,
    });
    if (this.#witness !== undefined) takeWitness(runtime.proposer, this.#witness);
    runtime.watchers.add((event) => {
      if (!('index' in event)) return;
      checks.certifiedEntry(event);
      const { onceCertified } = this;
      this.onceCertified = undefined;
      if (onceCertified !== undefined) this.#world.agenda.later(0, onceCertified);
    });
    this.runtime = runtime;
    this.service = new Service(new Map([[bytesKey(fixture.set), runtime]]), this.machine);
    this.#keepWitness(life);
    for (const member of [1, 2, 3] as const) this.dial(member);
  }

  #keepWitness(life: number): void {
    this.machine.later(WITNESS_MS, () => {
      if (life !== this.life || this.runtime === undefined) return;
      this.#witness = encodeWitness(this.runtime.proposer);
      this.#keepWitness(life);
    });
  }

  crash(): void {
    const { runtime } = this;
    if (runtime === undefined) return;
    this.#world.note(`${this.id} dies`);
    this.life++;
    this.runtime = undefined;
    this.machine.goOn();
    for (const connection of this.#clients.splice(0)) connection.close();
    void runtime[Symbol.asyncDispose](); // closes its links; its answers go nowhere
  }

  hangUp(member: Member): void {
    this.runtime?.links[member]?.close();
  }

  /** A connection to a license server; tried again for as long as it is needed. */
  dial(member: Member): void {
    const { life } = this;
    const { network, agenda } = this.#world;
    const server = this.#world.reached(this.id, member);
    const again = (): void => void agenda.later(REDIAL_MS * this.#random.between(0.5, 1.5), () => this.dial(member));
    if (life !== this.life || this.runtime === undefined || this.runtime.links[member] !== undefined) return;
    const cut = network.isCut(this.id, server.name) || network.isCut(server.name, this.id);
    if (cut || server.runtime === undefined || this.machine.stopped || server.machine.stopped) return again();
    const theirLife = server.life;
    let open = true;
    const alive = (): boolean => open && life === this.life && theirLife === server.life;
    const breakOff = (): void => {
      if (!open) return;
      open = false;
      // Each end notices in its own time.
      agenda.later(network.delayMs(), () => server.machine.when(() => server.lose(this.id, far)));
      agenda.later(network.delayMs(), () =>
        this.machine.when(() => {
          if (this.runtime?.links[member] === near) {
            delete this.runtime.links[member];
            this.runtime.handle({ kind: 'linkDown', member });
          }
          if (life === this.life) again();
        }),
      );
    };
    const toServer = network.way(this.id, server.name, alive, (frame) =>
      server.machine.when(() => alive() && server.receive(this.id, far, frame)),
    );
    const toUs = network.way(server.name, this.id, alive, (frame) =>
      this.machine.when(() => {
        if (!alive() || this.runtime?.links[member] !== near) return;
        const message = this.#hear(frame, member, near);
        if (message !== undefined) this.runtime.handle({ kind: 'message', member, message });
      }),
    );
    const near = { send: (frame: Uint8Array) => this.#say(frame, member, toServer), close: breakOff };
    const far = {
      send: (frame: Uint8Array) => {
        const { traitor } = this.#world;
        if (traitor?.server !== server || traitor.lies.size === 0) toUs(frame);
        else for (const told of traitor.tell(frame)) toUs(told);
      },
      close: breakOff,
    };
    this.runtime.links[member] = near;
    const hearsAbout = !this.hasOldProgram && !server.hasOldProgram;
    server.accept(this.id, far, hearsAbout);
    this.runtime.handle({ kind: 'linkUp', member, hearsAbout });
    this.#world.watchLink({ from: this.id, to: server.name, alive, cut: breakOff });
  }

  #say(frame: Uint8Array, member: Member, send: (frame: Uint8Array) => void): void {
    const set = frame.subarray(0, SET_ID_BYTES);
    const message = decodeToVoter(frame.slice(SET_ID_BYTES));
    if (!this.liar.hasLied) {
      if (message.kind === 'propose') this.#world.evidence.proposed(message);
      return send(frame);
    }
    for (const told of this.liar.tell(message, member)) send(this.liar.bent(concatBytes(set, encodeToVoter(told))));
  }

  /** What is no message closes the link, as in the process. */
  #hear(frame: Uint8Array, from: Member, link: { close(): void }): ToProposer | undefined {
    try {
      const message = decodeToProposer(frame.subarray(SET_ID_BYTES));
      this.#world.count(`a TMR server hears: ${message.kind}`);
      if (message.kind === 'about') this.#world.checks.hearsAbout(this, this.#world.traitor?.member === from);
      if (message.kind === 'refused') this.#world.checks.refused(message.reason, from);
      return this.liar.hears(message);
    } catch (error) {
      if (!(error instanceof LicenseError)) throw error;
      link.close();
      return undefined;
    }
  }

  /** A client has connected: the shipped door serves it. */
  serve(connection: FrameConnection): void {
    const { runtime } = this;
    if (runtime === undefined || this.service === undefined) return connection.close();
    this.#clients.push(connection);
    runtime.handle({ kind: 'clients', count: this.#clients.length });
    connection.onClose(() => {
      this.#clients = this.#clients.filter((one) => one !== connection);
      runtime.handle({ kind: 'clients', count: this.#clients.length });
    });
    serveFrames(this.liar.between(connection), this.service, { run: (work) => work() });
  }
}
