import type { Answer, Command } from '@trefoil/license';
import { LIMITS } from '../../limits.ts';
import { grantsOf } from '../grants.ts';
import { hopelessWaits } from '../hopeless.ts';
import { dependsOnSession, dequeue, nextServed } from '../queue.ts';
import { removeWait } from '../size.ts';
import { keepWith, type Ledger, type Session, touchSession, type Wait } from '../state.ts';
import { countWait } from '../usage.ts';
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
    const hold = newHold(ledger, wait.id, wait.releaseHash, parts, { waited: true });
    takeSeats(ledger, session, hold);
    keepWith(ledger, session, hold);
    touchSession(ledger, session);
    return { session, wait, answer: { kind: 'granted', grants: grantsOf(ledger, session, hold) } };
  });
  // When more could be served than fits one entry, the next one goes on.
  if (turns.isAll) for (const product of [...ledger.stirred]) ledger.journal.delete(ledger.stirred, product);
  return served;
}

/** After an update or other rules: who waits for what there is no more waits no longer, and is told so. */
export function endHopeless(ledger: Ledger, commands: readonly Command[]): { session: Session; answer: Answer }[] {
  if (!commands.some(({ kind }) => kind === 'update' || kind === 'rules') || ledger.queues.size === 0) return [];
  const products = [...ledger.queues.keys()].sort();
  return hopelessWaits(ledger, products, dependsOnSession(ledger, products)).map((wait) => {
    const { session } = wait;
    endWait(ledger, wait);
    countWait(ledger, wait, 'unserved');
    touchSession(ledger, session);
    return { session, answer: { kind: 'unserved', hold: wait.id } };
  });
}

/** It is served, given up, or over. */
export function endWait(ledger: Ledger, wait: Wait): void {
  dequeue(ledger, wait);
  removeWait(ledger, wait.session, wait);
}
