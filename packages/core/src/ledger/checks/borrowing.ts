import type { Ask, Denial } from './ask.ts';

/** Whether seats may leave the group, for how long, and how many; the detail says what would do. */
export function checkBorrowing({ state, borrowing: wish }: Ask): Denial | undefined {
  if (wish === undefined) return undefined;
  const { borrowing } = state.license.terms;
  if (borrowing === undefined) return { code: 'borrowing' };
  if (wish.forMs > borrowing.longestMs) return { code: 'borrowing', detail: `longest ${borrowing.longestMs}` };
  if (wish.extended !== undefined)
    return wish.extended < borrowing.extensions
      ? undefined
      : { code: 'borrowing', detail: `extensions ${borrowing.extensions}` };
  return state.borrowed < borrowing.seats ? undefined : { code: 'borrowing', detail: `seats ${borrowing.seats}` };
}

/** So many more may leave. */
export function borrowableSeats({ state, borrowing: wish }: Ask): number {
  if (wish === undefined) return Infinity;
  return Math.max(0, (state.license.terms.borrowing?.seats ?? 0) - state.borrowed);
}
