import type { Asker, Books } from './books.ts';
import { chainOf, seatsHeld, tokensOf } from './books.ts';
import type { Sold } from './sold.ts';

/** One rule of the customer's, read from FORMATS §2.9. */
export interface Rule {
  readonly rule: 'allow' | 'deny' | 'reserve' | 'limit';
  readonly product: string;
  /** '' = the product and all its features. */
  readonly feature: string;
  readonly seats: number;
  readonly each: 'user' | 'host' | undefined;
  readonly means: (asker: Asker) => boolean;
}

interface Who {
  readonly users?: readonly string[];
  readonly hosts?: readonly string[];
  readonly groups?: readonly string[];
}

export function readRules(document: string): { readonly version: number; readonly rules: readonly Rule[] } {
  const {
    version,
    groups = {},
    rules,
  } = JSON.parse(document) as {
    readonly version: number;
    readonly groups?: Readonly<Record<string, Who>>;
    readonly rules: readonly (Pick<Rule, 'rule' | 'product'> & Partial<Rule> & { readonly for?: Who })[];
  };
  return {
    version,
    rules: rules.map(({ rule, product, feature = '', seats = 0, each, for: who }) => {
      return { rule, product, feature, seats, each, means: (asker) => who === undefined || isOne(asker, who, groups) };
    }),
  };
}

/** An address is in no subnet here: nobody in a simulated run says one. */
function isOne(asker: Asker, who: Who, groups: Readonly<Record<string, Who>>): boolean {
  const { users = [], hosts = [], groups: names = [] } = who;
  return (
    users.some((one) => isLike(asker.user, one)) ||
    hosts.some((one) => isLike(asker.host, one)) ||
    names.some((name) => isOne(asker, groups[name] ?? {}, groups))
  );
}

function isLike(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** A rule for a feature is one for those within it, too. */
function speaksOf(rule: Rule, product: string, chain: readonly string[]): boolean {
  return (rule.product === '*' || rule.product === product) && (rule.feature === '' || chain.includes(rule.feature));
}

/** PROTOCOL §5.16: deny, allow and limit. `seats` 0 = units are asked for. */
export function isAgainstRules(
  books: Books,
  sold: Sold,
  ask: { asker: Asker; feature: string; seats: number },
): boolean {
  const { asker, feature, seats } = ask;
  const rules = books.rules.filter((rule) => speaksOf(rule, sold.product, chainOf(sold, feature)));
  const meant = rules.filter((rule) => rule.means(asker));
  if (meant.some(({ rule }) => rule === 'deny')) return true;
  if (rules.some(({ rule }) => rule === 'allow') && !meant.some(({ rule }) => rule === 'allow')) return true;
  return meant.some((rule) => rule.rule === 'limit' && heldUnder(books, rule, asker) + seats > rule.seats);
}

/** By all who are meant, or by this user or host of them. */
function heldUnder({ held }: Books, rule: Rule, asker: Asker): number {
  const { each } = rule;
  return seatsHeld(
    held,
    (one) =>
      speaksOf(rule, one.product, one.chain) &&
      rule.means(one.asker) &&
      (each === undefined || one.asker[each] === asker[each]),
  );
}

/** What is kept for others, and not in use by them: of what quantity (tokens), and of the features whose seats these would be. */
export function keptForOthers(
  books: Books,
  sold: Sold,
  asker: Asker,
): { readonly tokens: number; readonly of: (feature: string) => number } {
  const kept = books.rules
    .filter((rule) => rule.rule === 'reserve' && rule.product === sold.product && !rule.means(asker))
    .map((rule) => ({ rule, seats: Math.max(0, rule.seats - heldUnder(books, rule, asker)) }));
  return {
    tokens: kept.reduce((sum, { rule, seats }) => sum + seats * tokensOf(sold, rule.feature), 0),
    of: (feature) =>
      kept.reduce((sum, { rule, seats }) => sum + (chainOf(sold, rule.feature).includes(feature) ? seats : 0), 0),
  };
}
