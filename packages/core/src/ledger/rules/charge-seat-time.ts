import { askOf } from '../checks/ask.ts';
import { seatTimeUnits, unitsLeft } from '../checks/units.ts';
import type { HeldItem, Hold, Ledger, LicenseState, Session } from '../state.ts';
import { consume } from '../use.ts';

/** PROTOCOL §5.7: each time of a seat's use that has begun by now is paid for; at the end of its units it is all that is left. */
export function chargeSeatTime(ledger: Ledger, session: Session, hold: Hold): void {
  for (const item of hold.items) {
    const state = ledger.licenses.get(item.license) as LicenseState;
    const units = owed(ledger, state, session, { hold, item });
    if (units === 0) continue;
    consume(ledger, state, Math.min(units, unitsLeft(state)));
    ledger.journal.set(item, 'times', timesBegun(ledger, state, hold, item));
  }
}

/** There are units for what has begun: else the seat is kept no longer. */
export function seatTimeIsPaid(ledger: Ledger, session: Session, hold: Hold): boolean {
  const all = new Map<LicenseState, number>();
  for (const item of hold.items) {
    const state = ledger.licenses.get(item.license) as LicenseState;
    all.set(state, (all.get(state) ?? 0) + owed(ledger, state, session, { hold, item }));
  }
  return [...all].every(([state, units]) => units <= unitsLeft(state));
}

function owed(
  ledger: Ledger,
  state: LicenseState,
  session: Session,
  { hold, item }: { hold: Hold; item: HeldItem },
): number {
  const begun = timesBegun(ledger, state, hold, item) - item.times;
  if (begun <= 0) return 0;
  const ask = askOf(ledger, state, session, { product: state.license.product, feature: item.feature });
  return seatTimeUnits({ ...ask, seats: item.seats }, begun);
}

/** An update that changes how long a time is takes nothing back. What leaves was paid for as long as it was asked for (PROTOCOL §5.18). */
function timesBegun(ledger: Ledger, state: LicenseState, hold: Hold, item: HeldItem): number {
  const { seatTime } = state.license.terms;
  if (item.times === 0 || hold.borrowed || seatTime === undefined) return item.times;
  return Math.max(item.times, 1 + Math.floor((ledger.logTime - hold.sinceLogTime) / seatTime.everyMs));
}
