import assert from 'node:assert/strict';
import { decodeCallFrame, fromBinary, SubmitRequestSchema } from '@trefoil/api';
import {
  type AcquireResult,
  type Client,
  type ClientMachine,
  connect,
  type ConnectOptions,
  type Seat,
} from '@trefoil/client';
import { decodeCommand } from '@trefoil/license';
import { ed25519FromSeed } from '@trefoil/license/node-crypto';
import { ClientProcess, WatchedVerifier } from './client-process.ts';
import { Machine } from './machine.ts';
import { Random } from './random.ts';
import { FIRST_START_MS, World } from './world.ts';

export const PATIENCE_MS = 1_000;
export const ANSWERS_LOST: readonly string[] = ['A>C0', 'B>C0'];
/** Nothing comes from clients or goes to them. */
export const CUT_OFF: readonly string[] = ['C0>*', ...ANSWERS_LOST];

/** Whether bytes go on their way, through the connection of that number; if not, they may be sent later. */
type Pass = (bytes: Uint8Array, dialled: number, later: () => void) => boolean;

/** Of a command that is handed in. */
export function kindOf(bytes: Uint8Array): string {
  const frame = decodeCallFrame(bytes);
  return frame?.method === 'submit' ? decodeCommand(fromBinary(SubmitRequestSchema, frame.body).command).kind : '';
}

/** A group in which nothing goes wrong by chance, and whoever is connected to it: what the SDK owes an application. */
export class Hall {
  readonly world: World;
  readonly machines = new Map<string, Machine>();

  /** A hundredth of all seeds has real keys, as a session that goes on in another process needs them. */
  constructor(seed: number) {
    this.world = new World(seed);
  }

  static async open(seats: number, seed = 1): Promise<Hall> {
    const hall = new Hall(seed);
    await hall.world.start();
    await hall.pass(FIRST_START_MS);
    hall.world.sell('hot-1', 'hot', seats);
    hall.world.sell('units-1', 'units', 0, 100);
    await hall.pass(1_000);
    return hall;
  }

  async connect(user: string, patienceMs = PATIENCE_MS): Promise<Client> {
    return this.answer(connect(this.options(user, patienceMs)));
  }

  options(user: string, patienceMs = PATIENCE_MS): ConnectOptions {
    const { world } = this;
    const machine = new Machine(world.agenda, 0);
    this.machines.set(user, machine);
    return {
      ...{ clientFile: world.clientFile, vendor: new WatchedVerifier(world) },
      ...{ user, host: user, program: 'test', patienceMs },
      machine: new ClientProcess(world, machine, new Random(user.length)),
    };
  }

  pass(ms: number): Promise<void> {
    return this.world.agenda.runUntil(this.world.agenda.now + ms);
  }

  /** Time goes on until there is one. */
  async answer<T>(asked: Promise<T>): Promise<T> {
    const waiting = new Set([asked]);
    const settle = (): void => waiting.clear();
    asked.then(settle, settle);
    for (let i = 0; i < 100_000 && waiting.size > 0; i++) await this.pass(1);
    return asked;
  }

  /** Sends through `pass`, which may swallow what is sent. With `seed`: one that can go on elsewhere, for it has a key of its own. */
  async through(patienceMs: number, pass: Pass, seed?: Uint8Array): Promise<Client> {
    const { machine, ...options } = this.options('ada', patienceMs);
    const inner = machine as ClientMachine;
    const dialInner = inner.dial.bind(inner);
    let dialled = 0;
    const dial: ClientMachine['dial'] = async (to) => {
      const connection = await dialInner(to);
      const number = dialled++;
      const send = connection.send.bind(connection);
      connection.send = (bytes) => {
        if (pass(bytes, number, () => send(bytes))) send(bytes);
      };
      return connection;
    };
    const own = seed && { sessionKey: () => ({ key: ed25519FromSeed(seed), seed }) };
    return this.answer(connect({ ...options, machine: Object.assign(inner, { dial }, own) }));
  }

  /** With real keys only. */
  movable(patienceMs = PATIENCE_MS, pass: Pass = () => true): Promise<Client> {
    return this.through(patienceMs, pass, new Uint8Array(32).fill(7));
  }

  /** The group has given a seat, and its answer is lost; nobody hears anything until all is mended. */
  async unanswered(client: Client): Promise<Extract<AcquireResult, { kind: 'unknown' }>> {
    const lost = this.loseAnswerTo('acquire');
    const asked = client.acquire('hot');
    await this.answer(lost);
    const result = await this.answer(asked);
    assert.ok(result.kind === 'unknown', result.kind);
    return result;
  }

  async seat(client: Client, seats = 1): Promise<Seat> {
    const result = await this.answer(client.acquire('hot', { seats }));
    assert.ok(result.kind === 'granted', result.kind);
    return result.seat;
  }

  get used(): number {
    return this.usedOf('hot-1');
  }

  usedOf(license: string): number {
    const [first] = this.world.ledgers();
    return first?.ledger.licenses.get(license)?.used ?? -1;
  }

  /** Seats of `brief` that end so many ms from now; undefined = never. */
  sellBrief(endsInMs: number | undefined): void {
    const utc = this.world.ledgers()[0]?.ledger.utc ?? 0;
    const end = (inMs: number): string => `${new Date(utc + inMs).toISOString().slice(0, 19)}Z`;
    this.world.sell('brief-1', 'brief', 5, undefined, endsInMs === undefined ? {} : { notAfter: end(endsInMs) });
  }

  cut(ways: readonly string[]): void {
    for (const way of ways) this.world.network.cuts.add(way);
  }

  mend(): void {
    this.world.network.cuts.clear();
  }

  /** Everything but the answer gets through to whoever asks this next. */
  loseAnswerTo(kind: string): Promise<void> {
    const { history } = this.world;
    const asked = history.asked.bind(history);
    return new Promise((resolve) => {
      history.asked = (bytes) => {
        asked(bytes);
        if (decodeCommand(bytes).kind !== kind) return;
        history.asked = asked;
        this.cut(ANSWERS_LOST);
        resolve();
      };
    });
  }

  end(): void {
    this.world.checks.count();
    assert.deepEqual(this.world.checks.faults, []);
  }
}
