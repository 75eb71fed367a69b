import { type AdminRule, type AdminRules, isMeant } from '@trefoil/license';
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
  readonly meant: WeakMap<Session, (boolean | undefined)[]>;
}

/** Whether the rule at that place means this session. */
export function means(policy: Policy, place: number, session: Session): boolean {
  let known = policy.meant.get(session);
  if (known === undefined) policy.meant.set(session, (known = []));
  return (known[place] ??= isMeant(policy.rules[place]?.who, session));
}

export function policyOf(ledger: Ledger, rules: Omit<Policy, 'byProduct' | 'counts' | 'meant'>): Policy {
  const byProduct = new Map<string, number[]>();
  rules.rules.forEach(({ product }, place) => byProduct.set(product, [...(byProduct.get(product) ?? []), place]));
  const policy: Policy = { ...rules, byProduct, counts: new Map(), meant: new WeakMap() };
  for (const state of ledger.licenses.values())
    for (const { session, item } of state.holders) {
      const { product } = state.license;
      for (const [key, seats] of countedUnder(policy, product, session, item))
        policy.counts.set(key, (policy.counts.get(key) ?? 0) + seats);
    }
  return policy;
}

/** Rules that speak of this, with their places, in the order of the document. */
export function rulesFor(
  policy: Policy,
  { product, feature }: { readonly product: string; readonly feature: string },
): (readonly [number, AdminRule])[] {
  const places = [...(policy.byProduct.get(product) ?? []), ...(policy.byProduct.get('*') ?? [])].sort((a, b) => a - b);
  return places
    .map((place) => [place, policy.rules[place] as AdminRule] as const)
    .filter(([, rule]) => rule.feature === '' || rule.feature === feature);
}

/** Under which key seats of this session count for a rule. */
export function countKey(place: number, rule: AdminRule, session: Session): string {
  const each = rule.kind === 'limit' ? rule.each : undefined;
  return each === undefined ? `${place}` : `${place}\0${each === 'user' ? session.user : session.host}`;
}

function countedUnder(policy: Policy, product: string, session: Session, item: HeldItem): [string, number][] {
  return rulesFor(policy, { product, feature: item.feature })
    .filter(([place, rule]) => (rule.kind === 'limit' || rule.kind === 'reserve') && means(policy, place, session))
    .map(([place, rule]) => [countKey(place, rule, session), item.seats]);
}

/** Seats change hands: what rules count goes along. */
export function countUnderRules(
  { policy, journal }: Ledger,
  { product, session, item }: { readonly product: string; readonly session: Session; readonly item: HeldItem },
  direction: 'take' | 'free',
): void {
  if (policy === undefined) return;
  for (const [key, seats] of countedUnder(policy, product, session, item))
    journal.put(policy.counts, key, (policy.counts.get(key) ?? 0) + (direction === 'take' ? seats : -seats));
}

/** Seats of what is asked for that are kept for others than this session, and not in use by them. */
export function reservedForOthers(
  { policy }: Ledger,
  session: Session,
  asked: { readonly product: string; readonly feature: string },
): number {
  if (policy === undefined) return 0;
  let seats = 0;
  for (const [place, rule] of rulesFor(policy, asked))
    if (rule.kind === 'reserve' && !means(policy, place, session))
      seats += Math.max(0, rule.seats - (policy.counts.get(countKey(place, rule, session)) ?? 0));
  return seats;
}
