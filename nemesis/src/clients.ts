import type { LoopbackGroup } from '@trefoil/cli';
import { decodeGrantBundle, LicenseError, type PublicKey, verifyGrant } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { fromBase64url } from '@trefoil/license';
import type { Random } from '@trefoil/sim/random';
import { ClientHandle } from './client-handle.ts';
import type { History } from './history.ts';
import type { Told } from './nemesis.ts';
import type { Products, Said } from './said.ts';
import type { SeatCount } from './seat-count.ts';
import { trueTime } from './true-time.ts';

/** After everything is mended, each client has its answers within this. */
const SERVED_WITHIN_MS = 10_000;

/** Books of one round: what clients asked, were answered and could use. */
export interface Books {
  readonly products: Products;
  readonly history: History;
  readonly count: SeatCount;
}

/** The client processes, and what they say. */
export class Clients implements AsyncDisposable {
  readonly #group: LoopbackGroup;
  readonly #random: Random;
  readonly #told: Told;
  readonly #root: PublicKey;
  readonly #unbearableAt: () => number;
  readonly #handles: ClientHandle[] = [];
  readonly #crypto = nodeCrypto();
  #started = 0;
  #books: Books | undefined;
  longestMs = 0;

  constructor(parts: { group: LoopbackGroup; random: Random; told: Told; unbearableAt: () => number }) {
    this.#group = parts.group;
    this.#random = parts.random;
    this.#told = parts.told;
    this.#unbearableAt = parts.unbearableAt;
    this.#root = { alg: 'ed25519', bytes: fromBase64url(parts.group.vendorRoot) };
  }

  get all(): readonly ClientHandle[] {
    return this.#handles;
  }

  start(count: number): void {
    while (this.#handles.length < count) this.#handles.push(this.#startOne());
  }

  #startOne(): ClientHandle {
    const { clientFile, vendorRoot } = this.#group;
    const name = `client-${++this.#started}`;
    return new ClientHandle({
      ...{ name, clientFile, vendorRoot, seed: this.#random.below(2 ** 31) },
      hear: (said) => this.#hear(name, said),
      onDeath: (complaint) => this.#told.found(`${name} has ended by itself: ${complaint}`),
    });
  }

  async replace(client: ClientHandle): Promise<void> {
    await client.kill();
    const next = this.#startOne();
    this.#handles.splice(this.#handles.indexOf(client), 1, next);
    if (this.#books !== undefined) next.order({ kind: 'live', products: this.#books.products });
  }

  live(books: Books): void {
    this.#books = books;
    for (const client of this.#handles) client.order({ kind: 'live', products: books.products });
  }

  /** Everybody is asked at the same time; returns how long the last one had to wait. */
  async allServed(products: Products): Promise<number> {
    const since = trueTime();
    await Promise.all(
      this.#handles.map(async (client) => {
        let reason = 'no word from it';
        while (trueTime() - since < SERVED_WITHIN_MS) {
          const leftMs = SERVED_WITHIN_MS - (trueTime() - since);
          const said = await client.ask({ kind: 'be-served', products }, ['served', 'not-served'], leftMs);
          if (said?.kind === 'served') return;
          if (said?.kind === 'not-served') ({ reason } = said);
        }
        this.#told.found(`${client.name} is not served ${SERVED_WITHIN_MS / 1_000} s after all was mended: ${reason}`);
      }),
    );
    return trueTime() - since;
  }

  async rest(): Promise<void> {
    await Promise.all(
      this.#handles.map(async (client) => {
        if ((await client.ask({ kind: 'rest' }, ['resting'], 30_000)) === undefined)
          this.#told.found(`${client.name} does not come to rest`);
      }),
    );
    this.#books = undefined;
  }

  #hear(name: string, said: Said): void {
    const books = this.#books;
    switch (said.kind) {
      case 'asked':
        books?.history.asked(name, said);
        return;
      case 'answered':
        books?.history.answered(said);
        return;
      case 'used':
        books?.count.used(said.use);
        return;
      case 'proved':
        this.#verify(name, said.bundle);
        return;
      case 'did': {
        const { what, reason, tookMs } = said;
        this.#told.count(reason === undefined ? `request ${what}` : `unanswered ${what}`);
        this.longestMs = Math.max(this.longestMs, reason === undefined ? tookMs : 0);
        const bearable = trueTime() - tookMs > this.#unbearableAt();
        if (reason === undefined || !bearable) return;
        this.#told.count('unanswered although it could be borne');
        this.#told.say(`${name} has no answer (${what}: ${reason}), and no more was hurt than can be borne`);
        return;
      }
      default:
    }
  }

  #verify(name: string, bundle: string): void {
    try {
      verifyGrant(this.#crypto, this.#root, decodeGrantBundle(bundle), {});
      this.#told.count('grants verified offline');
    } catch (error) {
      if (!(error instanceof LicenseError)) throw error;
      this.#told.found(`a grant of ${name} does not verify: ${error.code}, ${error.message}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#handles.map((client) => client[Symbol.asyncDispose]()));
  }
}
