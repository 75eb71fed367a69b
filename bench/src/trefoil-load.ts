import { type Client, connect, Verifier } from '@trefoil/client';
import { type LoadResult, round, summarize } from './latencies.ts';

/** One load process: `clients` SDK clients, each with its own TLS connection and session, in a closed loop acquire → release. */
export interface LoadOrder {
  readonly clientFile: string;
  readonly vendorRoot: string;
  readonly clients: number;
  readonly products: readonly string[];
  readonly warmUpMs: number;
  readonly measureMs: number;
}

const CONNECT_TOGETHER = 20;

class Load {
  readonly #order: LoadOrder;
  readonly #latencies: number[] = [];
  #failed = 0;
  #startAt = 0;
  #endAt = 0;

  constructor(order: LoadOrder) {
    this.#order = order;
  }

  async run(): Promise<{ result: LoadResult; load: { cpuSeconds: number; peakMb: number } }> {
    const clients = await this.#connect();
    this.#startAt = performance.now() + this.#order.warmUpMs;
    this.#endAt = this.#startAt + this.#order.measureMs;
    const before = process.cpuUsage();
    await Promise.all(clients.map((client, i) => this.#loop(client, i)));
    const { user, system } = process.cpuUsage(before);
    const load = {
      cpuSeconds: round((user + system) / 1e6),
      peakMb: Math.round(process.resourceUsage().maxRSS / 1_024),
    };
    await Promise.all(clients.map((client) => client.close()));
    return { result: summarize(this.#latencies, this.#failed, this.#order.measureMs / 1_000), load };
  }

  /** All clients of this process share one verifier: each certificate is checked once. */
  async #connect(): Promise<Client[]> {
    const { clientFile, vendorRoot, clients: count } = this.#order;
    const verifier = new Verifier(vendorRoot);
    const clients: Client[] = [];
    while (clients.length < count) {
      const some = Array.from({ length: Math.min(CONNECT_TOGETHER, count - clients.length) }, (_, k) => {
        const i = clients.length + k;
        return connect({
          clientFile,
          vendor: verifier,
          user: `user-${i}`,
          host: `host-${i}`,
          program: 'bench',
          patienceMs: 20_000,
        });
      });
      clients.push(...(await Promise.all(some)));
    }
    return clients;
  }

  async #loop(client: Client, i: number): Promise<void> {
    const { products } = this.#order;
    for (let round = i; performance.now() < this.#endAt; round++) {
      const acquired = await this.#timed(client.acquire(products[round % products.length] as string), 'granted');
      if (acquired.kind === 'granted') await this.#timed(acquired.seat.release(), 'released');
    }
  }

  async #timed<T extends { kind: string }>(call: Promise<T>, good: string): Promise<T> {
    const sentAt = performance.now();
    const result = await call;
    const now = performance.now();
    if (sentAt < this.#startAt || now > this.#endAt) return result;
    if (result.kind === good) this.#latencies.push(now - sentAt);
    else this.#failed++;
    return result;
  }
}

async function obey(order: LoadOrder): Promise<void> {
  try {
    process.send?.(await new Load(order).run());
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  }
  process.disconnect();
}

process.once('message', (order: LoadOrder) => void obey(order));
