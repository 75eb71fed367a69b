import { LIMITS } from '@trefoil/license';
import type { LicenseState } from '../state.ts';
import type { Ask, Denial } from './ask.ts';

/** What a seat takes at once where the time of its use is paid for in units. */
export function checkSeatTime(ask: Ask & { readonly seats: number }): Denial | undefined {
  const { seatTime } = ask.state.license.terms;
  const needed = seatTime === undefined ? 0 : seatTimeUnits(ask, 1);
  return needed > unitsLeft(ask.state) ? { code: 'units' } : undefined;
}

/** Of so many times of the seat's use. */
export function seatTimeUnits({ state, scope, seats }: Ask & { readonly seats: number }, times: number): number {
  const { seatTime } = state.license.terms;
  return times * seats * (scope?.weight ?? 1) * (seatTime?.units ?? 0);
}

/** An update may bring fewer units than were used: then none are left, and none are owed. LIMITS.units = as many as you like. */
export function unitsLeft(state: LicenseState): number {
  const { units, metering } = state.license.terms;
  if (metering === undefined) return 0;
  return units === undefined ? LIMITS.units - state.consumed : Math.max(0, units - state.consumed);
}
