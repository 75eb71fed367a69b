import type { Named } from '@trefoil/license';
import type { LicenseState, Session } from '../state.ts';
import type { Ask, Denial } from './ask.ts';

/** Whose seats they are: there are as many names as seats, and each of them stays until an admin takes it off. */
export function checkName({ ledger, state, session }: Ask): Denial | undefined {
  const { named, quantity } = state.license.terms;
  if (named === undefined || state.names.has(nameOf(named, session)) || state.names.size < quantity) return undefined;
  return { code: 'named', at: nextChange(state, ledger.utc), detail: named.who };
}

export function nameOf({ who }: Named, session: Session): string {
  return who === 'user' ? session.user : session.host;
}

/** When the next name may be taken off; at once = utc. */
export function nextChange(state: LicenseState, utc: number): number {
  const { named } = state.license.terms;
  if (named === undefined || named.changes === 0) return 0;
  const recent = state.nameChanges.filter((at) => at + named.withinMs > utc);
  return recent.length < named.changes ? utc : (recent.at(-named.changes) as number) + named.withinMs;
}
