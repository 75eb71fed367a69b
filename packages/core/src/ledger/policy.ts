import { type AdminRule, type AdminRules, isMeant, type Who } from '@trefoil/license';
import type { HeldItem, Ledger, Session } from './state.ts';

/** The customer's rules as they are in force, with what they count. */
export interface Policy extends AdminRules {
  readonly text: string;
  /** Who signed them. */
  readonly admin: string;
  readonly sinceUtc: number;
  /** Derived: product → the places of its rules. */
  readonly byProduct: ReadonlyMap<string, readonly number[]>;
  /** Derived: seats held under a rule that counts: by its place, and the user or host where it counts for each. */
  readonly counts: Map<string, number>;
  /** Derived: which rules mean a session; worked out once, for rules may have many names. */
  readonly meant: WeakMap<Session, Map<Who, boolean>>;
}

/** Whether the rule at that place means this session. */
export function means(policy: Policy, place: number, session: Session): boolean {
  let known = policy.meant.get(session);
  if (known === undefined) policy.meant.set(session, (known = new Map()));
  return isMeant(policy.rules[place]?.who, session, known);
}

export function policyOf(ledger: Ledger, rules: Omit<Policy, 'byProduct' | 'counts' | 'meant'>): Policy {
  const byProduct = new Map<string, number[]>();
  rules.rules.forEach(({ product }, place) => {
    const places = byProduct.get(product) ?? [];
    byProduct.set(product, places);
    places.push(place);
  });
  const policy: Policy = { ...rules, byProduct, counts: new Map(), meant: new WeakMap() };
  for (const state of ledger.licenses.values())
    for (const { session, item } of state.holders)
      for (const key of countedUnder(policy, state.license.product, session, item))
        policy.counts.set(key, (policy.counts.get(key) ?? 0) + item.seats);
  return policy;
}

/** A feature with those around it, from the inside out; [] = the product itself. */
type Chain = readonly string[];

/** Rules that speak of this, with their places, in the order of the document. */
export function rulesFor(policy: Policy, product: string, chain: Chain): (readonly [number, AdminRule])[] {
  return rulesOf(policy, product).filter(([, rule]) => rule.feature === '' || chain.includes(rule.feature));
}

function rulesOf(policy: Policy, product: string): (readonly [number, AdminRule])[] {
  const places = [...(policy.byProduct.get(product) ?? []), ...(policy.byProduct.get('*') ?? [])].sort((a, b) => a - b);
  return places.map((place) => [place, policy.rules[place] as AdminRule] as const);
}

/** Under which key seats of this session count for a rule. */
export function countKey(place: number, rule: AdminRule, session: Session): string {
  const each = rule.kind === 'limit' ? rule.each : undefined;
  return each === undefined ? `${place}` : `${place}\0${each === 'user' ? session.user : session.host}`;
}

function countedUnder(policy: Policy, product: string, session: Session, item: HeldItem): string[] {
  if (item.mode === 'uncounted') return [];
  return rulesFor(policy, product, item.chain)
    .filter(([place, rule]) => (rule.kind === 'limit' || rule.kind === 'reserve') && means(policy, place, session))
    .map(([place, rule]) => countKey(place, rule, session));
}

/** Seats change hands: what rules count goes along. Of a seat that is shared each who shares it counts. */
export function countUnderRules(
  { policy, journal }: Ledger,
  { product, session, item }: { readonly product: string; readonly session: Session; readonly item: HeldItem },
  direction: 'take' | 'free',
): void {
  if (policy === undefined) return;
  for (const key of countedUnder(policy, product, session, item)) {
    const count = (policy.counts.get(key) ?? 0) + (direction === 'take' ? item.seats : -item.seats);
    if (count === 0) journal.remove(policy.counts, key);
    else journal.put(policy.counts, key, count);
  }
}

/**
 * What is kept for others than this session and not in use by them, of the quantity of the product: reserved seats of a feature weigh
 * what the feature does. `tokensOf`: of a feature, '' = of the product itself.
 */
export function reservedForOthers(
  { policy }: Ledger,
  session: Session,
  product: string,
  tokensOf: (feature: string) => number,
): number {
  if (policy === undefined) return 0;
  let cost = 0;
  for (const [place, rule] of rulesOf(policy, product))
    if (rule.kind === 'reserve' && !means(policy, place, session)) {
      const left = rule.seats - (policy.counts.get(countKey(place, rule, session)) ?? 0);
      cost += Math.max(0, left) * tokensOf(rule.feature);
    }
  return cost;
}

/** The same of a feature's own quantity: reserved seats of it, and of those within it. `chainOf`: of a feature. */
export function reservedOfFeature(
  { policy }: Ledger,
  session: Session,
  { product, feature }: { readonly product: string; readonly feature: string },
  chainOf: (feature: string) => Chain,
): number {
  if (policy === undefined) return 0;
  let seats = 0;
  for (const [place, rule] of rulesOf(policy, product))
    if (rule.kind === 'reserve' && !means(policy, place, session) && chainOf(rule.feature).includes(feature))
      seats += Math.max(0, rule.seats - (policy.counts.get(countKey(place, rule, session)) ?? 0));
  return seats;
}
