import {
  type Answer,
  bytesKey,
  type OpenCommand,
  sessionHandleOf,
  sessionIdOf,
  signedCommandBytes,
} from '@trefoil/license';
import { LIMITS } from '../../limits.ts';
import { addSession } from '../size.ts';
import { emptyWindow, type Ledger, scheduleSession, type Session } from '../state.ts';
import { FULL, refused } from './refused.ts';

/** PROTOCOL §5.2. The session's id follows from the command, so a repeat finds the same session. */
export function openSession(ledger: Ledger, command: OpenCommand): { answer: Answer; session?: Session } {
  const { crypto, configuration } = ledger.context;
  const id = sessionIdOf(crypto, configuration.set, command);
  const key = bytesKey(id);
  const standing = ledger.sessions.get(key);
  if (standing !== undefined) return { answer: refused('forgotten'), session: standing };
  if (ledger.ended.has(key)) return { answer: refused('unknown-session', 'it has ended') };
  // Names a certified time of the last ten minutes: after that, an ended session's id may be forgotten.
  if (command.atLogTime > ledger.logTime || command.atLogTime + LIMITS.openWindowMs < ledger.logTime)
    return { answer: refused('stale') };
  const signedBy = { alg: 'ed25519', bytes: command.sessionKey } as const;
  if (!crypto.verify(signedBy, signedCommandBytes(configuration.set, command), command.signature))
    return { answer: refused('bad-signature') };
  if (ledger.sessions.size >= LIMITS.sessions) return { answer: refused('too-many', 'sessions') };
  if (ledger.bytes >= LIMITS.ledgerBytes) return { answer: refused('too-many', FULL) };
  const session: Session = {
    id: new Uint8Array(id),
    handle: new Uint8Array(sessionHandleOf(crypto, id)),
    key: new Uint8Array(command.sessionKey),
    closeHash: new Uint8Array(command.closeHash),
    user: command.user,
    host: command.host,
    program: command.program,
    address: command.address,
    client: command.client,
    openedUtc: ledger.utc,
    idleSince: 0,
    deadline: 0,
    evicted: '',
    closed: false,
    holds: new Map(),
    waits: new Map(),
    proven: emptyWindow(),
    free: emptyWindow(),
  };
  addSession(ledger, session);
  scheduleSession(ledger, session);
  const answer = {
    kind: 'opened',
    logTime: ledger.logTime,
    utc: ledger.utc,
    timeoutMs: LIMITS.sessionTimeoutMs,
  } as const;
  return { answer, session };
}
