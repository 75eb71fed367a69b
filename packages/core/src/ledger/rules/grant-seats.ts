import type { AcquireCommand, Answer } from '@trefoil/license';
import { freeAt, LIMITS } from '../../limits.ts';
import type { NotAllocated, Part } from '../allocate.ts';
import { denied } from '../denied.ts';
import { grantsOf } from '../grants.ts';
import { couldBeServed } from '../hopeless.ts';
import { allocateBehind, enqueue, placeOf, shapeOf } from '../queue.ts';
import { itemsHeld } from '../state.ts';
import { countHold } from '../seats.ts';
import { addHold, addWait } from '../size.ts';
import { type Hold, type Ledger, licensesOf, scheduleSession, type Session, type Wait } from '../state.ts';
import { countGrants, countWait } from '../usage.ts';
import { useLicense } from '../use.ts';
import { refused } from './refused.ts';

export const TOO_MANY = refused('too-many', `more than ${LIMITS.itemsPerSession} licenses held in one session`);

/** PROTOCOL §5.8: all items or none; and who may wait, waits (§5.15). */
export function grantSeats(
  ledger: Ledger,
  session: Session,
  command: AcquireCommand,
  asked: { commandHash: Uint8Array; seq: number },
): Answer {
  if (session.evicted !== '') return refused('evicted', session.evicted);
  if (itemsHeld(session) + command.items.length > LIMITS.itemsPerSession) return TOO_MANY;
  const parts = allocateBehind(ledger, session, command.items);
  if (!('code' in parts) && itemsHeld(session) + parts.length > LIMITS.itemsPerSession) return TOO_MANY;
  if ('code' in parts) return waits(ledger, session, command, asked, parts) ?? denied(ledger, parts);
  const hold = newHold(ledger, command.requestId, command.releaseHash, parts);
  takeSeats(ledger, session, hold);
  scheduleSession(ledger, session);
  return { kind: 'granted', grants: grantsOf(ledger, session, hold) };
}

/** undefined = it is not seats that are missing, or nobody may wait for them, or it would wait for ever. */
function waits(
  ledger: Ledger,
  session: Session,
  command: AcquireCommand,
  { commandHash, seq }: { commandHash: Uint8Array; seq: number },
  { code }: NotAllocated,
): Answer | undefined {
  if (command.waitMs === 0 || code !== 'seats') return undefined;
  const licenses = command.items.flatMap((item) => [...licensesOf(ledger, item.product)]);
  if (licenses.some(({ license }) => !license.terms.queue)) return undefined;
  if (!couldBeServed(ledger, session, command.items)) return undefined;
  const timeoutsMs = licenses.map(({ license }) => license.terms.sessionTimeoutMs);
  const timeoutMs = timeoutsMs.reduce((most, one) => Math.max(most, one), 0);
  const wait: Wait = {
    ...{ id: command.requestId, session, seq, commandHash, items: command.items },
    releaseHash: new Uint8Array(command.releaseHash),
    untilLogTime: ledger.logTime + command.waitMs,
    timeoutMs,
    keptUntil: freeAt(ledger.logTime, timeoutMs),
    shape: shapeOf(command.items),
  };
  addWait(ledger, session, wait);
  enqueue(ledger, wait);
  countWait(ledger, wait, 'queued');
  scheduleSession(ledger, session);
  return {
    kind: 'queued',
    place: placeOf(ledger, wait),
    untilLogTime: wait.untilLogTime,
    renewWithinMs: timeoutsMs.reduce((least, one) => Math.min(least, one), LIMITS.sessionTimeoutMs),
  };
}

/** The seats change hands here, whether at once or after a wait. */
export function takeSeats(ledger: Ledger, session: Session, hold: Hold): void {
  addHold(ledger, session, hold);
  countHold(ledger, session, hold, 'take');
  for (const item of hold.items) useLicense(ledger, session, item);
  countGrants(ledger, hold);
}

export function newHold(
  ledger: Ledger,
  id: number,
  releaseHash: Uint8Array,
  parts: readonly Part[],
  { waited = false, borrowedMs }: { waited?: boolean; borrowedMs?: number } = {},
): Hold {
  const terms = parts.map(({ state }) => state.license.terms);
  const timeoutMs = borrowedMs ?? Math.max(...terms.map((one) => one.sessionTimeoutMs));
  return {
    id,
    releaseHash: new Uint8Array(releaseHash),
    sinceLogTime: ledger.logTime,
    sinceUtc: ledger.utc,
    items: parts.map(({ item }) => item),
    lifeMs: borrowedMs ?? Math.min(...terms.map((one) => one.offlineGraceMs)),
    timeoutMs,
    issuedLogTime: ledger.logTime,
    freeAt: freeAt(ledger.logTime, timeoutMs),
    lingering: false,
    waited,
    borrowed: borrowedMs !== undefined,
    extended: 0,
  };
}
