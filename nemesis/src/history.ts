import { decodeOutcome } from '@trefoil/license';
import { ClientHistory, findingOf, type SeatsOperation } from '@trefoil/sim/client-history';
import { seatsModel, unitsModel } from '@trefoil/sim/license-models';
import { checkLinearizable } from '@trefoil/sim/linearizability';
import type { Said } from './said.ts';

const LIMITS = { maxSteps: 400_000 };

/** A license of one round: what was sold at first, and what updates have made of it since. */
export interface Sale {
  readonly product: string;
  readonly quantity: number;
  readonly units: number | undefined;
}

/**
 * What clients asked and were answered, at true time: is there an order of all of it in which one license with a counter would
 * have given these answers? One history for each round, so that the search stays short.
 */
export class History {
  readonly #clients = new ClientHistory();
  readonly #sales = new Map<string, Sale>();
  readonly #changes: { readonly license: string; readonly operation: SeatsOperation }[] = [];
  readonly counts = new Map<string, number>();

  sold(license: string, sale: Sale): void {
    this.#sales.set(license, sale);
  }

  /** An update of the quantity; never answered = `returnedAt` undefined. */
  changed(license: string, seats: number, at: { invokedAt: number; returnedAt: number | undefined }): void {
    const output = at.returnedAt === undefined ? undefined : 'done';
    this.#changes.push({ license, operation: { client: 'vendor', input: { kind: 'quantity', seats }, output, ...at } });
  }

  asked(client: string, { hash, at, command }: Said & { kind: 'asked' }): void {
    this.#clients.asked(hash, { client, command, at });
  }

  answered({ hash, at, outcome: bytes }: Said & { kind: 'answered' }): void {
    const outcome = decodeOutcome(bytes);
    this.#clients.answered(hash, outcome, at);
    const what = `${outcome.kind}${'code' in outcome ? ` ${outcome.code}` : ''}`;
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** One license after the other: what is so for each of them is so for all. Returns what was found. */
  check(now: number, count: (what: string) => void): string[] {
    return [...this.#sales].flatMap(([license, { product, quantity, units }]) => {
      const changes = this.#changes.filter((one) => one.license === license).map((one) => one.operation);
      const verdict =
        units === undefined
          ? checkLinearizable(seatsModel(quantity), [...this.#clients.seats(product, now), ...changes], LIMITS)
          : checkLinearizable(unitsModel(units), this.#clients.units(product), LIMITS);
      count(`history ${verdict.kind}`);
      return findingOf<unknown, unknown>(license, verdict) ?? [];
    });
  }
}
