import { countKey, means, rulesFor } from '../policy.ts';
import type { Ask, Denial } from './ask.ts';

/** The customer's own rules: what they deny, whom they allow, how many they let one have. Reservations come with the seats. */
export function checkRules({
  ledger,
  state,
  session,
  item,
  seats,
}: Ask & { readonly seats: number }): Denial | undefined {
  const { policy } = ledger;
  if (policy === undefined) return undefined;
  let missed: string | undefined;
  let isAllowed = false;
  const chain = state.license.terms.features.get(item.feature)?.chain ?? [];
  for (const [place, rule] of rulesFor(policy, item.product, chain)) {
    const meant = means(policy, place, session);
    if (rule.kind === 'deny' && meant) return { code: 'rule', detail: rule.words };
    if (rule.kind === 'allow') {
      isAllowed ||= meant;
      missed ??= rule.words;
    }
    if (rule.kind === 'limit' && meant && (policy.counts.get(countKey(place, rule, session)) ?? 0) + seats > rule.seats)
      return { code: 'rule', detail: rule.words };
  }
  return missed === undefined || isAllowed ? undefined : { code: 'rule', detail: missed };
}
