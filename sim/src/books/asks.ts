import { type ConsumeCommand, DENIAL_CODES, type DenialCode } from '@trefoil/license';
import { type Asker, type Books, copyOf, endOf, type Held, licensesOf } from './books.ts';
import { mayNotLeave, timesOf } from './loans.ts';
import { isNobodyHere } from './names.ts';
import { isAgainstRules } from './rules.ts';
import { asManyAsThereAre, seatsFrom } from './seats.ts';
import { featureOf, type Sold } from './sold.ts';
import { paidSeats, type Part, unitsFrom } from './units.ts';
import { denialOf } from './words.ts';

/** An acquire; one that waits, or is to leave the group for a time, too. */
export interface Wait {
  /** Session and request. */
  readonly key: string;
  readonly session: string;
  readonly items: readonly Wanted[];
  /** undefined = they stay with the group. */
  readonly forMs?: number | undefined;
}

export interface Wanted {
  readonly product: string;
  readonly feature: string;
  /** 0 = units are asked for. */
  readonly seats: number;
  readonly forMs?: number | undefined;
}

/** As much as he wants, or as there is; nothing where something else than seats stands against one of his items. */
export function claim(books: Books, asker: Asker, { key, items }: Wait): void {
  const trial = copyOf(books);
  for (const [item, wanted] of items.entries()) {
    const { licenses, code } = candidates(trial, asker, wanted);
    if (code !== undefined) return;
    asManyAsThereAre(trial, licenses, { key, asker, item, ...wanted });
  }
  Object.assign(books, trial);
}

/** All items or none, each against what the earlier ones left. */
export function seatsFor(
  books: Books,
  asker: Asker,
  { key, items, forMs }: Wait,
): { readonly given: readonly Held[]; readonly denial?: string } {
  const given: Held[] = [];
  for (const [item, wanted] of items.entries()) {
    const { licenses, code } = candidates(books, asker, { ...wanted, forMs });
    const some = code === undefined ? seatsFrom(books, licenses, { key, asker, item, ...wanted, forMs }) : undefined;
    if (some === undefined) return { given: [], denial: denialOf(code ?? 'seats', wanted) };
    given.push(...some);
  }
  return { given };
}

export function unitsFor(
  books: Books,
  asker: Asker,
  { items }: ConsumeCommand,
): { readonly given: readonly Part[]; readonly denial?: string } {
  const given: Part[] = [];
  for (const [item, wanted] of items.entries()) {
    const { feature, count: uses } = wanted;
    const { licenses, code } = candidates(books, asker, { ...wanted, seats: 0 });
    const some = code === undefined ? unitsFrom(books, licenses, { asker, item, feature, uses }) : undefined;
    if (some === undefined) return { given: [], denial: denialOf(code ?? 'units', wanted) };
    given.push(...some);
  }
  return { given };
}

/** In the order of PROTOCOL §5.8: the licenses that pass all checks but the last, or the latest check that one of them failed. */
function candidates(
  books: Books,
  asker: Asker,
  wanted: Wanted,
): { readonly licenses: readonly Sold[]; readonly code?: DenialCode } {
  const licenses = licensesOf(books, wanted.product);
  const failed = licenses.map((sold) => firstFailed(books, sold, asker, wanted));
  const left = licenses.filter((_, i) => failed[i] === undefined);
  if (left.length > 0) return { licenses: left };
  const places = failed.map((code) => (code === undefined ? 0 : DENIAL_CODES.indexOf(code)));
  return { licenses: [], code: DENIAL_CODES[Math.max(0, ...places)] ?? 'unknown-product' };
}

/** `seats` 0: what asks for no seat, or not for another one. */
export function firstFailed(books: Books, sold: Sold, asker: Asker, wanted: Wanted): DenialCode | undefined {
  const { feature, seats, forMs } = wanted;
  if (featureOf(sold, feature) === undefined) return 'unknown-feature';
  if (books.utc >= endOf(books, sold)) return 'expired';
  if (books.utc >= books.configurationEnds) return 'configuration-expired';
  if (isAgainstRules(books, sold, { asker, feature, seats })) return 'rule';
  if (isNobodyHere(books, sold, asker)) return 'named';
  if (seats > 0 && paidSeats(books, sold, feature, timesOf(sold, forMs)) < 1) return 'units';
  return forMs !== undefined && mayNotLeave(books, sold, forMs) ? 'borrowing' : undefined;
}

export function shareProduct(one: Wait, other: Wait): boolean {
  return one.items.some(({ product }) => other.items.some((item) => item.product === product));
}
