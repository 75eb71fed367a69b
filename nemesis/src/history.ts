import { bytesKey, type Command, decodeCommand, decodeOutcome, type Outcome } from '@trefoil/license';
import {
  type SeatsInput,
  type SeatsOutput,
  seatsModel,
  type UnitsInput,
  type UnitsOutput,
  unitsModel,
} from '@trefoil/sim/src/license-models.ts';
import { checkLinearizable, type Operation, type Verdict } from '@trefoil/sim/src/linearizability.ts';
import type { Said } from './said.ts';

/** T of all licenses here: as short as terms allow, so that seats run out within a run. */
export const SEAT_TIMEOUT_MS = 10_000;
/** A seat never runs out sooner than this after it was first asked for: log time may be ahead by ε and run 1 % fast (§6.2). */
const RUNS_OUT_AFTER_MS = SEAT_TIMEOUT_MS - 250;
const MOST_STEPS = 400_000;

/** A license of one round: what was sold at first, and what updates have made of it since. */
export interface Sale {
  readonly product: string;
  readonly quantity: number;
  readonly units: number | undefined;
}

interface Call {
  readonly client: string;
  readonly command: Command;
  readonly invokedAt: number;
  outcome: Outcome | undefined;
  returnedAt: number | undefined;
}

type SeatsOperation = Operation<SeatsInput, SeatsOutput>;
type UnitsOperation = Operation<UnitsInput, UnitsOutput>;

/**
 * What clients asked and were answered, at true time: is there an order of all of it in which one license with a counter would
 * have given these answers? One history for each round, so that the search stays short.
 */
export class History {
  readonly #calls = new Map<string, Call>();
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
    const call = { client, command: decodeCommand(command), invokedAt: at, outcome: undefined, returnedAt: undefined };
    this.#calls.set(bytesKey(hash), call);
  }

  answered({ hash, at, outcome }: Said & { kind: 'answered' }): void {
    const call = this.#calls.get(bytesKey(hash));
    if (call === undefined || call.outcome !== undefined) return;
    call.outcome = decodeOutcome(outcome);
    call.returnedAt = at;
    const { kind } = call.outcome;
    const what = `${kind}${'code' in call.outcome ? ` ${call.outcome.code}` : ''}`;
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** One license after the other: what is so for each of them is so for all. Returns what was found. */
  check(now: number, count: (what: string) => void): string[] {
    const findings: string[] = [];
    const judge = (license: string, verdict: Verdict<SeatsInput | UnitsInput, SeatsOutput | UnitsOutput>): void => {
      count(`history ${verdict.kind}`);
      if (verdict.kind !== 'not-linearizable') return;
      const stuck = verdict.stuckAt.map((one) => `${JSON.stringify(one.input)} → ${JSON.stringify(one.output)}`);
      findings.push(`no order explains the answers about ${license}: ${stuck.slice(0, 3).join('; ')}`);
    };
    for (const [license, sale] of this.#sales) {
      const limits = { maxSteps: MOST_STEPS };
      if (sale.units === undefined)
        judge(license, checkLinearizable(seatsModel(sale.quantity), this.#seats(license, sale.product, now), limits));
      else judge(license, checkLinearizable(unitsModel(sale.units), this.#units(sale.product), limits));
    }
    return findings;
  }

  #seats(license: string, product: string, now: number): SeatsOperation[] {
    const calls = [...this.#calls.values()];
    const here = new Set<string>();
    for (const { command } of calls)
      if (command.kind === 'acquire' && command.items[0]?.product === product)
        here.add(`${bytesKey(command.session)}/${command.requestId}`);
    const operations = calls.flatMap((call): SeatsOperation[] => {
      const { command, outcome } = call;
      if (command.kind === 'acquire') return acquisition(call, product, now);
      if (command.kind === 'close' && outcome?.kind !== 'refused')
        return [operation(call, { kind: 'gone', session: bytesKey(command.session) }, 'done')];
      if (command.kind !== 'release') return [];
      const grant = `${bytesKey(command.session)}/${command.hold}`;
      if (!here.has(grant)) return []; // seats of another license
      if (outcome?.kind !== 'refused') return [operation(call, { kind: 'release', grant }, 'released')];
      const gone = outcome.code === 'unknown-hold' || outcome.code === 'unknown-session';
      return gone ? [operation(call, { kind: 'release', grant }, 'refused')] : [];
    });
    return [...operations, ...this.#changes.filter((one) => one.license === license).map((one) => one.operation)];
  }

  #units(product: string): UnitsOperation[] {
    return [...this.#calls.values()].flatMap((call): UnitsOperation[] => {
      const { command, outcome, client, invokedAt, returnedAt } = call;
      if (command.kind !== 'consume' || command.product !== product || outcome?.kind === 'refused') return [];
      const asked = { client, input: { kind: 'consume', units: command.units } as const, invokedAt, returnedAt };
      if (outcome === undefined) return [{ ...asked, output: undefined }];
      if (outcome.kind === 'consumed')
        return [{ ...asked, output: { kind: 'consumed', remaining: outcome.remaining } }];
      return outcome.kind === 'denied' && outcome.code === 'units' ? [{ ...asked, output: { kind: 'denied' } }] : [];
    });
  }
}

function acquisition(call: Call, product: string, now: number): SeatsOperation[] {
  const { command, outcome, invokedAt } = call;
  if (command.kind !== 'acquire' || outcome?.kind === 'refused') return [];
  const [item] = command.items;
  if (item?.product !== product || (outcome?.kind === 'denied' && outcome.code !== 'seats')) return [];
  const session = bytesKey(command.session);
  const grant = `${session}/${command.requestId}`;
  const input = { kind: 'acquire', grant, session, seats: item.seats } as const;
  const acquired = operation(call, input, outcome?.kind === 'denied' ? 'denied' : 'granted');
  const runsOutAt = invokedAt + RUNS_OUT_AFTER_MS;
  if (outcome?.kind === 'denied' || runsOutAt > now) return [acquired];
  const runsOut = { client: 'time', input: { kind: 'release', grant } as const, output: undefined };
  return [acquired, { ...runsOut, invokedAt: runsOutAt, returnedAt: undefined }];
}

function operation(call: Call, input: SeatsInput, output: SeatsOutput): SeatsOperation {
  const { client, invokedAt, returnedAt, outcome } = call;
  return { client, input, output: outcome === undefined ? undefined : output, invokedAt, returnedAt };
}
