import { LIMITS } from '@trefoil/license';
import type { LicenseState } from '../state.ts';
import type { Ask, Denial } from './ask.ts';

/** What a seat takes at once where the time of its use is paid for in units. */
export function checkSeatTime(ask: Ask): Denial | undefined {
  return paidSeats(ask) < 1 ? { code: 'units', detail: String(unitsLeft(ask.state)) } : undefined;
}

/** What leaves the group is paid for as long as it may be used: nobody sees it any more. */
export function timesAtOnce({ state, borrowing }: Ask): number {
  const { seatTime } = state.license.terms;
  return borrowing === undefined || seatTime === undefined ? 1 : Math.ceil(borrowing.forMs / seatTime.everyMs);
}

/** For so many seats there are units for the first time. */
export function paidSeats(ask: Ask): number {
  const each = seatTimeUnits({ ...ask, seats: 1 }, timesAtOnce(ask));
  return each === 0 ? Infinity : Math.floor(unitsLeft(ask.state) / each);
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
