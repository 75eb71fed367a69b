import type { Rule } from './rules.ts';
import { featureOf, type Sold } from './sold.ts';

/** Who asks, by what the session says of itself. */
export interface Asker {
  readonly session: string;
  readonly user: string;
  readonly host: string;
}

/** Seats of one license in one hand. */
export interface Held {
  /** Session and request. */
  readonly key: string;
  readonly asker: Asker;
  /** Which item of the acquire it answers. */
  readonly item: number;
  readonly license: string;
  readonly product: string;
  readonly feature: string;
  /** As they were when the seats were taken: so they are given back. */
  readonly chain: readonly string[];
  readonly tokens: number;
  readonly seats: number;
  readonly beyond: boolean;
  readonly since: number;
  /** Times of its use that are paid for; 0 = they cost nothing. */
  times: number;
  /** For so long it has left the group, from its last grant; 0 = it is with it. */
  awayMs: number;
  /** Log time from which that counts. */
  awayFrom: number;
}

/** All that PROTOCOL §5 lets an answer about licenses depend on. */
export interface Books {
  readonly sold: Map<string, Sold>;
  readonly held: Held[];
  readonly consumed: Map<string, number>;
  /** UTC of the first seat or unit. */
  readonly firstUse: Map<string, number>;
  readonly names: Map<string, Set<string>>;
  /** UTC of each name that was taken off. */
  readonly changes: Map<string, readonly number[]>;
  /** By hold: how often the time of what is away was extended. */
  readonly extended: Map<string, number>;
  /** By license: seats that came back before their time, for their machines are lost, and the UTC of it. */
  readonly writeOffs: Map<string, readonly { readonly utc: number; readonly seats: number }[]>;
  /** UTC; then nothing is given any more. */
  configurationEnds: number;
  rules: readonly Rule[];
  logTime: number;
  utc: number;
}

export function emptyBooks(configurationEnds: number): Books {
  return {
    ...{ sold: new Map(), held: [], consumed: new Map(), firstUse: new Map(), names: new Map(), changes: new Map() },
    ...{ extended: new Map(), writeOffs: new Map() },
    ...{ configurationEnds, rules: [], logTime: 0, utc: 0 },
  };
}

/** To try something in: items are tried one after the other, and taken all or none. */
export function copyOf(books: Books): Books {
  const names = [...books.names].map(([license, all]) => [license, new Set(all)] as const);
  return {
    ...{ ...books, held: [...books.held], names: new Map(names) },
    ...{ consumed: new Map(books.consumed), firstUse: new Map(books.firstUse) },
  };
}

export function licensesOf({ sold }: Books, product: string): Sold[] {
  return [...sold.values()].filter((one) => one.product === product);
}

/** UTC; what was never used would end one usage period from now. */
export function endOf({ firstUse, utc }: Books, { license, usagePeriodMs }: Sold): number {
  return (firstUse.get(license) ?? utc) + usagePeriodMs;
}

/** What ends soonest, then the lowest id. */
export function byEnd(books: Books): (a: Sold, b: Sold) => number {
  return (a, b) => {
    const [endA, endB] = [endOf(books, a), endOf(books, b)];
    return endA === endB ? (a.license < b.license ? -1 : 1) : endA - endB;
  };
}

/** The usage period begins, and a name is taken, with the first seat or unit. */
export function use(books: Books, sold: Sold, asker: Asker): void {
  if (!books.firstUse.has(sold.license)) books.firstUse.set(sold.license, books.utc);
  if (sold.named === undefined) return;
  const names = books.names.get(sold.license) ?? new Set();
  books.names.set(sold.license, names.add(nameOf(sold, asker)));
}

export function nameOf({ named }: Sold, { user, host }: Asker): string {
  return named?.who === 'user' ? user : host;
}

export function seatsHeld(held: readonly Held[], isMeant: (one: Held) => boolean): number {
  return held.reduce((sum, one) => sum + (isMeant(one) ? one.seats : 0), 0);
}

/** A feature that there is none of is of no weight: it is denied before that matters. */
export function tokensOf(sold: Sold, feature: string): number {
  return featureOf(sold, feature)?.tokens ?? 1;
}

export function chainOf(sold: Sold, feature: string): readonly string[] {
  return featureOf(sold, feature)?.chain ?? [];
}
