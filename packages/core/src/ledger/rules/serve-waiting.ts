import type { Answer } from '@trefoil/license';
import { LIMITS } from '../../limits.ts';
import { grantsOf } from '../grants.ts';
import { dequeue, nextServed } from '../queue.ts';
import { removeWait } from '../size.ts';
import { keepWith, type Ledger, type Session, touchSession, type Wait } from '../state.ts';
import { newHold, takeSeats } from './grant-seats.ts';

/** What became of a wait, by the log alone. */
export interface Served {
  readonly session: Session;
  readonly wait: Wait;
  readonly answer: Answer;
}

/** PROTOCOL §5.15: at the end of each entry, who waits gets what has become free, in order. */
export function serveWaiting(ledger: Ledger): Served[] {
  if (ledger.stirred.size === 0) return [];
  const turns = nextServed(ledger, { waits: LIMITS.servedPerEntry, parts: LIMITS.partsServedPerEntry });
  const served = turns.served.map(({ wait, parts }): Served => {
    const { session } = wait;
    endWait(ledger, wait);
    const hold = newHold(ledger, wait.id, wait.releaseHash, parts, true);
    takeSeats(ledger, session, hold, parts);
    keepWith(ledger, session, hold);
    touchSession(ledger, session);
    return { session, wait, answer: { kind: 'granted', grants: grantsOf(ledger, session, hold) } };
  });
  // When more could be served than fits one entry, the next one goes on.
  if (turns.isAll) for (const product of [...ledger.stirred]) ledger.journal.delete(ledger.stirred, product);
  return served;
}

/** It is served, given up, or over. */
export function endWait(ledger: Ledger, wait: Wait): void {
  dequeue(ledger, wait);
  removeWait(ledger, wait.session, wait);
}
