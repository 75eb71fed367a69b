import { type Answer, bytesKey, equalBytes, type EvictCommand, keyIdBytes, signedCommandBytes } from '@trefoil/license';
import { LIMITS } from '../../limits.ts';
import { type Ledger, scheduleSession, touchSession } from '../state.ts';
import { refused } from './refused.ts';

/**
 * PROTOCOL §5.9: an admin ends a session. Its seats are not free at once: the client may still believe in its last grant, so
 * they stay taken until that has run out, or until the client shows the secret.
 */
export function evictSession(ledger: Ledger, command: EvictCommand): Answer {
  const { crypto, configuration, group } = ledger.context;
  const admin = group.admins.find((one) => equalBytes(keyIdBytes(crypto, one.key), command.admin));
  if (admin === undefined) return refused('unknown-admin');
  if (!crypto.verify(admin.key, signedCommandBytes(configuration.set, command), command.signature))
    return refused('bad-signature');
  if (command.atLogTime > ledger.logTime || command.atLogTime + LIMITS.openWindowMs < ledger.logTime)
    return refused('stale');
  const session = ledger.handles.get(bytesKey(command.session));
  if (session === undefined || session.closed) return refused('unknown-session');
  if (session.evicted === '') {
    ledger.journal.set(session, 'evicted', command.reason === '' ? 'by the admin' : command.reason);
    scheduleSession(ledger, session);
    touchSession(ledger, session);
  }
  return { kind: 'evicted', reason: session.evicted, freeAtLogTime: session.deadline };
}
