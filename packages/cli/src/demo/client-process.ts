import { type Client, connect, type Denied, type Seat } from '@trefoil/client';

/** What the story tells a client process to do, and what it says; one JSON object a message. */
export type Order =
  | { readonly kind: 'acquire' }
  /** Calls without a pause but `everyMs`, until `rest`. */
  | { readonly kind: 'load'; readonly everyMs: number }
  | { readonly kind: 'mark' }
  | { readonly kind: 'report' }
  | { readonly kind: 'rest' }
  | { readonly kind: 'proof' }
  | { readonly kind: 'end' };

export type Said =
  | { readonly kind: 'connected' }
  | { readonly kind: 'acquired'; readonly granted: boolean; readonly sentence: string }
  | { readonly kind: 'report'; readonly figures: LoadFigures }
  | { readonly kind: 'resting'; readonly holds: boolean }
  | { readonly kind: 'proof'; readonly bundle: string | undefined }
  | { readonly kind: 'failed'; readonly reason: string };

export interface LoadFigures {
  readonly calls: number;
  /** No certified answer within five seconds. */
  readonly failed: number;
  /** Longest time from sending to the certified answer, since `mark`. */
  readonly maxGapMs: number;
}

const PATIENCE_MS = 5_000;

/** A user's program: holds a seat of "cad" when it can get one, and calls the group all the time. */
class DemoClient {
  readonly #client: Client;
  #seat: Seat | undefined;
  #loading: Promise<void> | undefined;
  #stop = false;
  #calls = 0;
  #failed = 0;
  #maxGapMs = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  async obey(order: Order): Promise<Said | undefined> {
    switch (order.kind) {
      case 'acquire':
        return this.#acquire();
      case 'load':
        this.#stop = false;
        this.#loading = this.#load(order.everyMs);
        return undefined;
      case 'mark':
        this.#calls = 0;
        this.#failed = 0;
        this.#maxGapMs = 0;
        return undefined;
      case 'report':
        return { kind: 'report', figures: { calls: this.#calls, failed: this.#failed, maxGapMs: this.#maxGapMs } };
      case 'rest':
        await this.#stopLoad();
        return { kind: 'resting', holds: this.#seat !== undefined };
      case 'proof':
        return { kind: 'proof', bundle: this.#seat?.proof() };
      case 'end':
        await this.#stopLoad();
        await this.#client.close();
        process.disconnect?.();
        return undefined;
    }
  }

  async #acquire(): Promise<Said> {
    const result = await this.#client.acquire('cad');
    if (result.kind === 'granted') {
      this.#seat = result.seat;
      return {
        kind: 'acquired',
        granted: true,
        sentence: `seat granted for ${result.seat.lifeMs / 1_000} s, renewed by itself`,
      };
    }
    const sentence = result.kind === 'denied' ? (result satisfies Denied).sentence : result.kind;
    return { kind: 'acquired', granted: false, sentence };
  }

  async #stopLoad(): Promise<void> {
    this.#stop = true;
    await this.#loading;
  }

  async #load(everyMs: number): Promise<void> {
    for (let round = 0; !this.#stop; round++) {
      await this.#timed(async () => (await this.#client.renew()) !== 'unknown');
      const seat = this.#seat;
      if (round % 4 === 0 && seat !== undefined) {
        this.#seat = undefined;
        await this.#timed(async () => (await seat.release()).kind !== 'unknown');
      }
      if (this.#seat === undefined) await this.#timed(() => this.#tryAgain());
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  async #tryAgain(): Promise<boolean> {
    const result = await this.#client.acquire('cad');
    if (result.kind === 'granted') this.#seat = result.seat;
    return result.kind !== 'unknown';
  }

  async #timed(call: () => Promise<boolean>): Promise<void> {
    const sentAt = performance.now();
    const answered = await call();
    this.#calls++;
    if (!answered) this.#failed++;
    this.#maxGapMs = Math.max(this.#maxGapMs, performance.now() - sentAt);
  }
}

/** `node client-process.ts CLIENT-FILE VENDOR-ROOT USER HOST`, with a channel to its parent. */
async function main(): Promise<void> {
  const [clientFile, vendor, user, host] = process.argv.slice(2) as [string, string, string, string];
  // Whoever started it may be gone before it has spoken.
  const say = (said: Said): void => void process.send?.(said, undefined, undefined, () => undefined);
  try {
    const client = new DemoClient(
      await connect({ clientFile, vendor, user, host, program: 'cad', patienceMs: PATIENCE_MS }),
    );
    process.on('disconnect', () => process.exit()); // whoever started it is gone
    process.on('message', (order: Order) => {
      client.obey(order).then(
        (said) => said !== undefined && say(said),
        (error: unknown) => say({ kind: 'failed', reason: String(error) }),
      );
    });
    say({ kind: 'connected' });
  } catch (error) {
    say({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
    process.disconnect?.();
  }
}

await main();
