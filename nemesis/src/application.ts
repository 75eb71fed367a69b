import { type AcquireResult, type Client, ClientError, connect, type ConnectOptions, type Seat } from '@trefoil/client';
import type { Random } from '@trefoil/sim/random';
import { type Order, type Products, type Said } from './said.ts';
import { SeatWatch } from './seat-watch.ts';

const PATIENCE_MS = 5_000;
const MOST_SEATS = 3;

type Unanswered = { again: () => Promise<Result> };
type Result = { kind: string; reason?: string } & Partial<Unanswered>;

/** Somebody's program on the shipped SDK: takes seats and gives them back, uses up units, asks again when nobody answers. */
export class Application {
  readonly #options: ConnectOptions;
  readonly #random: Random;
  readonly #say: (said: Said) => void;
  readonly #watch: SeatWatch;
  #client: Client | undefined;
  #unanswered: Unanswered[] = [];
  #living: Promise<void> | undefined;
  #resting = true;

  constructor(options: ConnectOptions, random: Random, say: (said: Said) => void) {
    this.#options = { ...options, patienceMs: PATIENCE_MS };
    this.#random = random;
    this.#say = say;
    this.#watch = new SeatWatch(() => this.#client?.seats ?? new Set(), say);
  }

  async obey(order: Extract<Order, { kind: 'live' | 'rest' | 'be-served' }>): Promise<void> {
    switch (order.kind) {
      case 'live':
        this.#resting = false;
        this.#living = this.#live(order.products);
        return;
      case 'rest':
        this.#resting = true;
        await this.#living;
        for (const seat of this.#client?.seats ?? []) await seat.release();
        this.#say({ kind: 'resting' });
        return;
      case 'be-served':
        await this.#beServed(order.products);
        return;
    }
  }

  async #live(products: Products): Promise<void> {
    while (!this.#resting) {
      await pause(this.#random.between(5, this.#random.chance(0.02) ? 2_000 : 150));
      const together = this.#random.chance(0.1) ? 2 + this.#random.below(4) : 1;
      await Promise.all(Array.from({ length: together }, () => this.#act(products)));
    }
  }

  async #act(products: Products): Promise<void> {
    const startedAt = performance.now();
    try {
      const client = (this.#client ??= await this.#connect());
      const held = [...client.seats];
      const dice = this.#random.unit();
      if (dice < 0.1) return await this.#timed('renew', () => client.renew());
      if (dice < 0.2 && this.#unanswered.length > 0) return await this.#askAgain();
      if (dice < 0.6 && held.length < MOST_SEATS) return await this.#acquire(client, products);
      if (dice < 0.85 && held.length > 0) return await this.#release(this.#random.pick(held));
      if (dice < 0.98) return await this.#consume(client, products);
      await this.#close(client);
    } catch (error) {
      // The SDK's own: nobody could be reached to open a session, or another call of this program has closed the client.
      if (!(error instanceof ClientError)) throw error;
      const reason = error.code === 'closed' ? undefined : error.message;
      this.#say({ kind: 'did', what: error.code, reason, tookMs: performance.now() - startedAt });
    }
  }

  #connecting: Promise<Client> | undefined;

  async #connect(): Promise<Client> {
    this.#connecting ??= connect(this.#options).finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #acquire(client: Client, { hot, cold }: Products): Promise<void> {
    const product = this.#random.chance(0.75) ? hot : cold;
    const seats = this.#random.chance(0.15) ? 2 : 1;
    await this.#timed('acquire', () => client.acquire(product, { seats }));
  }

  async #askAgain(): Promise<void> {
    const unanswered = this.#unanswered.shift();
    if (unanswered !== undefined) await this.#timed('ask again', unanswered.again);
  }

  async #release(seat: Seat): Promise<void> {
    this.#watch.look();
    await this.#timed('release', () => seat.release());
  }

  async #consume(client: Client, { units }: Products): Promise<void> {
    await this.#timed('consume', () => client.consume(units, 1 + this.#random.below(3)));
  }

  async #close(client: Client): Promise<void> {
    this.#watch.look();
    this.#client = undefined;
    this.#unanswered = [];
    await this.#timed('close', async () => {
      await client.close();
      return 'closed';
    });
  }

  async #timed(what: string, call: () => Promise<string | Result>): Promise<void> {
    const sentAt = performance.now();
    const result = await call();
    const kind = typeof result === 'string' ? result : result.kind;
    // Asked for too long ago, so that its outcome is forgotten, or called off by this program itself: no more can be said.
    const why = typeof result === 'string' ? 'nobody has answered' : result.reason;
    const isOver = /forgotten|the client is closed/.test(why ?? '');
    const reason = kind === 'unknown' && !isOver ? why : undefined;
    this.#say({ kind: 'did', what, reason, tookMs: performance.now() - sentAt });
    if (typeof result === 'string' || isOver) return;
    if (kind === 'granted')
      this.#say({ kind: 'proved', bundle: (result as AcquireResult & { seat: Seat }).seat.proof() });
    if (kind === 'unknown' && result.again !== undefined && this.#random.chance(0.8))
      this.#unanswered.push({ again: result.again });
  }

  async #beServed({ cold, units }: Products): Promise<void> {
    const askedAt = performance.now();
    try {
      const client = (this.#client ??= await this.#connect());
      const acquired = await client.acquire(cold);
      const consumed = await client.consume(units, 1);
      const released = acquired.kind === 'granted' ? await acquired.seat.release() : acquired;
      const kinds = [acquired.kind, consumed.kind, released.kind].join();
      if (/^granted,(consumed|denied),released$/.test(kinds))
        this.#say({ kind: 'served', tookMs: performance.now() - askedAt });
      else this.#say({ kind: 'not-served', reason: kinds });
    } catch (error) {
      this.#say({ kind: 'not-served', reason: String(error) });
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
