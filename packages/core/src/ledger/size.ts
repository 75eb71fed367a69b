import { bytesKey } from '@trefoil/license';
import {
  type Answered,
  type Hold,
  type Ledger,
  recordName,
  type Remembered,
  type RequestWindow,
  type Session,
} from './state.ts';

/**
 * What comes into the ledger and goes out of it at the wish of clients, and how large the ledger is by that: what anybody may
 * make grow needs a bound, or a snapshot would one day be too large to be read (PROTOCOL §5.14). Sizes are those of the
 * records at their longest, but for outcomes, which are counted as they are; what `forget` walks through every second counts for
 * more. Licenses come from the vendor; they are not counted.
 */
const BYTES = { session: 800, hold: 90, item: 140, answered: 50, remembered: 200, ended: 200 } as const;

export function addSession(ledger: Ledger, session: Session): void {
  ledger.journal.put(ledger.sessions, bytesKey(session.id), session);
  ledger.journal.put(ledger.handles, bytesKey(session.handle), session);
  ledger.dirty.add(recordName.session(session.id));
  grow(ledger, BYTES.session);
}

/** With what was answered in it; its holds have to be freed before. */
export function removeSession(ledger: Ledger, session: Session): void {
  const key = bytesKey(session.id);
  ledger.journal.remove(ledger.sessions, key);
  ledger.journal.remove(ledger.handles, bytesKey(session.handle));
  ledger.dirty.add(recordName.session(session.id));
  ledger.journal.put(ledger.ended, key, ledger.logTime);
  ledger.dirty.add(recordName.ended(key));
  grow(ledger, BYTES.ended - sizeOfSession(session));
}

export function addHold(ledger: Ledger, session: Session, hold: Hold): void {
  ledger.journal.put(session.holds, hold.id, hold);
  grow(ledger, sizeOfHold(hold));
}

export function removeHold(ledger: Ledger, session: Session, hold: Hold): void {
  ledger.journal.remove(session.holds, hold.id);
  grow(ledger, -sizeOfHold(hold));
}

/** For as long as the client may ask for it again. */
export function rememberAnswer(ledger: Ledger, window: RequestWindow, requestId: number, answered: Answered): void {
  ledger.journal.put(window.answered, requestId, answered);
  grow(ledger, sizeOfAnswered(answered));
}

export function forgetAnswer(ledger: Ledger, window: RequestWindow, requestId: number): void {
  const answered = window.answered.get(requestId) as Answered;
  ledger.journal.remove(window.answered, requestId);
  grow(ledger, -sizeOfAnswered(answered));
}

/** Outside of a living session. */
export function remember(ledger: Ledger, name: string, one: Remembered): void {
  ledger.journal.put(ledger.remembered, name, one);
  ledger.dirty.add(recordName.remembered(name));
  grow(ledger, sizeOfRemembered(one));
}

export function forgetRemembered(ledger: Ledger, name: string): void {
  const one = ledger.remembered.get(name) as Remembered;
  ledger.journal.remove(ledger.remembered, name);
  ledger.dirty.add(recordName.remembered(name));
  grow(ledger, -sizeOfRemembered(one));
}

export function forgetEnded(ledger: Ledger, key: string): void {
  ledger.journal.remove(ledger.ended, key);
  ledger.dirty.add(recordName.ended(key));
  grow(ledger, -BYTES.ended);
}

function grow(ledger: Ledger, bytes: number): void {
  ledger.journal.set(ledger, 'bytes', ledger.bytes + bytes);
}

/** From scratch, for a ledger that was restored. */
export function sizeOf(ledger: Ledger): number {
  let bytes = BYTES.ended * ledger.ended.size;
  for (const session of ledger.sessions.values()) {
    bytes += sizeOfSession(session);
    for (const hold of session.holds.values()) bytes += sizeOfHold(hold);
  }
  for (const one of ledger.remembered.values()) bytes += sizeOfRemembered(one);
  return bytes;
}

function sizeOfSession({ proven, free }: Session): number {
  let bytes: number = BYTES.session;
  for (const { answered } of [proven, free]) for (const one of answered.values()) bytes += sizeOfAnswered(one);
  return bytes;
}

function sizeOfHold({ items }: Hold): number {
  return BYTES.hold + BYTES.item * items.length;
}

function sizeOfAnswered({ outcome }: Answered): number {
  return BYTES.answered + outcome.length;
}

function sizeOfRemembered({ outcome }: Remembered): number {
  return BYTES.remembered + outcome.length;
}
