import { type Ask, modeOf } from './checks/ask.ts';
import { borrowableSeats } from './checks/borrowing.ts';
import { paidSeats } from './checks/units.ts';
import { freeSeats, isDivisible, standingSeats } from './seats.ts';

/**
 * Why there are not so many seats of these licenses for this client, where it is not that others have them (PROTOCOL §5.8): a sentence that
 * blamed those would send him to the wrong people. '' = others have them.
 */
export function shortage(wanted: number, asks: readonly Ask[]): string {
  const most = together(asks, seatsEver);
  if (most < wanted) return `most ${most}`;
  if (asks.some((ask) => modeOf(ask) === 'exclusive' && standingSeats(ask) > 0)) return 'exclusive';
  const free = (ask: Ask): number => freeSeats(ask, ask.borrowing === undefined);
  if (together(asks, free) < wanted) return '';
  if (together(asks, (ask) => Math.min(free(ask), paidSeats(ask))) < wanted)
    return `units ${together(asks, paidSeats)}`;
  const allowed = (ask: Ask): number => ask.state.license.terms.borrowing?.seats ?? 0;
  if (asks.some(({ borrowing }) => borrowing !== undefined) && together(asks, borrowableSeats) < wanted)
    return `borrowing ${together(asks, borrowableSeats)} ${together(asks, allowed)}`;
  return 'reserved';
}

/** If nobody had any: with the overdraft, which is never lent. */
function seatsEver({ state, item, scope, borrowing }: Ask): number {
  const { quantity, overdraft, features, counting } = state.license.terms;
  const chain = features.get(item.feature)?.chain ?? [];
  const own = chain.map((name) => features.get(name)?.quantity ?? Infinity);
  if (quantity === 0 || (item.mode ?? counting[0]) === 'uncounted') return Math.min(Infinity, ...own);
  const cost = quantity + (borrowing === undefined ? overdraft : 0);
  return Math.min(Math.floor(cost / (scope?.tokens ?? 1)), ...own);
}

/** Seats that are shared come from one license. */
function together(asks: readonly Ask[], of: (ask: Ask) => number): number {
  let [sum, most] = [0, 0];
  for (const ask of asks) {
    const seats = Math.max(0, of(ask));
    if (isDivisible(modeOf(ask))) sum += seats;
    else most = Math.max(most, seats);
  }
  return sum + most;
}
