import {
  type AcquireCommand,
  type AcquireItem,
  type Answer,
  DENIAL_CODES,
  type DenialCode,
  type Grant,
} from '@trefoil/license';
import { freeAt, LIMITS } from '../../limits.ts';
import { countHold, countItem, denialOf, endOf, modeOf } from '../seats.ts';
import { addHold } from '../size.ts';
import {
  type HeldItem,
  type Hold,
  type Ledger,
  type LicenseState,
  licensesOf,
  scheduleSession,
  type Session,
} from '../state.ts';
import { refused } from './refused.ts';

/** PROTOCOL §5.8: all items or none. Items are tried in order, each against what the earlier ones left. */
export function grantSeats(ledger: Ledger, session: Session, command: AcquireCommand): Answer {
  if (session.evicted !== '') return refused('evicted', session.evicted);
  if (itemsHeld(session) + command.items.length > LIMITS.itemsPerSession)
    return refused('too-many', `more than ${LIMITS.itemsPerSession} licenses held in one session`);
  const { journal } = ledger;
  const start = journal.mark();
  const chosen: { state: LicenseState; item: HeldItem }[] = [];
  for (const item of command.items) {
    const found = chooseLicense(ledger, session, item);
    if ('code' in found) {
      journal.undoTo(start);
      return denied(found.code, item, found.state);
    }
    const held = {
      license: found.state.license.id,
      feature: item.feature,
      seats: item.seats,
      mode: modeOf(found.state, item),
    };
    chosen.push({ state: found.state, item: held });
    // Taken at once, so that the next item sees it; taken back if a later one fails.
    countItem(
      ledger,
      { session, hold: newHold(ledger, command, chosen), item: held, position: chosen.length - 1 },
      'take',
    );
  }
  journal.undoTo(start);
  const hold = newHold(ledger, command, chosen);
  addHold(ledger, session, hold);
  countHold(ledger, session, hold, 'take');
  scheduleSession(ledger, session);
  return { kind: 'granted', grants: grantsOf(ledger, session, hold) };
}

function itemsHeld(session: Session): number {
  let items = 0;
  for (const hold of session.holds.values()) items += hold.items.length;
  return items;
}

/** Licenses of one product add up. Taken is the entry that leaves the customer most: the one that ends soonest. */
function chooseLicense(
  ledger: Ledger,
  session: Session,
  item: AcquireItem,
): { state: LicenseState } | { code: DenialCode; state?: LicenseState } {
  let best: LicenseState | undefined;
  let worst: { code: DenialCode; state: LicenseState } | undefined;
  for (const state of licensesOf(ledger, item.product)) {
    const code = denialOf(ledger, state, session, item);
    if (code === undefined) {
      if (best === undefined || endsBefore(state, best)) best = state;
    } else if (worst === undefined || nearer(code, state, worst)) worst = { code, state };
  }
  if (best !== undefined) return { state: best };
  return worst ?? { code: 'unknown-product' };
}

export function endsBefore(a: LicenseState, b: LicenseState): boolean {
  const endA = endOf(a, undefined);
  const endB = endOf(b, undefined);
  return endA === endB ? a.license.id < b.license.id : endA < endB;
}

/** The client is told of the license that came nearest to granting: the one that failed the latest check (PROTOCOL §5.8). */
export function nearer(
  code: DenialCode,
  state: LicenseState,
  than: { code: DenialCode; state: LicenseState },
): boolean {
  const order = DENIAL_CODES.indexOf(code) - DENIAL_CODES.indexOf(than.code);
  return order === 0 ? state.license.id < than.state.license.id : order > 0;
}

function newHold(
  ledger: Ledger,
  command: AcquireCommand,
  chosen: readonly { state: LicenseState; item: HeldItem }[],
): Hold {
  const timeoutMs = Math.max(...chosen.map((one) => one.state.license.terms.sessionTimeoutMs));
  return {
    id: command.requestId,
    releaseHash: new Uint8Array(command.releaseHash),
    sinceLogTime: ledger.logTime,
    sinceUtc: ledger.utc,
    items: chosen.map((one) => one.item),
    lifeMs: Math.min(...chosen.map((one) => one.state.license.terms.offlineGraceMs)),
    timeoutMs,
    issuedLogTime: ledger.logTime,
    freeAt: freeAt(ledger.logTime, timeoutMs),
    lingering: false,
  };
}

/** What the holder can show for each license of a hold, as of its last issue. */
export function grantsOf(ledger: Ledger, session: Session, hold: Hold): Grant[] {
  return hold.items.map((item) => {
    const state = ledger.licenses.get(item.license) as LicenseState;
    const end = endOf(
      state,
      state.license.terms.features.find((one) => one.name === item.feature),
    );
    return {
      license: item.license,
      version: state.license.version,
      licenseDigest: state.licenseDigest,
      tmrId: state.license.tmrId,
      product: state.license.product,
      feature: item.feature,
      seats: item.seats,
      mode: item.mode,
      user: session.user,
      host: session.host,
      sessionKey: session.key,
      hold: hold.id,
      releaseHash: hold.releaseHash,
      issuedLogTime: hold.issuedLogTime,
      issuedUtc: ledger.utc,
      lifeMs: hold.lifeMs,
      notAfter: end === Infinity ? 0 : end,
    };
  });
}

/** Who has the seats and since when, so that the one who waits knows whom to ask. */
export function denied(
  code: DenialCode,
  item: { product: string; feature: string },
  state?: LicenseState,
  holders = 10,
): Answer {
  const quantity = state?.license.terms.quantity ?? 0;
  return {
    kind: 'denied',
    code,
    product: item.product,
    feature: item.feature,
    quantity,
    free: Math.max(0, quantity - (state?.used ?? 0)),
    holders:
      code !== 'seats' || state === undefined
        ? []
        : state.holders.slice(0, holders).map((ref) => ({
            user: ref.session.user,
            host: ref.session.host,
            sinceUtc: ref.hold.sinceUtc,
            seats: ref.item.seats,
          })),
  };
}
