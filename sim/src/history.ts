import { bytesKey, type Command, decodeCommand, type Outcome } from '@trefoil/license';
import {
  ClientHistory,
  findingOf,
  LIAR,
  type SeatsOperation,
  seatsOperation,
  type UnitsOperation,
} from './client-history.ts';
import { seatsModel, unitsModel } from './license-models.ts';
import { checkLinearizable } from './linearizability.ts';
import type { World } from './world.ts';

interface Sale {
  readonly license: string;
  readonly quantity: number;
  readonly units: number | undefined;
}

const LIMITS = { maxSteps: 200_000 };

/**
 * What clients asked and were answered in a run, and nothing else: is there an order of all of it in which one license with a
 * counter would have given these answers? Knows no entries, no log and no log time.
 */
export class History {
  readonly #world: World;
  readonly #clients = new ClientHistory();
  /** Sessions in which a liar has asked for something, or for something else than was to be asked. */
  readonly usedByLiars = new Set<string>();
  /** What is in an update, with the hash of its command. */
  readonly #sold: { readonly hash: Uint8Array; readonly sale: Sale }[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  sold(command: Uint8Array, sale: Sale): void {
    this.#sold.push({ hash: this.#world.fixture.crypto.sha256(command), sale });
  }

  asked(command: Uint8Array): void {
    const hash = this.#world.fixture.crypto.sha256(command);
    this.#clients.asked(hash, { client: 'a client', command, at: this.#world.agenda.now });
  }

  /** In somebody's name: it may take seats that he knows nothing of and never gives back. */
  forged(command: Uint8Array): void {
    this.inNameOfOthers(decodeCommand(command));
    const hash = this.#world.fixture.crypto.sha256(command);
    this.#clients.asked(hash, { client: LIAR, command, at: this.#world.agenda.now });
  }

  inNameOfOthers(command: Command): void {
    if ('requestId' in command) this.usedByLiars.add(bytesKey(command.session));
  }

  answered(commandHash: Uint8Array, outcome: Outcome): void {
    this.#clients.answered(commandHash, outcome, this.#world.agenda.now);
  }

  /** One license after the other: what is so for each of them is so for all. */
  check(): void {
    const { now } = this.#world.agenda;
    for (const [license, { product }] of this.#world.sold) {
      const updates = this.#updates(license);
      const verdict =
        product === 'units'
          ? checkLinearizable(unitsModel(0), [...this.#clients.units(product), ...updates.map(asUnits)], LIMITS)
          : checkLinearizable(seatsModel(0), [...this.#clients.seats(product, now), ...updates.map(asSeats)], LIMITS);
      this.#world.count(`history ${verdict.kind}`);
      const finding = findingOf<unknown, unknown>(license, verdict);
      if (finding !== undefined) this.#world.checks.fault(finding);
    }
  }

  #updates(license: string): Update[] {
    return this.#sold.flatMap(({ hash, sale }) => {
      const call = this.#clients.call(hash);
      // Never sent, or a newer one stands.
      return sale.license !== license || call === undefined || call.outcome?.kind === 'refused' ? [] : [{ call, sale }];
    });
  }
}

interface Update {
  readonly call: NonNullable<ReturnType<ClientHistory['call']>>;
  readonly sale: Sale;
}

function asSeats({ call, sale }: Update): SeatsOperation {
  return seatsOperation(call, { kind: 'quantity', seats: sale.quantity }, 'done');
}

function asUnits({ call, sale }: Update): UnitsOperation {
  const { client, invokedAt, returnedAt, outcome } = call;
  const output = outcome === undefined ? undefined : ({ kind: 'done' } as const);
  return { client, input: { kind: 'total', units: sale.units ?? 0 }, output, invokedAt, returnedAt };
}
