import { type Client, connect } from '@trefoil/client';

/** What the test tells it. */
export type LoadOrder = { readonly kind: 'mark' } | { readonly kind: 'report' } | { readonly kind: 'end' };

export type LoadSaid =
  | { readonly kind: 'working' }
  | { readonly kind: 'report'; readonly figures: LoadFigures }
  | { readonly kind: 'failed'; readonly reason: string };

export interface LoadFigures {
  readonly requests: number;
  /** In words, each that had no certified answer of the kind it has to have. */
  readonly failures: readonly string[];
  /** Longest time from asking to the certified answer, since `mark`. */
  readonly longestMs: number;
  /** Median of all since `mark`. */
  readonly medianMs: number;
  /** Seats that were lost while they were held. */
  readonly lost: number;
}

const PATIENCE_MS = 30_000;

/** Applications that take a seat, hold it, give it back, and take the next; one connection each. */
class Load {
  readonly #everyMs: number;
  #clients: Client[] = [];
  #working: Promise<void>[] = [];
  #isEnding = false;
  #failures: string[] = [];
  #tookMs: number[] = [];
  #lost = 0;

  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  async start(clientFile: string, vendor: string, count: number): Promise<void> {
    // Some at a time: a thousand handshakes at once are no test of anything here.
    for (let i = 0; i < count; i += 20) {
      const some = Array.from({ length: Math.min(20, count - i) }, (_, k) => `user-${i + k + 1}`);
      const connected = await Promise.all(
        some.map((user) => connect({ clientFile, vendor, user, program: 'cad', patienceMs: PATIENCE_MS })),
      );
      this.#clients.push(...connected);
    }
    this.#working = this.#clients.map((client, i) => this.#work(client, i));
  }

  mark(): void {
    this.#failures = [];
    this.#tookMs = [];
    this.#lost = 0;
  }

  report(): LoadFigures {
    const sorted = this.#tookMs.toSorted((a, b) => a - b);
    return {
      requests: sorted.length,
      failures: this.#failures,
      longestMs: sorted.at(-1) ?? 0,
      medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0,
      lost: this.#lost,
    };
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.#working);
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async #work(client: Client, i: number): Promise<void> {
    // Not all in step.
    await pause((i * this.#everyMs) / this.#clients.length);
    while (!this.#isEnding) {
      const taken = await this.#timed('acquire', () => client.acquire('cad'));
      await pause(this.#everyMs);
      if (taken?.kind !== 'granted') {
        this.#failures.push(`acquire: ${taken === undefined ? 'failed' : describe(taken)}`);
        continue;
      }
      const { seat } = taken;
      if (!seat.valid) this.#lost++;
      const given = await this.#timed('release', () => seat.release());
      if (given?.kind !== 'released') this.#failures.push(`release: ${given === undefined ? 'failed' : given.kind}`);
      await pause(this.#everyMs);
    }
  }

  async #timed<T>(what: string, call: () => Promise<T>): Promise<T | undefined> {
    const askedAt = performance.now();
    try {
      return await call();
    } catch (error) {
      this.#failures.push(`${what}: ${String(error)}`);
      return undefined;
    } finally {
      this.#tookMs.push(performance.now() - askedAt);
    }
  }
}

function describe(result: { kind: string; sentence?: string; reason?: string }): string {
  return [result.kind, result.sentence ?? result.reason ?? ''].join(' ').trim();
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** `node load-process.ts CLIENT-FILE VENDOR-ROOT CLIENTS EVERY-MS`, with a channel to its parent. */
async function main(): Promise<void> {
  const [clientFile, vendor, count, everyMs] = process.argv.slice(2) as [string, string, string, string];
  const say = (said: LoadSaid): void => void process.send?.(said, undefined, undefined, () => undefined);
  const load = new Load(Number(everyMs));
  process.on('disconnect', () => process.exit()); // whoever started it is gone
  process.on('message', (order: LoadOrder) => {
    if (order.kind === 'mark') load.mark();
    else if (order.kind === 'report') say({ kind: 'report', figures: load.report() });
    else
      load.end().then(
        () => process.disconnect?.(),
        (error: unknown) => say({ kind: 'failed', reason: String(error) }),
      );
  });
  try {
    await load.start(clientFile, vendor, Number(count));
    say({ kind: 'working' });
  } catch (error) {
    say({ kind: 'failed', reason: String(error) });
  }
}

await main();
