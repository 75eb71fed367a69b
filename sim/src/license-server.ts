import type { Watermark } from '@trefoil/container';
import { decodeToVoter, type Signed, type ToVoter } from '@trefoil/core';
import { LicenseError, type Member, SET_ID_BYTES, type TmrServer } from '@trefoil/license';
import { beginSuspectLog, openLog, VoterRuntime } from '@trefoil/license-server';
import { MemoryDisk } from '@trefoil/license-server/log-store/memory-disk';
import { SimContainer } from './container.ts';
import { Machine } from './machine.ts';
import type { Random } from './random.ts';
import { SlowDisk } from './slow-disk.ts';
import type { World } from './world.ts';

const TICK_MS = 10;
const MARK_MS = 1_000;

/** A license server: the shipped process without its sockets, on a simulated machine. */
export class LicenseServer {
  readonly member: Member;
  /** Of its container: those that replace the first have a higher one. */
  readonly generation: number;
  readonly machine: Machine;
  readonly #world: World;
  readonly #random: Random;
  memory: MemoryDisk;
  /** The container's own memory, which lies elsewhere than the log. */
  mark: Watermark = { epoch: 0, index: 0 };
  runtime: VoterRuntime | undefined;
  #container: SimContainer | undefined;
  #disk: SlowDisk | undefined;
  slowness = 1;
  /** Another machine comes with the program of its day. */
  hasOldProgram: boolean;
  /** Counts starts: what belongs to an earlier life is nobody's. */
  life = 0;
  up = false;
  /** Called once, when something is signed and nobody has it yet. */
  onceSigned: (() => void) | undefined;

  constructor(world: World, member: Member, random: Random, generation = 0) {
    this.#world = world;
    this.member = member;
    this.generation = generation;
    this.#random = random;
    this.machine = new Machine(world.agenda, random.between(0, 1e6));
    this.memory = new MemoryDisk(random.fork().unit);
    this.hasOldProgram = generation === 0 && world.programs.isOldGroup;
  }

  /** The same machine once more, with the same container: what is not on the disk yet, it doesn't have. */
  copy(): LicenseServer {
    const clone = new LicenseServer(this.#world, this.member, this.#random.fork(), this.generation);
    clone.memory = this.memory.clone();
    clone.memory.restartAfterPowerLoss();
    clone.hasOldProgram = this.hasOldProgram;
    clone.mark = this.#container?.durableMark ?? this.mark;
    return clone;
  }

  /** Of its place in the network; what stands there changes when it is replaced. */
  get name(): `L${Member}` {
    return `L${this.member}`;
  }

  /** Of its container, which is in no other machine. */
  get who(): string {
    return `${this.name}${'*'.repeat(this.generation)}`;
  }

  async start(): Promise<void> {
    const life = ++this.life;
    this.up = true;
    const { fixture, checks, programs } = this.#world;
    const context = { ...this.#world.context, rules: programs.begins(this) };
    const key = fixture.container(this.member, this.generation);
    const serial = fixture.serial(this.member, this.generation);
    const container = new SimContainer(serial, key, this.mark, (signed) => this.#signs(signed));
    this.#container = container;
    const { member, machine } = this;
    const log = this.#world.logOf(this.who);
    // Back to the last snapshot, as the bounds of the product have it.
    const recentBytes = 5_000 * this.#world.snapshotEveryEntries;
    const options = { context, member, clock: machine, log, recentBytes };
    const diskOver = (memory: MemoryDisk): SlowDisk => {
      this.#disk = new SlowDisk(memory, this.#world.agenda, this.#random);
      this.#disk.slowness = this.slowness;
      this.#disk.awake = () => machine.awake();
      return this.#disk;
    };
    const open = (): ReturnType<typeof openLog> => openLog(options, container, diskOver(this.memory));
    let opened: Awaited<ReturnType<typeof openLog>>;
    let why: string | undefined;
    try {
      opened = await open();
      if (opened.suspect !== undefined) {
        why = opened.suspect;
        this.#world.count('log set aside');
        this.#world.note(`${this.who} sets its log aside: ${why}`);
        checks.signatures.setAside(this, why);
        const instead = new MemoryDisk(this.#random.fork().unit);
        await beginSuspectLog(container, diskOver(instead), why);
        if (life !== this.life) return;
        this.memory = instead;
        opened = await open();
      }
    } catch (error) {
      if (life === this.life) this.crash('process', String(error));
      return;
    }
    if (life !== this.life) return;
    if (opened.suspect !== undefined) throw new Error(`an empty disk is suspect: ${opened.suspect}`);
    const { voter } = opened.opened;
    const reason = why ?? opened.rejoin;
    checks.signatures.restarted(this, voter, { mark: this.mark, why: reason });
    const runtime = new VoterRuntime({
      ...opened.opened,
      archive: { keep: async () => ({ mayGo: true, alarms: [] }) },
      container,
      clock: machine,
      random: { bytes: (count) => this.#random.bytes(count) },
      log,
      fail: (error) => {
        if (this.life === life) this.crash('process', error.message);
      },
    });
    this.runtime = runtime;
    runtime.rejoin(reason);
    this.#tick(life);
    this.#keepMark(life);
    for (const id of ['A', 'B'] as const) this.#world.tmrServers[id].dial(this.member);
  }

  #signs(signed: Signed): void {
    const { checks, commitOrder } = this.#world;
    const { lastHead, tail } = this.runtime?.voter.replica ?? {};
    checks.signatures.signs(this, signed);
    const { onceSigned } = this;
    this.onceSigned = undefined;
    if (onceSigned !== undefined) this.#world.agenda.later(0, onceSigned);
    if (tail === undefined || lastHead === undefined) return;
    const { entry, bytes, previousHead, outcomes } = tail;
    commitOrder.executed(lastHead, { index: entry.index, bytes, previousHead, outcomes });
  }

  #tick(life: number): void {
    this.machine.later(TICK_MS, () => {
      if (life !== this.life) return;
      this.runtime?.handle({ kind: 'tick' });
      this.#tick(life);
    });
  }

  #keepMark(life: number): void {
    this.machine.later(MARK_MS, () => {
      if (life !== this.life) return;
      this.#container?.saveMark();
      this.#keepMark(life);
    });
  }

  /** kill −9 or power loss: what was not durable is gone. */
  crash(how: 'process' | 'power', why = 'killed'): void {
    if (!this.up) return;
    this.#world.note(`${this.who} dies (${how}): ${why}`);
    this.up = false;
    this.life++;
    this.#disk?.die();
    this.mark = this.#container?.durableMark ?? this.mark;
    if (how === 'power') this.memory.restartAfterPowerLoss();
    else this.memory.restartProcess();
    this.machine.goOn();
    const { links = {} } = this.runtime ?? {};
    this.runtime = undefined;
    for (const link of Object.values(links)) link.close();
  }

  slowDown(factor: number): void {
    this.slowness = factor;
    if (this.#disk !== undefined) this.#disk.slowness = factor;
  }

  accept(from: TmrServer, link: { send(frame: Uint8Array): void; close(): void }, hearsAbout: boolean): void {
    const { runtime } = this;
    if (runtime === undefined) return link.close();
    const before = runtime.links[from];
    runtime.links[from] = link;
    before?.close();
    runtime.handle({ kind: 'linkUp', from, hearsAbout });
  }

  receive(from: TmrServer, link: object, frame: Uint8Array): void {
    const { runtime } = this;
    if (runtime?.links[from] !== link) return;
    let message: ToVoter;
    try {
      message = decodeToVoter(frame.subarray(SET_ID_BYTES));
    } catch (error) {
      if (!(error instanceof LicenseError)) throw error;
      this.#world.count('malformed message');
      return runtime.links[from]?.close(); // as the process does
    }
    this.#world.count(`a license server hears: ${message.kind}`);
    if (message.kind === 'about') this.#world.checks.hearsAbout(this, this.#world.tmrServers[from].liar.hasLied);
    runtime.handle({ kind: 'message', from, message });
  }

  lose(from: TmrServer, link: object): void {
    const { runtime } = this;
    if (runtime?.links[from] !== link) return;
    delete runtime.links[from];
    runtime.handle({ kind: 'linkDown', from });
  }
}
