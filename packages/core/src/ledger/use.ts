import { askOf } from './checks/ask.ts';
import { nameOf } from './checks/names.ts';
import { seatTimeUnits } from './checks/units.ts';
import { addName } from './size.ts';
import { countUnits } from './usage.ts';
import { type HeldItem, type Ledger, type LicenseState, recordName, type Session } from './state.ts';

/** What else is taken with a seat: the first use begins, a name is given away, the first of its time is paid for. */
export function useLicense(ledger: Ledger, session: Session, item: HeldItem): void {
  const state = ledger.licenses.get(item.license);
  if (state === undefined) return;
  beginUse(ledger, state, session);
  if (state.license.terms.seatTime === undefined) return;
  const ask = askOf(ledger, state, session, { product: state.license.product, feature: item.feature });
  consume(ledger, state, seatTimeUnits({ ...ask, seats: item.seats }, item.times));
}

/** With the first seat or unit. */
export function beginUse(ledger: Ledger, state: LicenseState, session: Session): void {
  const { named, usagePeriodMs } = state.license.terms;
  if (state.firstUseUtc === 0 && usagePeriodMs !== undefined) {
    ledger.journal.set(state, 'firstUseUtc', ledger.utc);
    ledger.dirty.add(recordName.counters(state.license.id));
  }
  if (named !== undefined) addName(ledger, state, nameOf(named, session));
}

/** The counter itself. */
export function consume(ledger: Ledger, state: LicenseState, units: number): void {
  ledger.journal.set(state, 'consumed', state.consumed + units);
  countUnits(ledger, state, units);
  ledger.dirty.add(recordName.counters(state.license.id));
}
