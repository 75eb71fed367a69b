import { setTimeout as sleep } from 'node:timers/promises';
import { encodeCommand, type JsonObject } from '@trefoil/license';
import type { Random } from '@trefoil/sim/random';
import { SEAT_TIMEOUT_MS } from '@trefoil/sim/client-history';
import type { History } from './history.ts';
import type { Products } from './said.ts';
import type { SeatCount } from './seat-count.ts';
import type { TestedGroup } from './tested-group.ts';
import { trueTime } from './true-time.ts';

const HOT_SEATS = 3;
const COLD_SEATS = 64;
const UNITS = 400;
const PATIENCE_MS = 3_000;

/** Sells the licenses of a round, and changes his mind about the number of seats while everything goes wrong. */
export class Vendor {
  readonly #tested: TestedGroup;
  readonly #random: Random;
  readonly #books: { readonly products: Products; readonly history: History; readonly count: SeatCount };
  #version = 1;

  constructor(tested: TestedGroup, random: Random, books: Vendor['books']) {
    this.#tested = tested;
    this.#random = random;
    this.#books = books;
  }

  get books(): { readonly products: Products; readonly history: History; readonly count: SeatCount } {
    return this.#books;
  }

  async sell(): Promise<void> {
    const { products, history, count } = this.#books;
    const offers = [
      { product: products.hot, quantity: HOT_SEATS, units: undefined },
      { product: products.cold, quantity: COLD_SEATS, units: undefined },
      { product: products.units, quantity: 0, units: UNITS },
    ];
    for (const { product, quantity, units } of offers) {
      const terms: JsonObject = {
        sessionTimeoutSeconds: SEAT_TIMEOUT_MS / 1_000,
        ...(units !== undefined && { units }),
      };
      await this.#tested.hands.sell({ version: 1, quantity, license: product, product, terms });
      history.sold(product, { product, quantity, units });
      if (units === undefined) count.sold(product, quantity, trueTime());
    }
  }

  /** More seats, fewer seats, now and then, until it is called off. */
  async changeHisMind(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#random.between(2_000, 8_000), undefined, { signal }).catch(() => undefined);
      if (!signal.aborted) await this.#change(1 + this.#random.below(5));
    }
  }

  async #change(quantity: number): Promise<void> {
    const { products, history, count } = this.#books;
    const product = products.hot;
    const terms = { sessionTimeoutSeconds: SEAT_TIMEOUT_MS / 1_000 };
    const { hands } = this.#tested;
    const document = hands.updateFor({ version: ++this.#version, quantity, license: product, product, terms });
    const command = encodeCommand({ kind: 'update', document });
    const { group } = await hands.client();
    const invokedAt = trueTime();
    count.sold(product, quantity, invokedAt);
    const result = await group.submit(command, PATIENCE_MS);
    if (result.kind === 'certified' && result.outcome.kind !== 'updated') return; // a newer one stands
    history.changed(product, quantity, {
      invokedAt,
      returnedAt: result.kind === 'certified' ? trueTime() : undefined,
    });
  }
}
