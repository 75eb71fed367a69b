import { type AcquireCommand, bytesKey, type Command, decodeCommand, type Outcome } from '@trefoil/license';
import {
  type SeatsInput,
  type SeatsOutput,
  seatsModel,
  type UnitsInput,
  type UnitsOutput,
  unitsModel,
} from './license-models.ts';
import { checkLinearizable, type Operation } from './linearizability.ts';
import { SEAT_TIMEOUT_MS } from './commit-order.ts';
import type { World } from './world.ts';

interface Sale {
  readonly license: string;
  readonly quantity: number;
  readonly units: number | undefined;
}

interface Call {
  readonly key: string;
  readonly command: Command;
  readonly invokedAt: number;
  outcome: Outcome | undefined;
  returnedAt: number | undefined;
}

type SeatsOperation = Operation<SeatsInput, SeatsOutput>;
type UnitsOperation = Operation<UnitsInput, UnitsOutput>;

/** A seat never runs out sooner than this after it was first asked for: log time may be ahead by ε and run 1 % fast (§6.2). */
const RUNS_OUT_AFTER_MS = SEAT_TIMEOUT_MS - 250;
const MOST_STEPS = 200_000;

/**
 * What clients asked and were answered, at true time, and nothing else: is there an order of all of it in which one license
 * with a counter would have given these answers? Knows no entries, no log and no log time.
 */
export class History {
  readonly #world: World;
  readonly #calls = new Map<string, Call>();
  /** What is in an update, by its command. */
  readonly #sold = new Map<string, Sale>();

  constructor(world: World) {
    this.#world = world;
  }

  sold(bytes: Uint8Array, sale: Sale): void {
    this.#sold.set(this.#key(bytes), sale);
  }

  asked(bytes: Uint8Array): void {
    const key = this.#key(bytes);
    if (this.#calls.has(key)) return;
    const { now: invokedAt } = this.#world.agenda;
    this.#calls.set(key, { key, command: decodeCommand(bytes), invokedAt, outcome: undefined, returnedAt: undefined });
  }

  answered(commandHash: Uint8Array, outcome: Outcome): void {
    const call = this.#calls.get(bytesKey(commandHash));
    if (call === undefined || call.outcome !== undefined) return;
    // It may have been carried out when it was asked before: nobody remembers, so nobody has said (PROTOCOL §5.11).
    if (outcome.kind === 'refused' && (outcome.code === 'unknown-session' || outcome.code === 'forgotten')) return;
    call.outcome = outcome;
    call.returnedAt = this.#world.agenda.now;
  }

  #key(bytes: Uint8Array): string {
    return bytesKey(this.#world.fixture.crypto.sha256(bytes));
  }

  /** One license after the other: what is so for each of them is so for all (Herlihy and Wing 1990). */
  check(): void {
    const calls = [...this.#calls.values()];
    for (const [license, { product }] of this.#world.sold) {
      const verdict =
        product === 'units'
          ? checkLinearizable(unitsModel(0), this.#units(license, calls), { maxSteps: MOST_STEPS })
          : checkLinearizable(seatsModel(0), this.#seats(license, product, calls), { maxSteps: MOST_STEPS });
      this.#world.count(`history ${verdict.kind}`);
      if (verdict.kind !== 'not-linearizable') continue;
      const stuck = verdict.stuckAt.map((one) => `${JSON.stringify(one.input)} → ${JSON.stringify(one.output)}`);
      this.#world.checks.fault(`no order explains the answers about ${license}: ${stuck.slice(0, 2).join('; ')}`);
    }
  }

  #seats(license: string, product: string, calls: readonly Call[]): SeatsOperation[] {
    const { now } = this.#world.agenda;
    const here = new Set<string>();
    for (const { command } of calls)
      if (command.kind === 'acquire' && command.items.some((item) => item.product === product))
        here.add(`${bytesKey(command.session)}/${command.requestId}`);
    return calls.flatMap((call): SeatsOperation[] => {
      const { command } = call;
      switch (command.kind) {
        case 'acquire':
          return acquisition(call, command, product, now);
        case 'release': {
          const grant = `${bytesKey(command.session)}/${command.hold}`;
          const { outcome } = call;
          if (!here.has(grant)) return []; // seats of another license
          if (outcome?.kind !== 'refused') return [operation(call, { kind: 'release', grant }, 'released')];
          return outcome.code === 'unknown-hold' ? [operation(call, { kind: 'release', grant }, 'refused')] : [];
        }
        case 'close': {
          const session = bytesKey(command.session);
          return call.outcome?.kind === 'refused' ? [] : [operation(call, { kind: 'gone', session }, 'done')];
        }
        case 'update':
          return this.#updates(call, license);
        default:
          return [];
      }
    });
  }

  #updates(call: Call, license: string): SeatsOperation[] {
    const sale = this.#sold.get(call.key);
    if (sale?.license !== license || call.outcome?.kind === 'refused') return []; // a newer one stands
    return [operation(call, { kind: 'quantity', seats: sale.quantity }, 'done')];
  }

  #units(license: string, calls: readonly Call[]): UnitsOperation[] {
    return calls.flatMap((call): UnitsOperation[] => {
      const { command, outcome, invokedAt, returnedAt } = call;
      const at = { client: 'a client', invokedAt, returnedAt };
      const sale = this.#sold.get(call.key);
      if (sale?.license === license) {
        const output = outcome === undefined ? undefined : ({ kind: 'done' } as const);
        return [{ ...at, input: { kind: 'total', units: sale.units ?? 0 }, output }];
      }
      if (command.kind !== 'consume' || outcome?.kind === 'refused') return [];
      const input = { kind: 'consume', units: command.units } as const;
      if (outcome === undefined) return [{ ...at, input, output: undefined }];
      if (outcome.kind === 'consumed')
        return [{ ...at, input, output: { kind: 'consumed', remaining: outcome.remaining } }];
      return outcome.kind === 'denied' && outcome.code === 'units'
        ? [{ ...at, input, output: { kind: 'denied' } }]
        : [];
    });
  }
}

function acquisition(call: Call, command: AcquireCommand, product: string, now: number): SeatsOperation[] {
  const { outcome, invokedAt } = call;
  const seats = command.items.reduce((sum, item) => sum + (item.product === product ? item.seats : 0), 0);
  // Another request of this number was there first, made up by a liar: whether it brought seats, nobody has said.
  const madeUp = outcome?.kind === 'refused' && outcome.code === 'other-bytes';
  if (seats === 0 || (outcome?.kind === 'refused' && !madeUp)) return [];
  // Denied for want of another product: it says nothing of this one.
  if (outcome?.kind === 'denied' && (outcome.product !== product || outcome.code !== 'seats')) return [];
  const session = bytesKey(command.session);
  const grant = `${session}/${command.requestId}`;
  const acquired = operation(
    madeUp ? { ...call, outcome: undefined, returnedAt: undefined } : call,
    { kind: 'acquire', grant, session, seats } as const,
    outcome?.kind === 'denied' ? 'denied' : 'granted',
  );
  const runsOutAt = invokedAt + RUNS_OUT_AFTER_MS;
  if (outcome?.kind === 'denied' || runsOutAt > now) return [acquired];
  const runsOut = { client: 'time', input: { kind: 'release', grant } as const, output: undefined };
  return [acquired, { ...runsOut, invokedAt: runsOutAt, returnedAt: undefined }];
}

function operation(call: Call, input: SeatsInput, output: SeatsOutput): SeatsOperation {
  const { invokedAt, returnedAt, outcome } = call;
  return { client: 'a client', input, output: outcome === undefined ? undefined : output, invokedAt, returnedAt };
}
