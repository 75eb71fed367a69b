import { type Answer, type Holder, LIMITS as FORMAT } from '@trefoil/license';
import type { Denial } from './checks/ask.ts';
import type { HolderRef, Ledger, LicenseState } from './state.ts';
import { countDenial } from './usage.ts';

/** What a client is told beside the reason: who has the seats and since when, so that whoever waits knows whom to ask. */
export function denied(
  ledger: Ledger,
  denial: Denial & {
    readonly item: { readonly product: string; readonly feature: string };
    readonly asked: readonly LicenseState[];
    readonly seats?: { readonly quantity: number; readonly free: number };
  },
): Answer {
  const { code, item, asked, seats, at = 0, detail = '' } = denial;
  const isSeats = code === 'seats';
  countDenial(ledger, { code, asked, product: item.product });
  return {
    kind: 'denied',
    code,
    product: item.product,
    feature: item.feature,
    quantity: seats?.quantity ?? sum(asked, ({ license }) => license.terms.quantity),
    free: seats?.free ?? sum(asked, ({ license, used }) => Math.max(0, license.terms.quantity - used)),
    waiting: isSeats ? (ledger.queues.get(item.product)?.length ?? 0) : 0,
    at: at === Infinity ? 0 : at,
    detail,
    holders: isSeats ? holdersOf(ledger, asked) : [],
  };
}

function sum(states: readonly LicenseState[], of: (state: LicenseState) => number): number {
  return states.reduce((total, state) => total + of(state), 0);
}

/** Longest first. */
function holdersOf(ledger: Ledger, asked: readonly LicenseState[]): Holder[] {
  const first = asked.flatMap((state) => state.holders.slice(0, FORMAT.holdersInDenial));
  if (asked.length > 1) first.sort((a, b) => a.sinceLogTime - b.sinceLogTime);
  return first.slice(0, FORMAT.holdersInDenial).map((ref) => holderOf(ledger, ref));
}

function holderOf({ logTime, utc }: Ledger, { session, hold, item }: HolderRef): Holder {
  const { user, host, idleSince } = session;
  const idleMs = idleSince === 0 ? 0 : Math.min(0xffff_ffff, Math.max(1, logTime - idleSince));
  // By then at the latest: if the group goes on as it does.
  const untilUtc = hold.borrowed ? utc + Math.max(0, hold.freeAt - logTime) : 0;
  return { user, host, sinceUtc: hold.sinceUtc, seats: item.seats, idleMs, untilUtc };
}
