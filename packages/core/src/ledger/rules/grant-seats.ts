import type { AcquireCommand, Answer } from '@trefoil/license';
import { freeAt, LIMITS } from '../../limits.ts';
import type { NotAllocated, Part } from '../allocate.ts';
import { nameOf } from '../checks/names.ts';
import { seatTimeUnits } from '../checks/units.ts';
import { askOf } from '../checks/ask.ts';
import { denied } from '../denied.ts';
import { grantsOf } from '../grants.ts';
import { allocateBehind, enqueue, placeOf } from '../queue.ts';
import { itemsHeld } from '../state.ts';
import { countHold } from '../seats.ts';
import { addHold, addName, addWait } from '../size.ts';
import { type Hold, type Ledger, licensesOf, recordName, scheduleSession, type Session, type Wait } from '../state.ts';
import { consume } from './consume-units.ts';
import { refused } from './refused.ts';

const TOO_MANY = refused('too-many', `more than ${LIMITS.itemsPerSession} licenses held in one session`);

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
  const hold = newHold(ledger, command.requestId, command.releaseHash, parts, false);
  takeSeats(ledger, session, hold, parts);
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
  if (command.items.some((item) => item.seats > most(ledger, item.product))) return undefined;
  const timeoutsMs = licenses.map(({ license }) => license.terms.sessionTimeoutMs);
  const timeoutMs = Math.max(...timeoutsMs);
  const wait: Wait = {
    ...{ id: command.requestId, session, seq, commandHash, items: command.items },
    releaseHash: new Uint8Array(command.releaseHash),
    untilLogTime: ledger.logTime + command.waitMs,
    timeoutMs,
    keptUntil: freeAt(ledger.logTime, timeoutMs),
  };
  addWait(ledger, session, wait);
  enqueue(ledger, wait);
  scheduleSession(ledger, session);
  return {
    kind: 'queued',
    place: placeOf(ledger, wait),
    untilLogTime: wait.untilLogTime,
    renewWithinMs: Math.min(LIMITS.sessionTimeoutMs, ...timeoutsMs),
  };
}

/** More than all of them together nobody will ever have. */
function most(ledger: Ledger, product: string): number {
  let seats = 0;
  for (const { license } of licensesOf(ledger, product))
    seats += license.terms.quantity === 0 ? Infinity : license.terms.quantity + license.terms.overdraft;
  return seats;
}

/** The seats change hands here, whether at once or after a wait. */
export function takeSeats(ledger: Ledger, session: Session, hold: Hold, parts: readonly Part[]): void {
  const { journal } = ledger;
  addHold(ledger, session, hold);
  countHold(ledger, session, hold, 'take');
  for (const { state, item } of parts) {
    const { named, seatTime, usagePeriodMs } = state.license.terms;
    if (state.firstUseUtc === 0 && usagePeriodMs !== undefined) {
      journal.set(state, 'firstUseUtc', ledger.utc);
      ledger.dirty.add(recordName.counters(state.license.id));
    }
    if (named !== undefined) addName(ledger, state, nameOf(named, session));
    if (seatTime !== undefined)
      consume(
        ledger,
        state,
        seatTimeUnits({ ...askOf(ledger, state, session, { product: '', ...item }), seats: item.seats }, 1),
      );
  }
}

export function newHold(
  ledger: Ledger,
  id: number,
  releaseHash: Uint8Array,
  parts: readonly Part[],
  waited: boolean,
): Hold {
  const terms = parts.map(({ state }) => state.license.terms);
  const timeoutMs = Math.max(...terms.map((one) => one.sessionTimeoutMs));
  return {
    id,
    releaseHash: new Uint8Array(releaseHash),
    sinceLogTime: ledger.logTime,
    sinceUtc: ledger.utc,
    items: parts.map(({ item }) => item),
    lifeMs: Math.min(...terms.map((one) => one.offlineGraceMs)),
    timeoutMs,
    issuedLogTime: ledger.logTime,
    freeAt: freeAt(ledger.logTime, timeoutMs),
    lingering: false,
    waited,
  };
}
