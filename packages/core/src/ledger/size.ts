import { bytesKey, encodeUtf8 } from '@trefoil/license';
import {
  type Answered,
  type Hold,
  type Ledger,
  type LicenseState,
  recordName,
  type Remembered,
  type RequestWindow,
  type Session,
  type Wait,
} from './state.ts';

/**
 * What comes into the ledger and goes out of it at the wish of clients, and how large the ledger is by that: what anybody may
 * make grow needs a bound, or a snapshot would one day be too large to be read (PROTOCOL §5.14). Sizes are those of the
 * records at their longest, but for outcomes, which are counted as they are; what `forget` walks through every second counts for
 * more. Licenses come from the vendor; they are not counted.
 */
const BYTES = {
  ...{ session: 850, hold: 101, item: 45, wait: 132, waitItem: 190 },
  ...{ answered: 50, remembered: 200, ended: 200, name: 40 },
} as const;

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

/** It stands in the queues of its products by queue.ts. */
export function addWait(ledger: Ledger, session: Session, wait: Wait): void {
  ledger.journal.put(session.waits, wait.id, wait);
  grow(ledger, sizeOfWait(wait));
}

export function removeWait(ledger: Ledger, session: Session, wait: Wait): void {
  ledger.journal.remove(session.waits, wait.id);
  grow(ledger, -sizeOfWait(wait));
}

/** Whose a seat is from now on. */
export function addName(ledger: Ledger, state: LicenseState, name: string): void {
  if (state.names.has(name)) return;
  ledger.journal.put(state.names, name, ledger.utc);
  ledger.dirty.add(recordName.names(state.license.id));
  grow(ledger, sizeOfName(name));
}

export function dropName(ledger: Ledger, state: LicenseState, name: string): void {
  ledger.journal.remove(state.names, name);
  grow(ledger, -sizeOfName(name));
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
    for (const wait of session.waits.values()) bytes += sizeOfWait(wait);
  }
  for (const one of ledger.remembered.values()) bytes += sizeOfRemembered(one);
  for (const { names } of ledger.licenses.values()) for (const name of names.keys()) bytes += sizeOfName(name);
  return bytes;
}

function sizeOfSession({ proven, free }: Session): number {
  let bytes: number = BYTES.session;
  for (const { answered } of [proven, free]) for (const one of answered.values()) bytes += sizeOfAnswered(one);
  return bytes;
}

function sizeOfHold({ items }: Hold): number {
  let bytes: number = BYTES.hold;
  for (const { license, feature, chain } of items) {
    bytes += BYTES.item + license.length + feature.length; // codes: ASCII
    for (const name of chain) bytes += 2 + name.length;
  }
  return bytes;
}

function sizeOfWait({ items }: Wait): number {
  return BYTES.wait + BYTES.waitItem * items.length;
}

function sizeOfName(name: string): number {
  return BYTES.name + encodeUtf8(name).length;
}

function sizeOfAnswered({ outcome }: Answered): number {
  return BYTES.answered + outcome.length;
}

function sizeOfRemembered({ outcome }: Remembered): number {
  return BYTES.remembered + outcome.length;
}
