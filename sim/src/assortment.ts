import type { AcquireItem, ConsumeItem, JsonObject } from '@trefoil/license';
import { featureOf, readSold } from './books/sold.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** What one run sells beside plain seats and units, and what applications make of it. */
interface Theme {
  readonly wares: readonly Ware[];
  /** Product and feature: `pool/big`. */
  readonly seats: readonly (readonly string[])[];
  readonly uses: readonly (readonly string[])[];
}

interface Ware {
  readonly license: string;
  readonly product: string;
  readonly terms: JsonObject;
}

const ware = (license: string, product: string, terms: JsonObject): Ware => ({ license, product, terms });

const WEIGHING = [{ name: 'boost', weight: 3 }];

/** No term is shorter; applications ask for seconds. */
const FOR_A_MINUTE = { longest: 'PT1M', writeOffs: { count: 2, within: 'PT1M' } };

const THEMES: readonly Theme[] = [
  {
    // Units: two licenses that add up, of which one ends, one that is paid for afterwards, and what is used at a time of all of them.
    wares: [
      ware('gas-1', 'gas', { quantity: 0, units: 60, metering: 'postpaid', features: WEIGHING }),
      ware('gas-2', 'gas', { quantity: 0, units: 90, usagePeriod: 'PT8S', features: WEIGHING }),
      ware('gas-3', 'gas', { quantity: 0, units: 70, features: WEIGHING }),
      ware('late-1', 'late', { quantity: 0, metering: 'postpaid', features: [{ name: 'boost', weight: 2 }] }),
    ],
    seats: [],
    uses: [
      ['gas'],
      ['gas/boost'],
      ['gas/boost', 'gas'],
      ['late/boost', 'gas/boost'],
      ['gas', 'late', 'gas'],
      ['gas/none'],
    ],
  },
  {
    wares: [
      ware('over-1', 'over', { quantity: 2, overdraft: { seats: 1 } }),
      ware('over-2', 'over', { quantity: 1, overdraft: { percent: 50 }, usagePeriod: 'PT20S' }),
      ware('trial-1', 'trial', { quantity: 1, overdraft: { percent: 100 }, usagePeriod: 'PT4S' }),
    ],
    seats: [['over'], ['over'], ['over', 'over'], ['trial', 'over'], ['trial']],
    uses: [],
  },
  {
    wares: [
      ware('own-1', 'own', { quantity: 2, named: { who: 'user', changes: 2, within: 'PT1M' } }),
      ware('desk-1', 'desk', { quantity: 3, units: 100, named: { who: 'device', changes: 1, within: 'P1D' } }),
    ],
    seats: [['own'], ['desk'], ['own', 'desk']],
    uses: [['desk']],
  },
  {
    // Features that take several seats of the quantity, and have a quantity of their own, one within the other.
    wares: [
      ware('pool-1', 'pool', {
        quantity: 7,
        features: [
          { name: 'big', tokens: 3, quantity: 2 },
          { name: 'deep', within: 'big', tokens: 2, quantity: 1 },
          { name: 'small', quantity: 3 },
        ],
      }),
    ],
    seats: [['pool'], ['pool/big'], ['pool/deep'], ['pool/small'], ['pool/small', 'pool/big'], ['pool/none']],
    uses: [],
  },
  {
    // What costs nothing more beside what is metered by time.
    wares: [
      ware('clock-1', 'clock', {
        ...{ quantity: 3, units: 60, seatTime: { every: 'PT1S' } },
        features: [{ name: 'heavy', weight: 4 }],
      }),
      ware('clock-2', 'clock', { quantity: 1, features: [{ name: 'heavy' }] }),
    ],
    seats: [['clock'], ['clock'], ['clock/heavy']],
    uses: [],
  },
];

const THEMED = 0.5;
/** Seats that leave, beside what else the run sells: sold in some runs, by a stream of its own. */
const LENDING: Theme = {
  wares: [
    ware('tour-1', 'tour', { quantity: 3, borrowing: { ...FOR_A_MINUTE, seats: 2, extensions: 2 } }),
    ware('tour-2', 'tour', { quantity: 1, overdraft: { seats: 1 }, borrowing: { seats: 1, longest: 'PT1M' } }),
    ware('trip-1', 'trip', {
      quantity: 2,
      usagePeriod: 'PT5S',
      borrowing: { ...FOR_A_MINUTE, seats: 2, extensions: 2 },
    }),
    ware('tent-1', 'tent', {
      ...{ quantity: 4, features: [{ name: 'wide', tokens: 2, quantity: 1 }] },
      borrowing: { ...FOR_A_MINUTE, seats: 3, extensions: 1 },
    }),
    ware('taxi-1', 'taxi', {
      ...{ quantity: 3, units: 40, seatTime: { every: 'PT1S' } },
      borrowing: { ...FOR_A_MINUTE, seats: 2, extensions: 3 },
    }),
    ware('home-1', 'home', { quantity: 1 }),
  ],
  seats: [['tour'], ['tour'], ['tent'], ['tent/wide'], ['taxi'], ['tour', 'tent'], ['home']],
  uses: [],
};
const LOANS: Theme['seats'] = [
  ...[['tour'], ['tour'], ['tour', 'tent'], ['tent'], ['tent'], ['tent/wide'], ['taxi'], ['taxi'], ['taxi', 'tour']],
  ...[['trip'], ['trip'], ['home']],
];

const LENT = 0.25;
const RULED = 0.6;
const MOST_AT_ONCE = 3;

/** Licenses whose terms say more than a quantity, sold in half of the runs: one theme or two, and an admin's rules about them. */
export class Assortment {
  readonly random: Random;
  readonly #world: World;
  readonly #themes: readonly Theme[];
  readonly #isRuled: boolean;
  /** Seats that may leave the group. */
  readonly lends: boolean;
  #rulesVersion = 0;
  readonly #versions = new Map<string, number>();
  /** By license and version. */
  readonly terms = new Map<string, JsonObject>();

  /** Of chance it has streams of its own: a run without it is the run that it would be if there were no such licenses. */
  static drawn(world: World, random: Random, lending: Random): Assortment | undefined {
    const themes = random.chance(THEMED) ? someThemes(random) : [];
    const lends = lending.chance(LENT);
    if (themes.length === 0 && !lends) return undefined;
    return new Assortment(world, random, { themes: lends ? [...themes, LENDING] : themes, lends });
  }

  private constructor(world: World, random: Random, { themes, lends }: { themes: readonly Theme[]; lends: boolean }) {
    this.#world = world;
    this.random = random;
    this.#themes = themes;
    this.lends = lends;
    this.#isRuled = random.chance(RULED);
  }

  open(): void {
    for (const one of this.#wares) this.#sell(one);
    if (this.#isRuled && this.random.chance(0.5)) this.#rule();
  }

  get #wares(): readonly Ware[] {
    return this.#themes.flatMap(({ wares }) => wares);
  }

  /** Now and then: other rules, a name for somebody else, more or fewer sold. */
  stir(): void {
    const { random } = this;
    if (this.#isRuled && random.chance(0.15)) this.#rule();
    if (this.#wares.some(({ terms }) => 'named' in terms) && random.chance(0.5)) this.#unname();
    if (random.chance(0.1)) this.#sellAnew(random.pick(this.#wares));
    if (this.lends && random.chance(0.1)) this.#endAny();
  }

  /** Of whom an admin thinks that his machine is lost, or that he should have nothing more. */
  #endAny(): void {
    const { random } = this;
    const { office } = this.#world;
    const sessions = [...(this.#world.ledgers()[0]?.ledger.sessions.values() ?? [])];
    const away = sessions.filter(({ holds }) => [...holds.values()].some(({ borrowed }) => borrowed));
    if (sessions.length === 0) return;
    const { handle } = random.pick(away.length > 0 && random.chance(0.8) ? away : sessions);
    if (random.chance(0.6)) office.evict(handle);
    else office.writeOff(handle, random.bytes(16));
  }

  #sell({ license, product, terms }: Ware): void {
    const version = (this.#versions.get(license) ?? 0) + 1;
    this.#versions.set(license, version);
    this.terms.set(`${license}/${version}`, terms);
    const { quantity, overdraft } = readSold(license, product, terms);
    this.#world.vendor.offer({ license, product, version, terms, most: quantity + overdraft });
  }

  /** Units only grow, or what a client was told of would be no more; seats may be fewer. */
  #sellAnew(one: Ware): void {
    const { quantity, units } = one.terms;
    const more = this.random.below(3) - 1;
    const isPlain = one.terms['features'] === undefined && Number(quantity) > 0;
    const terms = {
      ...one.terms,
      ...(isPlain && { quantity: Math.max(1, Number(quantity) + more) }),
      ...(units !== undefined && { units: Number(units) + 10 * this.random.below(6) }),
      ...('borrowing' in one.terms && this.#borrowingAnew(one.terms['borrowing'] as JsonObject)),
    };
    this.#sell({ ...one, terms: withSeatsThatAreThere(terms) });
  }

  /** Fewer may leave, less often for longer. */
  #borrowingAnew({ writeOffs, ...borrowing }: JsonObject): JsonObject {
    const { random } = this;
    const seats = 1 + random.below(Number(borrowing['seats']));
    const extensions = random.below(3);
    return { borrowing: { ...borrowing, seats, extensions, ...(random.chance(0.7) && writeOffs && { writeOffs }) } };
  }

  #rule(): void {
    const { random } = this;
    // An older document, sent late, is refused.
    const version = random.chance(0.1) ? Math.max(1, this.#rulesVersion) : ++this.#rulesVersion;
    const groups = { team: { users: ['client-1', 'client-2'], hosts: ['client-3'] }, all: { groups: ['team'] } };
    const rules = Array.from({ length: random.below(4) }, () => this.#oneRule());
    this.#world.office.rules(JSON.stringify({ format: 1, version, groups, rules }), random.bytes(16));
  }

  #oneRule(): JsonObject {
    const { random } = this;
    const [product = '', feature] = random
      .pick(random.pick(this.#themes.flatMap(({ seats, uses }) => [...seats, ...uses])))
      .split('/');
    const rule = random.pick(['deny', 'allow', 'limit', 'limit', 'reserve', 'reserve', 'reserve']);
    const who = random.pick<JsonObject>([
      { users: [`client-${1 + random.below(5)}`] },
      { hosts: ['client-1', 'client-2'] },
      { groups: ['team'] },
      { groups: ['all'], users: ['client-4*'] },
    ]);
    const isForAll = rule === 'limit' && random.chance(0.5);
    return {
      ...{ rule, product },
      ...(feature !== undefined && { feature }),
      ...(!isForAll && { for: who }),
      ...(rule === 'limit' && { seats: random.below(3) }),
      ...(rule === 'limit' && random.chance(0.5) && { each: random.pick(['user', 'host']) }),
      ...(rule === 'reserve' && { seats: 1 + random.below(2) }),
    };
  }

  /** Of somebody who is in the list that an admin sees, or of anybody. */
  #unname(): void {
    const { random } = this;
    const { license } = random.pick(this.#wares.filter(({ terms }) => 'named' in terms));
    const [shown] = this.#world.ledgers();
    const names = [...(shown?.ledger.licenses.get(license)?.names.keys() ?? [])];
    const listed = names.length > 0 && random.chance(0.8);
    const name = random.pick(listed ? names : this.#world.clients.map((client) => client.name));
    this.#world.office.unname(license, name, random.bytes(16));
  }

  /** What an application asks for; undefined = seats are not sold here. */
  seats(random: Random): readonly AcquireItem[] | undefined {
    const all = this.#themes.flatMap(({ seats }) => seats);
    if (all.length === 0) return undefined;
    return random.pick(all).map((what) => ({ ...asked(what), seats: 1 + (random.chance(0.3) ? 1 : 0) }));
  }

  /** What somebody takes along. */
  loan(random: Random): readonly AcquireItem[] {
    return random.pick(LOANS).map((what) => ({ ...asked(what), seats: 1 + (random.chance(0.2) ? 1 : 0) }));
  }

  uses(random: Random): readonly ConsumeItem[] | undefined {
    const all = this.#themes.flatMap(({ uses }) => uses);
    if (all.length === 0) return undefined;
    return random.pick(all).map((what) => ({ ...asked(what), count: 1 + random.below(MOST_AT_ONCE) }));
  }

  /** What that many uses take, in whatever license. */
  unitsOf({ product, feature, count }: ConsumeItem): number {
    const weights = this.#soldOf(product).map((sold) => featureOf(sold, feature)?.weight ?? 1);
    return count * Math.max(1, ...weights);
  }

  /** Of the quantity, for one seat. */
  tokensOf(product: string, feature: string): number {
    return Math.max(1, ...this.#soldOf(product).map((sold) => featureOf(sold, feature)?.tokens ?? 1));
  }

  #soldOf(product: string) {
    return this.#wares
      .filter((one) => one.product === product)
      .map(({ license, terms }) => readSold(license, product, terms));
  }
}

function someThemes(random: Random): readonly Theme[] {
  const first = random.below(THEMES.length);
  const second = random.chance(0.4) ? random.below(THEMES.length) : first;
  return THEMES.filter((_, place) => place === first || place === second);
}

/** Terms that let more seats leave than there are are none. */
function withSeatsThatAreThere({ borrowing, ...terms }: JsonObject): JsonObject {
  if (borrowing === undefined) return terms;
  const { seats, ...more } = borrowing as JsonObject;
  return { ...terms, borrowing: { ...more, seats: Math.min(Number(seats), Number(terms['quantity'])) } };
}

function asked(what: string): { readonly product: string; readonly feature: string } {
  const [product = '', feature = ''] = what.split('/');
  return { product, feature };
}
