import type { Json, JsonObject } from '@trefoil/license';

/** A license as it was sold, read once more from its terms in the words of FORMATS §2.4: nothing of it is shared with the product. */
export interface Sold {
  readonly license: string;
  readonly product: string;
  readonly quantity: number;
  /** Seats of its overdraft. */
  readonly overdraft: number;
  readonly features: ReadonlyMap<string, Feature>;
  readonly metering: 'prepaid' | 'postpaid' | undefined;
  /** Infinity = there is no limit. */
  readonly units: number;
  readonly usagePeriodMs: number;
  readonly seatTime: { readonly everyMs: number; readonly units: number } | undefined;
  /** Seats that may leave the group, each for so long, and how often longer; lost machines whose seats may come back. */
  readonly borrowing: Borrowing | undefined;
  readonly named: { readonly who: 'user' | 'device'; readonly changes: number; readonly withinMs: number } | undefined;
}

interface Borrowing {
  readonly seats: number;
  readonly longestMs: number;
  readonly extensions: number;
  readonly writeOffs: { readonly count: number; readonly withinMs: number } | undefined;
}

interface Feature {
  /** With those around it, from the inside out. */
  readonly chain: readonly string[];
  readonly quantity: number;
  readonly tokens: number;
  readonly weight: number;
}

/** What somebody asks for without a feature. */
const WHOLE: Feature = { chain: [], quantity: Infinity, tokens: 1, weight: 1 };

export function featureOf({ features }: Sold, name: string): Feature | undefined {
  return name === '' ? WHOLE : features.get(name);
}

export function readSold(license: string, product: string, terms: JsonObject): Sold {
  const { units, seatTime, named, overdraft, usagePeriod, metering, borrowing } = terms;
  const quantity = Number(terms['quantity'] ?? 0);
  const isMetered = metering !== undefined || units !== undefined;
  return {
    ...{ license, product, quantity, overdraft: overdraftOf(quantity, overdraft) },
    features: featuresOf((terms['features'] ?? []) as unknown as readonly FeatureTerms[]),
    metering: isMetered ? ((metering ?? 'prepaid') as Sold['metering']) : undefined,
    units: isMetered ? Number(units ?? Infinity) : 0,
    usagePeriodMs: usagePeriod === undefined ? Infinity : durationMs(usagePeriod as string),
    seatTime: seatTime === undefined ? undefined : seatTimeOf(seatTime as JsonObject),
    borrowing: borrowing === undefined ? undefined : borrowingOf(borrowing as JsonObject),
    named: named === undefined ? undefined : namedOf(named as JsonObject),
  };
}

/** A percentage is rounded up to whole seats. */
function overdraftOf(quantity: number, overdraft: Json | undefined): number {
  if (overdraft === undefined) return 0;
  const { seats, percent } = overdraft as JsonObject;
  return seats === undefined ? Math.ceil((quantity * Number(percent)) / 100) : Number(seats);
}

interface FeatureTerms {
  readonly name: string;
  readonly within?: string;
  readonly quantity?: number;
  readonly tokens?: number;
  readonly weight?: number;
}

/** Who is within another inherits what it does not set. */
function featuresOf(all: readonly FeatureTerms[]): Map<string, Feature> {
  const byName = new Map(all.map((one) => [one.name, one]));
  const chainOf = (name: string): string[] => {
    const within = byName.get(name)?.within;
    return within === undefined ? [name] : [name, ...chainOf(within)];
  };
  return new Map(
    [...byName].map(([name, own]) => {
      const chain = chainOf(name);
      const nearest = (field: 'tokens' | 'weight'): number =>
        chain.map((one) => byName.get(one)?.[field]).find((value) => value !== undefined) ?? 1;
      const { quantity = Infinity } = own;
      return [name, { chain, quantity, tokens: nearest('tokens'), weight: nearest('weight') }];
    }),
  );
}

function seatTimeOf({ every, units = 1 }: JsonObject): NonNullable<Sold['seatTime']> {
  return { everyMs: durationMs(every as string), units: Number(units) };
}

function borrowingOf({ seats, longest, extensions = 0, writeOffs }: JsonObject): Borrowing {
  const { count, within } = (writeOffs ?? {}) as JsonObject;
  return {
    ...{ seats: Number(seats), longestMs: durationMs(longest as string), extensions: Number(extensions) },
    writeOffs: writeOffs === undefined ? undefined : { count: Number(count), withinMs: durationMs(within as string) },
  };
}

function namedOf({ who, changes, within }: JsonObject): NonNullable<Sold['named']> {
  return { who: who as 'user' | 'device', changes: Number(changes), withinMs: durationMs(within as string) };
}

const DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/;

function durationMs(text: string): number {
  const [, days = 0, hours = 0, minutes = 0, seconds = 0] = DURATION.exec(text) ?? [];
  return 1_000 * (Number(seconds) + 60 * (Number(minutes) + 60 * (Number(hours) + 24 * Number(days))));
}
