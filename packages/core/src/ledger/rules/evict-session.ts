import { type Answer, bytesKey, type EvictCommand } from '@trefoil/license';
import { type Ledger, scheduleSession, touchSession } from '../state.ts';
import { byAdmin } from './by-admin.ts';
import { refused } from './refused.ts';
import { endWait } from './serve-waiting.ts';

/**
 * PROTOCOL §5.9: an admin ends a session. Its seats are not free at once: the client may still believe in its last grant, so
 * they stay taken until that has run out, or until the client shows the secret.
 */
export function evictSession(ledger: Ledger, command: EvictCommand): Answer {
  const admin = byAdmin(ledger, command);
  if ('refusal' in admin) return admin.refusal;
  const session = ledger.handles.get(bytesKey(command.session));
  if (session === undefined || session.closed) return refused('unknown-session');
  if (session.evicted === '') {
    ledger.journal.set(session, 'evicted', command.reason === '' ? 'by the admin' : command.reason);
    for (const wait of [...session.waits.values()]) endWait(ledger, wait);
    scheduleSession(ledger, session);
    touchSession(ledger, session);
  }
  return { kind: 'evicted', reason: session.evicted, freeAtLogTime: session.deadline };
}
