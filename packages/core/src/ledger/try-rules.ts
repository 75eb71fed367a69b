import { compareBytes, LicenseError, parseAdminRules } from '@trefoil/license';
import { Journal } from '../journal.ts';
import { askOf } from './checks/ask.ts';
import { checkRules } from './checks/rules.ts';
import { countUnderRules, type Policy, policyOf, reservedForOthers } from './policy.ts';
import type { HolderRef, Ledger, LicenseState } from './state.ts';

/** Holders times rules. */
const MOST_WORK = 500_000;

/** Somebody who holds what these rules would not give him. */
export interface WouldBeDenied {
  readonly user: string;
  readonly host: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  /** Which rule. */
  readonly rule: string;
}

export interface Tried {
  readonly denied: readonly WouldBeDenied[];
  /** What its author may not have meant. */
  readonly remarks: readonly string[];
}

/**
 * What would be if rules were in force: everybody who holds a seat asks for it again, longest first, and nobody waits. Changes
 * nothing. @throws LicenseError that names the place in the document
 */
export function tryRules(ledger: Ledger, text: string): Tried {
  const rules = parseAdminRules(text);
  const all = holders(ledger);
  // Anybody may ask, and who leads has others to answer.
  if (all.length * rules.rules.length > MOST_WORK)
    throw new LicenseError(
      'too-large',
      `${all.length} holders and ${rules.rules.length} rules are too many to be tried at once`,
    );
  // With a journal of its own: that of the ledger is how an uncertified entry is taken back.
  const trial: Ledger = { ...ledger, journal: new Journal(), licenses: new Map(), policy: undefined };
  const policy = policyOf(trial, { ...rules, text, admin: '', sinceUtc: 0 });
  trial.policy = policy;
  const taken = new Map<string, number>();
  const denied: WouldBeDenied[] = [];
  for (const [state, ref] of all) {
    const { session, item } = ref;
    const { product } = state.license;
    const ask = { ...askOf(trial, state, session, { product, feature: item.feature }), seats: item.seats };
    const before = taken.get(product) ?? 0;
    const rule = checkRules(ask)?.detail ?? reservation(trial, ledger, ask, before);
    if (rule !== undefined) {
      const { user, host } = session;
      denied.push({ user, host, product, feature: item.feature, seats: item.seats, rule });
      continue;
    }
    countUnderRules(trial, { product, session, item }, 'take');
    taken.set(product, before + item.seats);
  }
  return { denied, remarks: remarksOn(ledger, policy) };
}

function holders(ledger: Ledger): (readonly [LicenseState, HolderRef])[] {
  return [...ledger.licenses.values()]
    .flatMap((state) => state.holders.map((ref) => [state, ref] as const))
    .sort(
      ([, a], [, b]) =>
        a.sinceLogTime - b.sinceLogTime || compareBytes(a.session.id, b.session.id) || a.hold.id - b.hold.id,
    );
}

function reservation(
  trial: Ledger,
  ledger: Ledger,
  { session, state, item, seats }: Parameters<typeof checkRules>[0],
  taken: number,
): string | undefined {
  const { features } = state.license.terms;
  const reserved = reservedForOthers(trial, session, item.product, (feature) => features.get(feature)?.tokens ?? 1);
  const total = seatsOf(ledger, item.product);
  return reserved > 0 && taken + seats > total - reserved
    ? `${reserved} of ${total} seats are reserved for others`
    : undefined;
}

function seatsOf(ledger: Ledger, product: string): number {
  let seats = 0;
  for (const { license } of ledger.products.get(product)?.values() ?? [])
    seats += license.terms.quantity === 0 ? Infinity : license.terms.quantity + license.terms.overdraft;
  return seats;
}

function remarksOn(ledger: Ledger, { rules }: Policy): string[] {
  return rules.flatMap((rule) => {
    const { product, feature, words } = rule;
    if (product === '*') return [];
    const licenses = [...(ledger.products.get(product)?.values() ?? [])];
    if (licenses.length === 0) return [`"${words}": no license for ${product} is installed`];
    if (feature !== '' && !licenses.some(({ license }) => license.terms.features.has(feature)))
      return [`"${words}": no license for ${product} has a feature ${feature}`];
    const total = seatsOf(ledger, product);
    return rule.kind === 'reserve' && rule.seats > total ? [`"${words}": there are only ${total} seats`] : [];
  });
}
