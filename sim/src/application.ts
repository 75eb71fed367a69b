import { type AcquireResult, type Client, ClientError, connect, type ConsumeResult, type Seat } from '@trefoil/client';
import { LIMITS } from '@trefoil/core';
import type { AcquireItem, ConsumeItem } from '@trefoil/license';
import { Laptops, type SeatInHand } from './laptop.ts';
import { ClientProcess, WatchedVerifier } from './client-process.ts';
import { Machine } from './machine.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

const PATIENCE_MS = 3_000;
/** After healing (PROTOCOL §9.9): long for a person, and enough for an epoch or two. */
const SERVED_WITHIN_MS = 2_000;
const MOST_SEATS = 3;

/** Somebody's application, on the shipped SDK: takes seats, gives them back, asks again when nobody answers, and gets killed. */
export class Application {
  readonly name: string;
  readonly machine: Machine;
  readonly #world: World;
  readonly #random: Random;
  #process: ClientProcess | undefined;
  #client: Client | undefined;
  #left: Seat[] = [];
  /** How to ask once more. */
  #unanswered: (() => Promise<void>)[] = [];
  /** By product: units that it was told it has consumed; and at most those of which nobody told it, or nobody can any more. */
  readonly unitsTold = new Map<string, number>();
  readonly unitsOpen = new Map<string, number>();
  answers = 0;
  #verifier: WatchedVerifier | undefined;
  #before = { answers: 0, unknowns: 0 };
  unknowns = 0;
  #waits = 0;
  /** Of what only some runs sell: a stream of its own, so that the others are what they would be without. */
  readonly #taste: Random | undefined;
  /** Where seats may leave. */
  readonly #laptops: Laptops | undefined;
  waitingSince: number | undefined;
  /** Called once, when it asks for something. */
  onceAsking: (() => void) | undefined;

  constructor(world: World, number: number, random: Random) {
    this.#world = world;
    this.#random = random;
    this.name = `client-${number}`;
    this.machine = new Machine(world.agenda, random.between(0, 1e6));
    this.#taste = world.assortment?.random.fork();
    if (this.#taste !== undefined && world.assortment?.lends === true)
      this.#laptops = new Laptops(world, this.name, this.#taste.fork());
    this.machine.runAtRate(1 + random.between(-1, 1) * (LIMITS.clockRate / 2));
  }

  /** By this machine's clocks, at this true moment. */
  seatsInUse(): { license: string; seats: number }[] {
    return this.heldSeats().flatMap((seat) =>
      seat.grants.map(({ license, product, feature, seats: count }) => {
        return { license, seats: count * (this.#world.assortment?.tokensOf(product, feature) ?? 1) };
      }),
    );
  }

  /** Those that it may use now. */
  heldSeats(): readonly SeatInHand[] {
    const seats = [...(this.#client?.seats ?? []), ...this.#left].filter((seat) => seat.valid);
    return [...seats, ...(this.#laptops?.seats ?? [])];
  }

  /** One thing after the other, now and then several at once, until the run ends. */
  async live(): Promise<void> {
    while (!this.#world.quiet) {
      const pauseMs = this.#world.pace * this.#random.between(5, this.#random.chance(0.02) ? 3_000 : 120);
      await new Promise<void>((resolve) => this.machine.later(pauseMs, resolve));
      if (this.#world.idle) continue;
      const client = this.#client ?? (await this.#start());
      if (client === undefined) continue;
      const together = this.#random.chance(0.1) ? 2 + this.#random.below(6) : 1;
      if (this.#random.chance(0.01)) this.#die();
      else await this.#waiting(Promise.all(Array.from({ length: together }, () => this.#act(client))));
    }
    this.end();
  }

  async #start(): Promise<Client | undefined> {
    const { clientFile } = this.#world;
    const machine = new ClientProcess(this.#world, this.machine, this.#random.fork());
    const verifier = new WatchedVerifier(this.#world);
    this.#verifier = verifier;
    this.#process = machine;
    this.#world.count('command open');
    try {
      this.#client = await this.#waiting(
        connect({
          ...{ clientFile, vendor: verifier, machine, patienceMs: PATIENCE_MS },
          ...{ user: this.name, host: this.name, program: 'app' },
        }),
      );
      this.answers++;
      return this.#client;
    } catch (error) {
      this.#mustBeForeseen(error);
      return undefined;
    }
  }

  /** The SDK's own errors: nobody could be reached, or the client was closed meanwhile. */
  #mustBeForeseen(error: unknown): void {
    if (!(error instanceof Error) || error.name !== 'ClientError') throw error;
    this.unknowns++;
  }

  /** Undefined if the process was killed meanwhile: then nobody waits any more. */
  async #waiting<T>(asked: Promise<T>): Promise<T | undefined> {
    this.waitingSince ??= this.#world.agenda.now;
    const { onceAsking } = this;
    this.onceAsking = undefined;
    onceAsking?.();
    try {
      return await Promise.race([asked, this.#process?.ended.then(() => undefined)]);
    } finally {
      this.mustBeServed();
      this.waitingSince = undefined;
    }
  }

  /** From here on it has to be answered. */
  startCounting(): void {
    this.#before = { answers: this.answers, unknowns: this.unknowns };
  }

  /** §9.9: since all was mended; who asked got something certified. */
  mustHaveAnswers(): void {
    const { answers, unknowns } = this.#before;
    // Its numbers were used up in its name: that is an answer, and all that it gets in this session (PROTOCOL §10).
    if ((this.#verifier?.forgotten ?? 0) > 0 && this.#world.counts.has('command forged without authority')) return;
    // One or two may be of before.
    if (this.unknowns > unknowns + 2 && this.answers === answers)
      this.#world.unserved.push(`${this.name} asked and heard nothing that counts`);
  }

  /** §9.9: since all was mended. */
  mustBeServed(): void {
    const { agenda, servedFrom, unserved } = this.#world;
    const waitedMs = agenda.now - Math.max(this.waitingSince ?? agenda.now, servedFrom);
    if (waitedMs > SERVED_WITHIN_MS) unserved.push(`${this.name} is not served in ${waitedMs.toFixed(0)} ms`);
  }

  async #act(client: Client): Promise<void> {
    if (client !== this.#client) return;
    const held = [...client.seats];
    const dice = this.#random.unit();
    try {
      if (this.#taste?.chance(0.4) === true) return await this.#actByTaste(client, held, this.#taste);
      if (dice < 0.1) return await this.#renew(client);
      if (dice < 0.15 && this.#unanswered.length > 0) return await this.#askAgain();
      if (dice < 0.5 && held.length < MOST_SEATS) return await this.#acquire(client);
      if (dice < 0.8 && held.length > 0) return await this.#release(client, this.#random.pick(held));
      if (dice < 0.92)
        return await this.#consume(client, [{ product: 'units', feature: '', count: 1 + this.#random.below(3) }]);
      if (dice < 0.94) return await this.#close(client);
      if (dice < 0.97) return this.#waitInLine(client);
      if (held.length < MOST_SEATS) await this.#acquire(client);
    } catch (error) {
      this.#mustBeForeseen(error);
    }
  }

  /** Of the licenses whose terms say more than a quantity. */
  async #actByTaste(client: Client, held: readonly Seat[], taste: Random): Promise<void> {
    const { assortment } = this.#world;
    if (this.#laptops !== undefined && taste.chance(0.4)) return this.#laptops.act();
    if (held.length >= MOST_SEATS || taste.chance(0.2 * held.length))
      return await this.#release(client, taste.pick(held));
    const [seats, uses] = [assortment?.seats(taste), assortment?.uses(taste)];
    if (uses !== undefined && (seats === undefined || taste.chance(0.5))) return await this.#consume(client, uses);
    if (seats === undefined) return;
    if (this.#waits < MOST_SEATS && taste.chance(0.3)) return this.#wait(client, seats, taste);
    this.#world.count('command acquire by taste');
    this.#acquired(client, await client.acquireAll(seats));
  }

  async #renew(client: Client): Promise<void> {
    this.#world.count('command renew');
    this.#heard(client, (await client.renew()) !== 'unknown');
  }

  async #acquire(client: Client): Promise<void> {
    this.#world.count('command acquire');
    const products = this.#random.chance(0.2) ? ['hot', 'cold'] : [this.#random.chance(0.7) ? 'hot' : 'cold'];
    const seats = this.#random.chance(0.15) ? 2 : 1;
    this.#acquired(client, await client.acquireAll(products.map((product) => ({ product, feature: '', seats }))));
  }

  #waitInLine(client: Client): void {
    if (this.#waits >= MOST_SEATS) return;
    const products = this.#random.pick([['line'], ['line'], ['row'], ['line', 'row']]);
    const items = products.map((product) => ({ product, feature: '', seats: this.#random.chance(0.3) ? 2 : 1 }));
    this.#wait(client, items, this.#random);
  }

  /** Behind its back: it goes on with other things, and gives some of the waits up. */
  #wait(client: Client, items: readonly AcquireItem[], random: Random): void {
    this.#world.count('command acquire, and wait');
    const waitMs = random.pick([200, 5_000, 60_000]);
    const giveUp = new AbortController();
    if (random.chance(0.2))
      this.#world.agenda.later(random.between(0, 5_000), () => giveUp.abort(new ClientError('closed', 'given up')));
    void this.#inTheBackground(client, client.acquireAll(items, { waitMs, signal: giveUp.signal }));
  }

  async #inTheBackground(client: Client, waiting: Promise<AcquireResult>): Promise<void> {
    this.#waits++;
    try {
      const result = await waiting;
      this.#heard(client, result.kind !== 'unknown');
      if (result.kind === 'unknown' && this.#random.chance(0.8))
        this.#unanswered.push(async () => void this.#inTheBackground(client, result.again()));
    } catch (error) {
      this.#mustBeForeseen(error);
    } finally {
      this.#waits--;
    }
  }

  #acquired(client: Client, result: AcquireResult): void {
    this.#heard(client, result.kind !== 'unknown');
    if (result.kind === 'unknown' && this.#random.chance(0.8))
      this.#unanswered.push(async () => this.#acquired(client, await result.again()));
  }

  async #askAgain(): Promise<void> {
    this.#world.count('asked again after no answer');
    await this.#unanswered.shift()?.();
  }

  async #release(client: Client, seat: Seat): Promise<void> {
    this.#world.count('command release');
    this.#heard(client, (await seat.release()).kind !== 'unknown');
  }

  async #consume(client: Client, items: readonly ConsumeItem[]): Promise<void> {
    this.#world.count(items.length === 1 ? 'command consume' : 'command consume, several items');
    for (const item of items) this.#note(this.unitsOpen, item, this.#unitsAtMost(item));
    this.#consumed(client, items, await client.consumeAll(items));
  }

  #consumed(client: Client, items: readonly ConsumeItem[], result: ConsumeResult): void {
    this.#heard(client, result.kind !== 'unknown');
    if (result.kind === 'unknown') {
      this.#unanswered.push(async () => this.#consumed(client, items, await result.again()));
      return;
    }
    for (const item of items) this.#note(this.unitsOpen, item, -this.#unitsAtMost(item));
    if (result.kind !== 'consumed') return;
    for (const { item, units } of result.parts) this.#note(this.unitsTold, items[item], units);
  }

  #unitsAtMost(item: ConsumeItem): number {
    return this.#world.assortment?.unitsOf(item) ?? item.count;
  }

  #note(units: Map<string, number>, { product = '' }: Partial<ConsumeItem> = {}, change: number): void {
    units.set(product, (units.get(product) ?? 0) + change);
  }

  async #close(client: Client): Promise<void> {
    this.#world.count('command close');
    // Whoever still has one of these may look at it.
    this.#left = [...client.seats];
    this.#forget();
    await client.close();
  }

  #die(): void {
    this.#world.count('client killed');
    this.end();
  }

  /** The process is gone; the group frees its seats by itself. */
  end(): void {
    this.#process?.kill();
    this.#forget();
  }

  #forget(): void {
    this.#client = undefined;
    this.#process = undefined;
    this.#waits = 0;
    this.#unanswered = [];
  }

  /** Who has closed a client waits for nothing of it any more. */
  #heard(client: Client, answered: boolean): void {
    if (answered) this.answers++;
    else if (client === this.#client) this.unknowns++;
  }
}
