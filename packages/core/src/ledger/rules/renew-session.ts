import type { Answer, Grant, RenewCommand } from '@trefoil/license';
import { freeAt } from '../../limits.ts';
import { askOf, lastOf } from '../checks/ask.ts';
import { grantsOf } from '../grants.ts';
import { placeOf } from '../queue.ts';
import { type Hold, type Ledger, type LicenseState, scheduleSession, type Session, type Wait } from '../state.ts';
import { chargeSeatTime, seatTimeIsPaid } from './charge-seat-time.ts';
import { refused } from './refused.ts';

/** PROTOCOL §5.4: every hold of the session gets a new life, unless it was borrowed, its license has ended or its units are used up. */
export function renewSession(ledger: Ledger, session: Session, command: RenewCommand): Answer {
  if (session.evicted !== '') return refused('evicted', session.evicted);
  const { journal } = ledger;
  const grants: Grant[] = [];
  for (const id of ascending(session.holds)) {
    const hold = session.holds.get(id) as Hold;
    if (hold.lingering || hold.borrowed || ended(ledger, session, hold) || !seatTimeIsPaid(ledger, session, hold))
      continue;
    chargeSeatTime(ledger, session, hold);
    journal.set(hold, 'issuedLogTime', ledger.logTime);
    journal.set(hold, 'freeAt', freeAt(ledger.logTime, hold.timeoutMs));
    grants.push(...grantsOf(ledger, session, hold));
  }
  journal.set(session, 'idleSince', command.idleMs === 0 ? 0 : Math.max(1, ledger.logTime - command.idleMs));
  const waiting = ascending(session.waits).map((id) => {
    const wait = session.waits.get(id) as Wait;
    journal.set(wait, 'keptUntil', freeAt(ledger.logTime, wait.timeoutMs));
    return { hold: id, place: placeOf(ledger, wait) };
  });
  scheduleSession(ledger, session);
  return { kind: 'renewed', logTime: ledger.logTime, grants, waiting };
}

function ascending(map: ReadonlyMap<number, unknown>): number[] {
  return [...map.keys()].sort((a, b) => a - b);
}

function ended(ledger: Ledger, session: Session, hold: Hold): boolean {
  return hold.items.some((item) => {
    const state = ledger.licenses.get(item.license) as LicenseState;
    return ledger.utc >= lastOf(askOf(ledger, state, session, { product: state.license.product, ...item }));
  });
}
