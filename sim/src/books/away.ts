import { DENIAL_CODES, type DenialCode } from '@trefoil/license';
import { firstFailed } from './asks.ts';
import { type Books, chainOf, type Held, tokensOf } from './books.ts';
import { seatsAway, timesOf } from './loans.ts';
import { featureOf, type Sold } from './sold.ts';
import { take, unitsLeft, unitsOfMore } from './units.ts';
import { denialOf } from './words.ts';

/**
 * All of §5.8 that does not ask for another seat, once more, for each license of the hold: told is the one that failed the latest
 * check, then the lowest id. Undefined: it may.
 */
export function extensionDenial(books: Books, hold: readonly Held[], forMs: number): string | undefined {
  const failed = hold
    .flatMap((one) => {
      const sold = books.sold.get(one.license) as Sold;
      const code = whyNotExtended(books, sold, one, forMs);
      return code === undefined ? [] : [{ code, one }];
    })
    .sort((a, b) => place(b.code) - place(a.code) || (a.one.license < b.one.license ? -1 : 1));
  const [first] = failed;
  if (first !== undefined) return denialOf(first.code, first.one);
  const poor = hold.find(
    (one, i) => owedBy(books, hold.slice(0, i + 1), one.license, forMs) > leftOf(books, one.license),
  );
  return poor === undefined ? undefined : denialOf('units', poor);
}

function place(code: DenialCode): number {
  return DENIAL_CODES.indexOf(code);
}

function whyNotExtended(books: Books, sold: Sold, one: Held, forMs: number): DenialCode | undefined {
  const { asker, product, feature } = one;
  const code = firstFailed(books, sold, asker, { product, feature, seats: 0 });
  if (code !== undefined) return code;
  const { borrowing } = sold;
  const isTooLong = forMs > (borrowing?.longestMs ?? 0);
  const isTooOften = (books.extended.get(one.key) ?? 0) >= (borrowing?.extensions ?? 0);
  return isTooLong || isTooOften || isMoreThanThereIs(books, sold, one) ? 'borrowing' : undefined;
}

/** An update has taken some of it away. */
function isMoreThanThereIs({ held }: Books, sold: Sold, { feature, seats }: Held): boolean {
  const ofFeatures = chainOf(sold, feature).map((name) => featureOf(sold, name)?.quantity ?? Infinity);
  return (
    seatsAway(held, sold.license) > (sold.borrowing?.seats ?? 0) ||
    seats * tokensOf(sold, feature) > sold.quantity ||
    ofFeatures.some((quantity) => seats > quantity)
  );
}

/** For so long from now, and from when it was taken. */
function moreTimes({ logTime }: Books, sold: Sold, { since, times }: Held, forMs: number): number {
  return times === 0 ? 0 : Math.max(0, timesOf(sold, logTime - since + forMs) - times);
}

function owedBy(books: Books, hold: readonly Held[], license: string, forMs: number): number {
  const sold = books.sold.get(license) as Sold;
  return hold
    .filter((one) => one.license === license)
    .reduce((sum, one) => sum + unitsOfMore(sold, one, moreTimes(books, sold, one, forMs)), 0);
}

/** Where nothing is owed, that there is nothing does not matter. */
function leftOf(books: Books, license: string): number {
  return Math.max(0, unitsLeft(books, books.sold.get(license) as Sold));
}

/** It never ends sooner for it. */
export function lifeAfter({ logTime }: Books, hold: readonly Held[], forMs: number): number {
  return Math.max(forMs, ...hold.map(({ awayFrom, awayMs }) => awayFrom + awayMs - logTime));
}

export function extendAway(books: Books, hold: readonly Held[], forMs: number): void {
  for (const one of hold) {
    const sold = books.sold.get(one.license) as Sold;
    const more = moreTimes(books, sold, one, forMs);
    take(books, sold, unitsOfMore(sold, one, more));
    one.times += more;
    one.awayMs = forMs;
    one.awayFrom = books.logTime;
  }
  const [{ key } = { key: '' }] = hold;
  books.extended.set(key, (books.extended.get(key) ?? 0) + 1);
}

/** The machine of the session is lost. Why it may not be written off: any of these is a true answer; [] = it may. */
export function whyNotWrittenOff(books: Books, session: string): readonly string[] {
  const lost = lostOf(books, session);
  if (lost.size === 0) return ['unknown-session', 'unknown-hold'];
  const tooMany = [...lost].some(([license, seats]) => {
    const { count = 0 } = books.sold.get(license)?.borrowing?.writeOffs ?? {};
    return recent(books, license).reduce((sum, one) => sum + one.seats, seats) > count;
  });
  return tooMany ? ['too-soon'] : [];
}

export function writeOff(books: Books, session: string): void {
  for (const [license, seats] of lostOf(books, session))
    books.writeOffs.set(license, [...(books.writeOffs.get(license) ?? []), { utc: books.utc, seats }]);
}

function lostOf({ held }: Books, session: string): ReadonlyMap<string, number> {
  const lost = new Map<string, number>();
  for (const { asker, awayMs, license, seats } of held)
    if (asker.session === session && awayMs > 0) lost.set(license, (lost.get(license) ?? 0) + seats);
  return lost;
}

function recent({ sold, writeOffs, utc }: Books, license: string): readonly { readonly seats: number }[] {
  const { withinMs = 0 } = sold.get(license)?.borrowing?.writeOffs ?? {};
  return (writeOffs.get(license) ?? []).filter((one) => one.utc + withinMs > utc);
}
