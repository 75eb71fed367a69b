import { type AcquireCommand, bytesKey, type Command, decodeCommand, type Outcome } from '@trefoil/license';
import type { SeatsInput, SeatsOutput, UnitsInput, UnitsOutput } from './license-models.ts';
import type { Operation, Verdict } from './linearizability.ts';

/** What a client asked, and what it was answered, if it was. */
export interface Call {
  readonly client: string;
  readonly command: Command;
  readonly invokedAt: number;
  outcome: Outcome | undefined;
  returnedAt: number | undefined;
}

export type SeatsOperation = Operation<SeatsInput, SeatsOutput>;
export type UnitsOperation = Operation<UnitsInput, UnitsOutput>;

/** T of all licenses of which histories are kept: as short as terms allow, so that seats run out within a run. */
export const SEAT_TIMEOUT_MS = 10_000;
/** A seat never runs out sooner than this after it was first asked for: log time may be ahead by ε and run 1 % fast (§6.2). */
const RUNS_OUT_AFTER_MS = SEAT_TIMEOUT_MS - 250;

/** What a repeat may get instead of the outcome. When a release is repeated, its hold is gone. */
export const NOT_TOLD_AGAIN: readonly string[] = ['unknown-session', 'forgotten', 'unknown-hold'];

/** Who asks in others' names. */
export const LIAR = 'a liar';

/** What clients asked and were answered, at true time, as operations on one license each (Herlihy and Wing 1990). */
export class ClientHistory {
  /** By the hash of the command. */
  readonly #calls = new Map<string, Call>();

  /** The first time counts: asking again is the same operation. */
  asked(hash: Uint8Array, { client, command, at }: { client: string; command: Uint8Array; at: number }): void {
    const key = bytesKey(hash);
    if (this.#calls.has(key)) return;
    const call = { client, command: decodeCommand(command), invokedAt: at, outcome: undefined, returnedAt: undefined };
    this.#calls.set(key, call);
  }

  answered(hash: Uint8Array, outcome: Outcome, at: number): void {
    const call = this.call(hash);
    if (call === undefined || call.outcome !== undefined) return;
    // It may have been carried out when it was asked before: nobody remembers, so nobody has said (PROTOCOL §5.11).
    if (outcome.kind === 'refused' && NOT_TOLD_AGAIN.includes(outcome.code)) return;
    call.outcome = outcome;
    call.returnedAt = at;
  }

  call(hash: Uint8Array): Call | undefined {
    return this.#calls.get(bytesKey(hash));
  }

  seats(product: string, now: number): SeatsOperation[] {
    const calls = [...this.#calls.values()];
    const here = new Set<string>();
    // Of two acquires of one number, the client gives back what its own has brought.
    for (const { command, client } of calls)
      if (client !== LIAR && command.kind === 'acquire' && command.items.some((item) => item.product === product))
        here.add(`${bytesKey(command.session)}/${command.requestId}`);
    // Perhaps they waited, whatever their clients heard of it.
    const queued = new Set<string>();
    for (const { command, outcome } of calls)
      if (command.kind === 'acquire' && command.waitMs > 0 && outcome?.kind !== 'granted')
        queued.add(`${bytesKey(command.session)}/${command.requestId}`);
    const isWaitedFor = calls.some(
      ({ command }) =>
        command.kind === 'acquire' && command.waitMs > 0 && command.items.some((item) => item.product === product),
    );
    return calls.flatMap((call): SeatsOperation[] => {
      const { command, outcome } = call;
      switch (command.kind) {
        case 'acquire': {
          const acquired = acquisition(call, command, product, now);
          // What is free may be there for who came before: who is served when, the log says, and CommitOrder looks at it.
          return isWaitedFor ? acquired.filter(({ output }) => output !== 'denied') : acquired;
        }
        case 'release': {
          const grant = `${bytesKey(command.session)}/${command.hold}`;
          if (!here.has(grant) && call.client !== LIAR) return []; // seats of another license
          if (outcome?.kind === 'refused') return [];
          // Perhaps it only waited.
          const known = queued.has(grant) ? { ...call, outcome: undefined, returnedAt: undefined } : call;
          return [seatsOperation(known, { kind: 'release', grant }, 'released')];
        }
        case 'close': {
          const session = bytesKey(command.session);
          return outcome?.kind === 'refused' ? [] : [seatsOperation(call, { kind: 'gone', session }, 'done')];
        }
        default:
          return [];
      }
    });
  }

  units(product: string): UnitsOperation[] {
    return [...this.#calls.values()].flatMap((call): UnitsOperation[] => {
      const { command, outcome, client, invokedAt, returnedAt } = call;
      if (command.kind !== 'consume' || command.items[0]?.product !== product || outcome?.kind === 'refused') return [];
      const asked = {
        client,
        input: { kind: 'consume', units: command.items[0].count } as const,
        invokedAt,
        returnedAt,
      };
      if (outcome === undefined) return [{ ...asked, output: undefined }];
      if (outcome.kind === 'consumed')
        return [{ ...asked, output: { kind: 'consumed', remaining: outcome.parts.at(-1)?.left ?? 0 } }];
      return outcome.kind === 'denied' && outcome.code === 'units' ? [{ ...asked, output: { kind: 'denied' } }] : [];
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
  // Nobody has said whether one that waits was ever served.
  const isOpen = madeUp || outcome?.kind === 'queued';
  const acquired = seatsOperation(
    isOpen ? { ...call, outcome: undefined, returnedAt: undefined } : call,
    { kind: 'acquire', grant, session, seats } as const,
    outcome?.kind === 'denied' ? 'denied' : 'granted',
  );
  const runsOutAt = invokedAt + RUNS_OUT_AFTER_MS;
  if (outcome?.kind === 'denied' || runsOutAt > now) return [acquired];
  const runsOut = { client: 'time', input: { kind: 'release', grant } as const, output: undefined };
  return [acquired, { ...runsOut, invokedAt: runsOutAt, returnedAt: undefined }];
}

/** One that was never answered may have been carried out, at any time since. */
export function seatsOperation(call: Omit<Call, 'command'>, input: SeatsInput, output: SeatsOutput): SeatsOperation {
  const { client, invokedAt, returnedAt, outcome } = call;
  return { client, input, output: outcome === undefined ? undefined : output, invokedAt, returnedAt };
}

/** Undefined: there is an order, or the search was given up. */
export function findingOf<I, O>(license: string, verdict: Verdict<I, O>): string | undefined {
  if (verdict.kind !== 'not-linearizable') return undefined;
  const stuck = verdict.stuckAt.map((one) => `${JSON.stringify(one.input)} → ${JSON.stringify(one.output)}`);
  return `no order explains the answers about ${license}: ${stuck.slice(0, 3).join('; ')}`;
}
