import { type Answer, bytesKey } from '@trefoil/license';
import { LIMITS } from '../../limits.ts';
import { type Ledger, recordName, type Session, touchSession } from '../state.ts';
import { freeHold } from './release-seats.ts';

export interface Derived {
  readonly session: Session;
  readonly answer: Answer;
}

/** PROTOCOL §5.3: what the log's clock alone brings about, by (deadline, session id, hold). */
export function expire(ledger: Ledger): Derived[] {
  const derived: Derived[] = [];
  for (const due of ledger.deadlines.takeDue(ledger.journal, ledger.logTime)) {
    const { session, hold } = due;
    if (ledger.sessions.get(bytesKey(session.id)) !== session) continue;
    if (hold !== undefined) {
      if (session.holds.get(hold.id) !== hold) continue;
      freeHold(ledger, session, hold);
      touchSession(ledger, session);
      derived.push({ session, answer: { kind: 'expired', hold: hold.id } });
    } else {
      endSession(ledger, session);
      if (!session.closed)
        derived.push({ session, answer: { kind: 'ended', why: session.evicted === '' ? 'silent' : 'evicted' } });
    }
  }
  return derived;
}

/** The outcomes of its consumes outlive it: the client may come back and ask what became of them. */
function endSession(ledger: Ledger, session: Session): void {
  const { journal } = ledger;
  for (const hold of [...session.holds.values()]) freeHold(ledger, session, hold);
  const key = bytesKey(session.id);
  for (const [requestId, answered] of session.proven.answered) {
    if (!answered.consume) continue;
    const name = rememberedKey(session.id, requestId);
    journal.put(ledger.remembered, name, {
      commandHash: answered.commandHash,
      outcome: answered.outcome,
      forgetAt: ledger.logTime + LIMITS.consumeMemoryMs,
    });
    ledger.dirty.add(recordName.remembered(name));
  }
  journal.remove(ledger.sessions, key);
  ledger.dirty.add(recordName.session(session.id));
  journal.put(ledger.ended, key, ledger.logTime);
  ledger.dirty.add(recordName.ended(key));
}

export function rememberedKey(session: Uint8Array, requestId: number): string {
  return `${bytesKey(session)}${requestId}`;
}

/** Forgets what is older than it has to be known. Once a second of log time is often enough. */
export function forget(ledger: Ledger, previousLogTime: number): void {
  if (Math.floor(previousLogTime / 1_000) === Math.floor(ledger.logTime / 1_000)) return;
  for (const [key, endedAt] of ledger.ended)
    if (endedAt + LIMITS.openWindowMs < ledger.logTime) {
      ledger.journal.remove(ledger.ended, key);
      ledger.dirty.add(recordName.ended(key));
    }
  for (const [key, one] of ledger.remembered)
    if (one.forgetAt < ledger.logTime) {
      ledger.journal.remove(ledger.remembered, key);
      ledger.dirty.add(recordName.remembered(key));
    }
}
