import { type Answer, type CloseCommand, equalBytes, type ReleaseCommand } from '@trefoil/license';
import { countHold } from '../seats.ts';
import { removeHold } from '../size.ts';
import { chargeSeatTime } from './charge-seat-time.ts';
import { endWait } from './serve-waiting.ts';
import { type Hold, type Ledger, scheduleSession, type Session } from '../state.ts';
import { countFreed } from '../usage.ts';
import { refused } from './refused.ts';

/** PROTOCOL §5.5: whoever shows the secret gives the seat back; a lying TMR server doesn't have it. */
export function releaseSeats(ledger: Ledger, session: Session, command: ReleaseCommand): Answer {
  const wait = session.waits.get(command.hold);
  if (wait !== undefined) {
    if (!equalBytes(ledger.context.crypto.sha256(command.secret), wait.releaseHash)) return refused('wrong-secret');
    endWait(ledger, wait);
    return { kind: 'released', hold: wait.id };
  }
  const hold = session.holds.get(command.hold);
  if (hold === undefined || hold.lingering) return refused('unknown-hold');
  if (!equalBytes(ledger.context.crypto.sha256(command.secret), hold.releaseHash)) return refused('wrong-secret');
  giveBack(ledger, session, hold);
  scheduleSession(ledger, session);
  return { kind: 'released', hold: hold.id };
}

/** PROTOCOL §5.6: the session's own secret gives back all of it. */
export function closeSession(ledger: Ledger, session: Session, command: CloseCommand): Answer {
  if (!equalBytes(ledger.context.crypto.sha256(command.secret), session.closeHash)) return refused('wrong-secret');
  for (const id of [...session.holds.keys()].sort((a, b) => a - b)) {
    const hold = session.holds.get(id);
    if (hold !== undefined && !hold.lingering) giveBack(ledger, session, hold);
  }
  for (const wait of [...session.waits.values()]) endWait(ledger, wait);
  ledger.journal.set(session, 'closed', true);
  scheduleSession(ledger, session);
  return { kind: 'closed' };
}

function giveBack(ledger: Ledger, session: Session, hold: Hold): void {
  const lingerMs = Math.max(
    ...hold.items.map((item) => ledger.licenses.get(item.license)?.license.terms.lingerMs ?? 0),
  );
  if (lingerMs === 0) {
    freeHold(ledger, session, hold);
    return;
  }
  ledger.journal.set(hold, 'lingering', true);
  ledger.journal.set(hold, 'freeAt', ledger.logTime + lingerMs);
}

export function freeHold(ledger: Ledger, session: Session, hold: Hold): void {
  chargeSeatTime(ledger, session, hold);
  countHold(ledger, session, hold, 'free');
  countFreed(ledger, hold);
  removeHold(ledger, session, hold);
}
