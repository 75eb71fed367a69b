import { type Answer, bytesKey } from '@trefoil/license';
import { LIMITS } from '../../limits.ts';
import { forgetEnded, forgetRemembered, remember, removeSession } from '../size.ts';
import { type Ledger, type Session, touchSession } from '../state.ts';
import { countWait } from '../usage.ts';
import { freeHold } from './release-seats.ts';
import { endWait } from './serve-waiting.ts';

export interface Derived {
  readonly session: Session;
  readonly answer: Answer;
}

/** PROTOCOL §5.3: what the log's clock alone brings about, by (deadline, session id, hold). */
export function expire(ledger: Ledger): Derived[] {
  const derived: Derived[] = [];
  for (const due of ledger.deadlines.takeDue(ledger.journal, ledger.logTime)) {
    const { session, hold, wait } = due;
    if (ledger.sessions.get(bytesKey(session.id)) !== session) continue;
    if (hold !== undefined) {
      if (session.holds.get(hold.id) !== hold) continue;
      freeHold(ledger, session, hold);
      touchSession(ledger, session);
      derived.push({ session, answer: { kind: 'expired', hold: hold.id } });
    } else if (wait !== undefined) {
      if (session.waits.get(wait.id) !== wait) continue;
      endWait(ledger, wait);
      countWait(ledger, wait, 'unserved');
      touchSession(ledger, session);
      derived.push({ session, answer: { kind: 'unserved', hold: wait.id } });
    } else {
      endSession(ledger, session);
      if (!session.closed)
        derived.push({ session, answer: { kind: 'ended', why: session.evicted === '' ? 'silent' : 'evicted' } });
    }
  }
  return derived;
}

/** The outcomes of its consumes outlive it: the client may come back and ask what became of them. */
export function endSession(ledger: Ledger, session: Session): void {
  for (const hold of [...session.holds.values()]) freeHold(ledger, session, hold);
  for (const wait of [...session.waits.values()]) endWait(ledger, wait);
  for (const [requestId, answered] of session.proven.answered) {
    if (!answered.consume) continue;
    const name = rememberedKey(session.id, requestId);
    remember(ledger, name, {
      commandHash: answered.commandHash,
      outcome: answered.outcome,
      forgetAt: ledger.logTime + LIMITS.consumeMemoryMs,
    });
  }
  removeSession(ledger, session);
}

export function rememberedKey(session: Uint8Array, requestId: number): string {
  return `${bytesKey(session)}${requestId}`;
}

/** Once a second of log time. */
export function isNextSecond(ledger: Ledger, previousLogTime: number): boolean {
  return Math.floor(previousLogTime / 1_000) !== Math.floor(ledger.logTime / 1_000);
}

/** Forgets what is older than it has to be known. */
export function forget(ledger: Ledger): void {
  for (const [key, endedAt] of ledger.ended)
    if (endedAt + LIMITS.openWindowMs < ledger.logTime) forgetEnded(ledger, key);
  for (const [key, one] of ledger.remembered) if (one.forgetAt < ledger.logTime) forgetRemembered(ledger, key);
}
