import { type Asker, type Books, byEnd, chainOf, type Held, seatsHeld, tokensOf, use } from './books.ts';
import { seatsThatMayLeave, timesOf } from './loans.ts';
import { keptForOthers } from './rules.ts';
import { featureOf, type Sold } from './sold.ts';
import { paidSeats, payFirstTime } from './units.ts';

interface Wanted {
  readonly key: string;
  readonly asker: Asker;
  readonly item: number;
  readonly feature: string;
  readonly seats: number;
  /** undefined = they stay with the group. */
  readonly forMs?: number | undefined;
}

/** Seats change hands: with them goes a name, the usage period begins, and the first of their time is paid for. */
export function takeSeat(books: Books, one: Held): void {
  const sold = books.sold.get(one.license) as Sold;
  books.held.push(one);
  use(books, sold, one.asker);
  payFirstTime(books, sold, one);
}

/**
 * PROTOCOL §5.8: of those that pass all checks but that of seats, what costs nothing more before what is metered by time, then what
 * ends soonest, then the lowest id; when all of them are taken, the overdraft, in the same order. Undefined: there are not enough.
 * Takes what it gives.
 */
export function seatsFrom(books: Books, licenses: readonly Sold[], wanted: Wanted): readonly Held[] | undefined {
  const taken = asManyAsThereAre(books, licenses, wanted);
  return taken.reduce((sum, { seats }) => sum + seats, 0) === wanted.seats ? taken : undefined;
}

/** What somebody who waits has a claim on. */
export function asManyAsThereAre(books: Books, licenses: readonly Sold[], wanted: Wanted): readonly Held[] {
  const inOrder = [...licenses].sort(
    (a, b) => Number(a.seatTime !== undefined) - Number(b.seatTime !== undefined) || byEnd(books)(a, b),
  );
  const taken: Held[] = [];
  let left = Math.min(wanted.seats, notKept(books, licenses, wanted));
  // The overdraft does not leave.
  for (const beyond of wanted.forMs === undefined ? [false, true] : [false])
    for (const sold of inOrder) {
      const room = roomOf(books, sold, wanted.feature, beyond);
      const paid = paidSeats(books, sold, wanted.feature, timesOf(sold, wanted.forMs));
      const seats = Math.min(left, room, paid, seatsThatMayLeave(books, sold, wanted.forMs));
      if (seats <= 0) continue;
      const one = heldOf(books, sold, { ...wanted, seats }, beyond);
      taken.push(one);
      takeSeat(books, one);
      left -= seats;
    }
  return taken;
}

function heldOf(books: Books, sold: Sold, wanted: Wanted, beyond: boolean): Held {
  const { key, asker, item, feature, seats, forMs } = wanted;
  const { license, product } = sold;
  return {
    ...{ key, asker, item, license, product, feature, seats, beyond, since: books.logTime },
    ...{ chain: chainOf(sold, feature), tokens: tokensOf(sold, feature) },
    ...{ times: timesOf(sold, forMs), awayMs: forMs ?? 0, awayFrom: books.logTime },
  };
}

/** Tokens of its quantity that nobody has; below zero after an update that took some away. */
function tokensFree({ held }: Books, { license, quantity, overdraft }: Sold, beyond: boolean): number {
  if (quantity === 0) return Infinity;
  const taken = held.reduce((sum, one) => sum + (one.license === license ? one.seats * one.tokens : 0), 0);
  return quantity + (beyond ? overdraft : 0) - taken;
}

/** Of a feature and of each around it that has a quantity of its own. */
function ownRoom({ held }: Books, sold: Sold, feature: string): number {
  const { quantity = Infinity } = featureOf(sold, feature) ?? {};
  return quantity - seatsHeld(held, (one) => one.license === sold.license && one.chain.includes(feature));
}

function roomOf(books: Books, sold: Sold, feature: string, beyond: boolean): number {
  const byTokens = Math.floor(tokensFree(books, sold, beyond) / tokensOf(sold, feature));
  return Math.min(byTokens, ...chainOf(sold, feature).map((one) => ownRoom(books, sold, one)));
}

/** PROTOCOL §5.16: what is kept for others is not free for this one. Features are the same in all licenses of a product here. */
function notKept(books: Books, licenses: readonly Sold[], { asker, feature }: Wanted): number {
  const [first] = licenses;
  if (first === undefined) return 0;
  const kept = keptForOthers(books, first, asker);
  const sum = (of: (sold: Sold) => number): number => licenses.reduce((all, sold) => all + Math.max(0, of(sold)), 0);
  const tokens = sum((sold) => tokensFree(books, sold, true)) - kept.tokens;
  const byFeature = chainOf(first, feature).map((one) => sum((sold) => ownRoom(books, sold, one)) - kept.of(one));
  return Math.min(kept.tokens === 0 ? Infinity : Math.floor(tokens / tokensOf(first, feature)), ...byFeature);
}
