import {
  type Answer,
  type BorrowCommand,
  excess,
  type ExtendCommand,
  GRANT_FLAGS,
  type SessionSigned,
  signedCommandBytes,
} from '@trefoil/license';
import { freeAt } from '../../limits.ts';
import { isNearer, type NotAllocated } from '../allocate.ts';
import { type Ask, askOf, type Denial } from '../checks/ask.ts';
import { extensionDenial } from '../checks/order.ts';
import { seatTimeUnits, timesAtOnce, unitsLeft } from '../checks/units.ts';
import { denied } from '../denied.ts';
import { grantsOf } from '../grants.ts';
import { allocateBehind } from '../queue.ts';
import {
  type HeldItem,
  type Hold,
  itemsHeld,
  type Ledger,
  type LicenseState,
  scheduleSession,
  type Session,
} from '../state.ts';
import { LIMITS } from '../../limits.ts';
import { consume } from '../use.ts';
import { newHold, takeSeats, TOO_MANY } from './grant-seats.ts';
import { refused } from './refused.ts';

/**
 * PROTOCOL §5.18: seats that nobody renews. Signed by the session key, or a TMR server could send them away for weeks. The session
 * lives as long as they do, and gives them back like any other.
 */
export function borrowSeats(ledger: Ledger, session: Session, command: BorrowCommand): Answer {
  if (!isSigned(ledger, session, command)) return refused('bad-signature');
  if (session.evicted !== '') return refused('evicted', session.evicted);
  const parts = allocateBehind(ledger, session, command.items, { borrowing: { forMs: command.forMs } });
  if ('code' in parts) return denied(ledger, parts);
  if (itemsHeld(session) + parts.length > LIMITS.itemsPerSession) return TOO_MANY;
  const hold = newHold(ledger, command.requestId, command.releaseHash, parts, { borrowedMs: command.forMs });
  takeSeats(ledger, session, hold);
  scheduleSession(ledger, session);
  return { kind: 'granted', grants: grantsOf(ledger, session, hold) };
}

/** For so long from now, or for as long as is left of it: it never ends sooner, for the borrower may believe in that. */
export function extendBorrowed(ledger: Ledger, session: Session, command: ExtendCommand): Answer {
  if (!isSigned(ledger, session, command)) return refused('bad-signature');
  if (session.evicted !== '') return refused('evicted', session.evicted);
  const hold = session.holds.get(command.hold);
  if (hold === undefined || !hold.borrowed || hold.lingering) return refused('unknown-hold');
  const leftMs = hold.issuedLogTime + hold.lifeMs - ledger.logTime;
  const lifeMs = Math.max(command.forMs, leftMs);
  const asks = hold.items.map((item) => extensionOf(ledger, session, { hold, item, forMs: lifeMs }));
  const denial = denialOf(asks) ?? unpaid(asks);
  if (denial !== undefined) return denied(ledger, denial);
  for (const { ask, item, more } of asks) {
    if (more === 0) continue;
    consume(ledger, ask.state, seatTimeUnits({ ...ask, seats: item.seats }, more));
    ledger.journal.set(item, 'times', item.times + more);
  }
  const { journal, logTime } = ledger;
  journal.set(hold, 'extended', hold.extended + 1);
  journal.set(hold, 'lifeMs', lifeMs);
  journal.set(hold, 'timeoutMs', lifeMs);
  journal.set(hold, 'issuedLogTime', logTime);
  journal.set(hold, 'freeAt', Math.max(hold.freeAt, freeAt(logTime, lifeMs)));
  scheduleSession(ledger, session);
  return { kind: 'granted', grants: grantsOf(ledger, session, hold) };
}

function isSigned({ context }: Ledger, session: Session, command: SessionSigned): boolean {
  const { crypto, configuration } = context;
  const key = { alg: 'ed25519', bytes: session.key } as const;
  return crypto.verify(key, signedCommandBytes(configuration.set, command), command.signature);
}

interface Extension {
  readonly item: HeldItem;
  readonly ask: Ask;
  /** Times of its use that are not paid for yet. */
  readonly more: number;
}

function extensionOf(
  ledger: Ledger,
  session: Session,
  { hold, item, forMs }: { hold: Hold; item: HeldItem; forMs: number },
): Extension {
  const state = ledger.licenses.get(item.license) as LicenseState;
  const asked = { product: state.license.product, feature: item.feature };
  const ask = { ...askOf(ledger, state, session, asked), borrowing: { forMs, extended: hold.extended } };
  // From when they were taken to when they are to end.
  const whole = { forMs: ledger.logTime - hold.sinceLogTime + forMs };
  const more = item.times === 0 ? 0 : Math.max(0, timesAtOnce({ ...ask, borrowing: whole }) - item.times);
  return { item, ask, more };
}

/** Its version and release were looked at when it was borrowed; they are not asked again. */
function denialOf(extensions: readonly Extension[]): NotAllocated | undefined {
  let nearest: (Denial & { state: LicenseState; ask: Ask }) | undefined;
  for (const { ask, item } of extensions) {
    const { state } = ask;
    const denial = extensionDenial(ask) ?? excessOf(ask, item);
    if (denial !== undefined && (nearest === undefined || isNearer({ ...denial, state }, nearest)))
      nearest = { ...denial, state, ask };
  }
  return nearest === undefined ? undefined : notExtended(nearest.ask, nearest);
}

/** An update may have taken away what was borrowed: as a new seat it would not be granted, and be believed by nobody. */
function excessOf({ state, ledger, borrowing }: Ask, { feature, mode, seats }: HeldItem): Denial | undefined {
  const { terms } = state.license;
  const asNew = {
    feature,
    mode,
    seats,
    lifeMs: borrowing?.forMs ?? 0,
    flags: GRANT_FLAGS.borrowed,
    issuedUtc: ledger.utc,
  };
  const tooMany = excess(terms, asNew) !== undefined || state.borrowed > (terms.borrowing?.seats ?? 0);
  return tooMany ? { code: 'borrowing', detail: `seats ${terms.borrowing?.seats ?? 0}` } : undefined;
}

function unpaid(extensions: readonly Extension[]): NotAllocated | undefined {
  const owed = new Map<LicenseState, number>();
  for (const { ask, item, more } of extensions) {
    const units = (owed.get(ask.state) ?? 0) + seatTimeUnits({ ...ask, seats: item.seats }, more);
    if (units > unitsLeft(ask.state) && units > 0)
      return notExtended(ask, { code: 'units', detail: String(unitsLeft(ask.state)) });
    owed.set(ask.state, units);
  }
  return undefined;
}

function notExtended({ state, item }: Ask, denial: Denial): NotAllocated {
  return { ...denial, item: { ...item, seats: 1 }, asked: [state] };
}
