import type { Model } from './linearizability.ts';

/** One license as its user would explain it: knows nothing of how the servers work, nor of log time. */
export type SeatsInput =
  | { readonly kind: 'acquire'; readonly grant: string; readonly session: string; readonly seats: number }
  /** Of what that grant gave. Without an answer it also stands for a grant that runs out by itself. */
  | { readonly kind: 'release'; readonly grant: string }
  /**
   * The session ends with all it holds: closed, or silent for too long. Nobody hears of the latter; it is an operation
   * without an answer, called at the first moment at which it may happen.
   */
  | { readonly kind: 'gone'; readonly session: string }
  | { readonly kind: 'quantity'; readonly seats: number };

/** `refused`: there is no such hold (any more). */
export type SeatsOutput = 'granted' | 'denied' | 'released' | 'refused' | 'done';

export interface SeatsState {
  readonly quantity: number;
  /** By grant. */
  readonly held: ReadonlyMap<string, { readonly session: string; readonly seats: number }>;
  readonly ended: ReadonlySet<string>;
}

export function seatsModel(quantity: number): Model<SeatsState, SeatsInput, SeatsOutput> {
  return {
    initial: { quantity, held: new Map(), ended: new Set() },
    step: stepSeats,
    key: keyOfSeats,
    observes: (_, output) => output === 'denied' || output === 'refused',
  };
}

function stepSeats(state: SeatsState, input: SeatsInput, output: SeatsOutput | undefined): readonly SeatsState[] {
  switch (input.kind) {
    case 'acquire':
      return acquire(state, input, output);
    case 'release':
      return release(state, input, output);
    case 'gone':
      return gone(state, input, output);
    case 'quantity':
      return output === 'done' || output === undefined ? [{ ...state, quantity: input.seats }] : [];
  }
}

/** A denial is an answer like any other: at that moment the free seats did not suffice. */
function acquire(
  state: SeatsState,
  { grant, session, seats }: SeatsInput & { kind: 'acquire' },
  output: SeatsOutput | undefined,
): readonly SeatsState[] {
  if (state.ended.has(session) || state.held.has(grant)) return [];
  const suffices = seats <= freeSeats(state);
  if (output === 'denied') return suffices ? [] : [state];
  if (output !== 'granted' && output !== undefined) return [];
  return suffices ? [{ ...state, held: new Map(state.held).set(grant, { session, seats }) }] : [];
}

/** Below zero after an update that brings fewer seats than are in use: nobody is thrown out, nobody gets a new one. */
function freeSeats({ quantity, held }: SeatsState): number {
  return [...held.values()].reduce((free, { seats }) => free - seats, quantity);
}

function release(
  state: SeatsState,
  { grant }: SeatsInput & { kind: 'release' },
  output: SeatsOutput | undefined,
): readonly SeatsState[] {
  const isHeld = state.held.has(grant);
  if (output === 'refused') return isHeld ? [] : [state];
  if ((output !== 'released' && output !== undefined) || !isHeld) return [];
  return [{ ...state, held: without(state, (one) => one === grant) }];
}

/**
 * One that nobody hears of and that frees nothing could only forbid what comes later, so it is left out: else each
 * session that ended with nothing would double the work.
 */
function gone(
  state: SeatsState,
  { session }: SeatsInput & { kind: 'gone' },
  output: SeatsOutput | undefined,
): readonly SeatsState[] {
  if (state.ended.has(session) || (output !== 'done' && output !== undefined)) return [];
  const held = without(state, (_, owner) => owner === session);
  if (output === undefined && held.size === state.held.size) return [];
  return [{ ...state, held, ended: new Set(state.ended).add(session) }];
}

function without(state: SeatsState, isFreed: (grant: string, session: string) => boolean): SeatsState['held'] {
  return new Map([...state.held].filter(([grant, { session }]) => !isFreed(grant, session)));
}

function keyOfSeats({ quantity, held, ended }: SeatsState): string {
  const holds = [...held].map(([grant, { seats }]) => `${grant}*${seats}`);
  return `${quantity} ${holds.sort().join()} ${[...ended].sort().join()}`;
}

export type UnitsInput =
  | { readonly kind: 'consume'; readonly units: number }
  /** The vendor's update names all units that were ever sold. */
  | { readonly kind: 'total'; readonly units: number };

export type UnitsOutput =
  | { readonly kind: 'consumed'; readonly remaining: number }
  | { readonly kind: 'denied' }
  | { readonly kind: 'done' };

export interface UnitsState {
  readonly total: number;
  readonly consumed: number;
}

export function unitsModel(total: number): Model<UnitsState, UnitsInput, UnitsOutput> {
  return {
    initial: { total, consumed: 0 },
    step: stepUnits,
    key: (state) => `${state.total} ${state.consumed}`,
    observes: (_, output) => output.kind === 'denied',
    alike: (input) => `${input.kind} ${input.units}`,
  };
}

function stepUnits(state: UnitsState, input: UnitsInput, output: UnitsOutput | undefined): readonly UnitsState[] {
  if (input.kind === 'total')
    return output === undefined || output.kind === 'done' ? [{ ...state, total: input.units }] : [];
  // An update may bring fewer than were used: then none are left and none are owed.
  const left = Math.max(0, state.total - state.consumed);
  const suffices = input.units <= left;
  if (output?.kind === 'denied') return suffices ? [] : [state];
  if (!suffices || output?.kind === 'done') return [];
  if (output !== undefined && output.remaining !== left - input.units) return [];
  return [{ ...state, consumed: state.consumed + input.units }];
}
