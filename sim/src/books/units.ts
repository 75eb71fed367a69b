import { type Asker, type Books, byEnd, type Held, use } from './books.ts';
import { featureOf, type Sold } from './sold.ts';

/** FORMATS §5.2: there is no limit. */
const NO_LIMIT = 2 ** 53 - 1;

/** Of one item of a consume, from one license. */
export interface Part {
  readonly item: number;
  readonly license: string;
  readonly units: number;
  readonly left: number;
}

/** An update may bring fewer than were used: then none are left and none are owed. */
export function unitsLeft({ consumed }: Books, { license, units }: Sold): number {
  return Math.max(0, units - (consumed.get(license) ?? 0));
}

export function take({ consumed }: Books, { license }: Sold, units: number): void {
  consumed.set(license, (consumed.get(license) ?? 0) + units);
}

/**
 * PROTOCOL §5.7: first those that are paid for already, of these what ends soonest, then the lowest id; what one lacks the next one
 * gives. Undefined: there are not enough. Takes what it gives.
 */
export function unitsFrom(
  books: Books,
  licenses: readonly Sold[],
  wanted: { readonly asker: Asker; readonly item: number; readonly feature: string; readonly uses: number },
): readonly Part[] | undefined {
  const { asker, item, feature, uses } = wanted;
  const parts: Part[] = [];
  let left = uses;
  for (const sold of [...licenses].sort(byCost(books))) {
    const weight = featureOf(sold, feature)?.weight ?? 1;
    const some = Math.min(left, Math.floor(unitsLeft(books, sold) / weight));
    if (sold.metering === undefined || some === 0) continue;
    use(books, sold, asker);
    take(books, sold, some * weight);
    const remaining = unitsLeft(books, sold);
    parts.push({ item, license: sold.license, units: some * weight, left: Math.min(NO_LIMIT, remaining) });
    left -= some;
  }
  return left === 0 ? parts : undefined;
}

function byCost(books: Books): (a: Sold, b: Sold) => number {
  const rank = ({ metering }: Sold): number => (metering === 'postpaid' ? 1 : 0);
  return (a, b) => rank(a) - rank(b) || byEnd(books)(a, b);
}

/** For so many seats there are units for the first of their time, or so many times of it. */
export function paidSeats(books: Books, sold: Sold, feature: string, times = 1): number {
  const each = times * unitsOfTime(sold, feature);
  return each === 0 ? Infinity : Math.floor(unitsLeft(books, sold) / each);
}

function unitsOfTime(sold: Sold, feature: string): number {
  return (sold.seatTime?.units ?? 0) * (featureOf(sold, feature)?.weight ?? 1);
}

export function payFirstTime(books: Books, sold: Sold, { feature, seats, times }: Held): void {
  take(books, sold, times * seats * unitsOfTime(sold, feature));
}

/** More of its time than was paid for. */
export function unitsOfMore(sold: Sold, { feature, seats }: Held, times: number): number {
  return times * seats * unitsOfTime(sold, feature);
}

/** For each time that has begun since they were taken and is not paid for yet. */
function owed(
  books: Books,
  sold: Sold,
  { feature, seats, since, times, awayMs }: Held,
): { units: number; times: number } {
  // What leaves was paid for as long as it was asked for (§5.18).
  if (times === 0 || awayMs > 0 || sold.seatTime === undefined) return { units: 0, times };
  const begun = 1 + Math.floor((books.logTime - since) / sold.seatTime.everyMs);
  return { units: Math.max(0, begun - times) * seats * unitsOfTime(sold, feature), times: Math.max(times, begun) };
}

/** A renewal is given only if there are units for all of it. */
export function isPaid(books: Books, hold: readonly Held[]): boolean {
  const all = new Map<Sold, number>();
  for (const one of hold) {
    const sold = books.sold.get(one.license) as Sold;
    all.set(sold, (all.get(sold) ?? 0) + owed(books, sold, one).units);
  }
  return [...all].every(([sold, units]) => units <= unitsLeft(books, sold));
}

/** When it is renewed, given back or freed; at the end of the units all that is left. False: nothing was owed. */
export function payTime(books: Books, one: Held): boolean {
  const sold = books.sold.get(one.license) as Sold;
  const { units, times } = owed(books, sold, one);
  take(books, sold, Math.min(units, unitsLeft(books, sold)));
  one.times = times;
  return units > 0;
}
