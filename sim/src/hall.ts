import assert from 'node:assert/strict';
import { type Client, connect, type ConnectOptions, type Seat } from '@trefoil/client';
import { decodeCommand } from '@trefoil/license';
import { ClientProcess, WatchedVerifier } from './client-process.ts';
import { Machine } from './machine.ts';
import { Random } from './random.ts';
import { FIRST_START_MS, World } from './world.ts';

export const PATIENCE_MS = 1_000;
const ANSWERS_LOST = ['A>C0', 'B>C0'];

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

  async seat(client: Client, seats = 1): Promise<Seat> {
    const result = await this.answer(client.acquire('hot', { seats }));
    assert.ok(result.kind === 'granted', result.kind);
    return result.seat;
  }

  get used(): number {
    const [first] = this.world.ledgers();
    return first?.ledger.licenses.get('hot-1')?.used ?? -1;
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
