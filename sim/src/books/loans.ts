import { type Books, type Held, seatsHeld } from './books.ts';
import type { Sold } from './sold.ts';

/** PROTOCOL §5.18: it does not let seats leave, not for so long, or not more of them. */
export function mayNotLeave(books: Books, sold: Sold, forMs: number): boolean {
  return forMs > (sold.borrowing?.longestMs ?? 0) || seatsThatMayLeave(books, sold, forMs) < 1;
}

export function seatsThatMayLeave({ held }: Books, { license, borrowing }: Sold, forMs: number | undefined): number {
  if (forMs === undefined) return Infinity;
  return (borrowing?.seats ?? 0) - seatsAway(held, license);
}

/** Of the license, in whatever hands. */
export function seatsAway(held: readonly Held[], license: string): number {
  return seatsHeld(held, (one) => one.license === license && one.awayMs > 0);
}

/** What leaves is paid for as long as it was asked for, the rest for the first time of its use; 0 = it costs nothing. */
export function timesOf({ seatTime }: Sold, forMs: number | undefined): number {
  if (seatTime === undefined) return 0;
  return forMs === undefined ? 1 : Math.ceil(forMs / seatTime.everyMs);
}
