import { type Asked, type CountingMode, type DenialCode, type Scope, scopeOf } from '@trefoil/license';
import type { Ledger, LicenseState, Session } from '../state.ts';

/** One license, asked for one thing. */
export interface Ask {
  readonly ledger: Ledger;
  readonly state: LicenseState;
  readonly session: Session;
  readonly item: Asked & { readonly mode?: CountingMode };
  /** undefined = the license has no such feature. */
  readonly scope: Scope | undefined;
  /** Seats shall leave the group. */
  readonly borrowing?: Wish;
}

export interface Wish {
  readonly forMs: number;
  /** How often they were extended before; undefined = they are there yet. */
  readonly extended?: number;
}

export interface Denial {
  readonly code: DenialCode;
  /** When that changes, or did; utc. */
  readonly at?: number;
  /** What would do. */
  readonly detail?: string;
}

export function askOf(ledger: Ledger, state: LicenseState, session: Session, item: Ask['item']): Ask {
  return { ledger, state, session, item, scope: scopeOf(state.license.terms, item.feature) };
}

/** ms since 1970, without grace; Infinity = perpetual. What has never been used would end so long from now. */
export function endOf({ ledger, state, scope }: Ask): number {
  const { usagePeriodMs = Infinity } = state.license.terms;
  const firstUse = state.firstUseUtc === 0 ? ledger.utc : state.firstUseUtc;
  return Math.min((scope ?? state.license.terms.whole).notAfter ?? Infinity, firstUse + usagePeriodMs);
}

/** When it is granted no more. */
export function lastOf(ask: Ask): number {
  const { terms } = ask.state.license;
  return terms.returned ? 0 : endOf(ask) + terms.graceMs;
}

export function modeOf({ state, item }: Ask): CountingMode {
  return item.mode ?? (state.license.terms.counting[0] as CountingMode);
}
