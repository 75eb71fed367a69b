import type { Answer, Grant, RenewCommand } from '@trefoil/license';
import { freeAt } from '../../limits.ts';
import { type Ledger, type LicenseState, scheduleSession, type Session } from '../state.ts';
import { endOf } from '../seats.ts';
import { grantsOf } from './grant-seats.ts';
import { refused } from './refused.ts';

/** PROTOCOL §5.4: every hold of the session gets a new life, unless its license has ended. */
export function renewSession(ledger: Ledger, session: Session, _command: RenewCommand): Answer {
  if (session.evicted !== '') return refused('evicted', session.evicted);
  const grants: Grant[] = [];
  for (const id of [...session.holds.keys()].sort((a, b) => a - b)) {
    const hold = session.holds.get(id);
    if (hold === undefined || hold.lingering || ended(ledger, hold.items)) continue;
    ledger.journal.set(hold, 'issuedLogTime', ledger.logTime);
    ledger.journal.set(hold, 'freeAt', freeAt(ledger.logTime, hold.timeoutMs));
    grants.push(...grantsOf(ledger, session, hold));
  }
  scheduleSession(ledger, session);
  return { kind: 'renewed', logTime: ledger.logTime, grants };
}

function ended(ledger: Ledger, items: readonly { license: string; feature: string }[]): boolean {
  return items.some((item) => {
    const state = ledger.licenses.get(item.license) as LicenseState;
    return (
      ledger.utc >=
      endOf(
        state,
        state.license.terms.features.find((one) => one.name === item.feature),
      )
    );
  });
}
