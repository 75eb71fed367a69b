import { Journal } from '../journal.ts';
import { LIMITS } from '../limits.ts';
import { allocate } from './allocate.ts';
import { type Ledger, type LicenseState, licensesOf, type Session, type Wait } from './state.ts';

/** Whether these seats could be had if nobody held or waited: who waits for more than there is would keep others from it for nothing. */
export function couldBeServed(ledger: Ledger, session: Session, items: Wait['items']): boolean {
  const parts = allocate(emptied(ledger, items), session, items);
  return !('code' in parts) && parts.length <= LIMITS.itemsPerSession;
}

/** The ledger as if nobody had anything of these products; what is tried in it leaves no trace. */
function emptied(ledger: Ledger, items: Wait['items']): Ledger {
  const licenses = new Map<string, LicenseState>();
  const products = new Map<string, Map<string, LicenseState>>();
  for (const { product } of items) {
    if (products.has(product)) continue;
    const same = new Map<string, LicenseState>();
    products.set(product, same);
    for (const state of licensesOf(ledger, product)) {
      const names = state.license.terms.named === undefined ? state.names : new Map(state.names);
      const free = { ...state, names, used: 0, usedByFeature: new Map(), shares: new Map() };
      licenses.set(state.license.id, free);
      same.set(state.license.id, free);
    }
  }
  const policy = ledger.policy === undefined ? undefined : { ...ledger.policy, counts: new Map<string, number>() };
  const apart = { journal: new Journal(), queues: new Map(), together: new Map(), stirred: new Set<string>() };
  return { ...ledger, ...apart, licenses, products, policy, dirty: new Set() };
}

/** Waits for what there is no more, since an update or other rules came. Those alike are looked at once. */
export function hopelessWaits(ledger: Ledger, products: Iterable<string>, dependsOnSession: boolean): Wait[] {
  const known = new Map<string, boolean>();
  const hopeless = new Set<Wait>();
  for (const product of products)
    for (const wait of ledger.queues.get(product) ?? []) {
      const alike = `${wait.shape} ${wait.items.map((item) => item.seats).join()}`;
      const hope = dependsOnSession ? undefined : known.get(alike);
      const could = hope ?? couldBeServed(ledger, wait.session, wait.items);
      known.set(alike, could);
      if (!could) hopeless.add(wait);
    }
  return [...hopeless].sort((a, b) => a.seq - b.seq);
}
