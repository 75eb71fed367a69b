import {
  type AcquireItem,
  bytesKey,
  compareBytes,
  type CountingMode,
  type DenialCode,
  type FeatureTerms,
} from '@trefoil/license';
import { type HeldItem, type Hold, type HolderRef, type Ledger, type LicenseState, type Session } from './state.ts';

/** Why this license doesn't give the seats, or undefined when it does. The order of the checks is PROTOCOL §5.8. */
export function denialOf(
  ledger: Ledger,
  state: LicenseState,
  session: Session,
  item: AcquireItem,
): DenialCode | undefined {
  const { terms } = state.license;
  const feature = terms.features.find((one) => one.name === item.feature);
  if (item.feature !== '' && feature === undefined) return 'unknown-feature';
  const mode = modeOf(state, item);
  if (!terms.counting.includes(mode)) return 'mode-not-allowed';
  if (terms.notBefore !== undefined && ledger.utc < terms.notBefore) return 'not-yet';
  if (ledger.utc >= endOf(state, feature)) return 'expired';
  if (ledger.utc >= ledger.context.configuration.expires) return 'configuration-expired';
  return seatsFree(state, feature, session, item, mode) ? undefined : 'seats';
}

export function modeOf(state: LicenseState, item: AcquireItem): CountingMode {
  return item.mode ?? (state.license.terms.counting[0] as CountingMode);
}

/** ms since 1970; Infinity = perpetual. */
export function endOf(state: LicenseState, feature: FeatureTerms | undefined): number {
  return Math.min(state.license.terms.notAfter ?? Infinity, feature?.notAfter ?? Infinity);
}

function seatsFree(
  state: LicenseState,
  feature: FeatureTerms | undefined,
  session: Session,
  item: AcquireItem,
  mode: CountingMode,
): boolean {
  const { quantity } = state.license.terms;
  if (mode === 'uncounted') return true;
  const key = shareKey(mode, session, item.feature);
  const sharers = key === undefined ? undefined : state.shares.get(key);
  if (quantity !== 0 && mode === 'exclusive' && sharers !== undefined) return false;
  const extra = Math.max(0, item.seats - largest(sharers));
  if (feature?.quantity !== undefined && (state.usedByFeature.get(item.feature) ?? 0) + extra > feature.quantity)
    return false;
  return quantity === 0 || state.used + extra <= quantity;
}

/** Sessions under one key share one seat. */
function shareKey(mode: CountingMode, session: Session, feature: string): string | undefined {
  switch (mode) {
    case 'station':
      return `station\0${session.host}\0${feature}`;
    case 'exclusive':
      return `exclusive\0${session.host}\0${feature}`;
    case 'user':
      return `user\0${session.user}\0${feature}`;
    case 'session':
    case 'uncounted':
      return undefined;
  }
}

function largest(sharers: ReadonlyMap<string, number> | undefined): number {
  let seats = 0;
  if (sharers !== undefined) for (const held of sharers.values()) seats = Math.max(seats, held);
  return seats;
}

/** Takes or gives back all seats of a hold. Derived state only: the hold itself is the record. */
export function countHold(ledger: Ledger, session: Session, hold: Hold, direction: 'take' | 'free'): void {
  hold.items.forEach((item, position) => countItem(ledger, { session, hold, item, position }, direction));
}

/** One item of a hold, with its place in it: the same product may be asked for twice in one command. */
export interface Held {
  readonly session: Session;
  readonly hold: Hold;
  readonly item: HeldItem;
  readonly position: number;
}

/**
 * Counts by what was granted, never by the terms of today: seats that an update made free of counting are given back as they
 * were taken.
 */
export function countItem(ledger: Ledger, held: Held, direction: 'take' | 'free'): void {
  const { session, hold, item } = held;
  const state = ledger.licenses.get(item.license);
  if (state === undefined) return; // licenses are never removed; an unknown one holds nothing
  const { journal } = ledger;
  const ref: HolderRef = { sinceLogTime: hold.sinceLogTime, session, hold, item };
  if (direction === 'take') insertHolder(ledger, state.holders, ref);
  else removeHolder(ledger, state.holders, ref);
  if (item.mode === 'uncounted') return;
  const change = direction === 'take' ? takeShare(ledger, state, held) : -freeShare(ledger, state, held);
  if (change === 0) return;
  journal.set(state, 'used', state.used + change);
  if (item.feature !== '')
    journal.put(state.usedByFeature, item.feature, (state.usedByFeature.get(item.feature) ?? 0) + change);
}

function takeShare(ledger: Ledger, state: LicenseState, held: Held): number {
  const { session, item } = held;
  const key = shareKey(item.mode, session, item.feature);
  if (key === undefined) return item.seats;
  let sharers = state.shares.get(key);
  if (sharers === undefined) {
    sharers = new Map();
    ledger.journal.put(state.shares, key, sharers);
  }
  const before = largest(sharers);
  ledger.journal.put(sharers, sharerKey(held), item.seats);
  return Math.max(0, item.seats - before);
}

function freeShare(ledger: Ledger, state: LicenseState, held: Held): number {
  const { session, item } = held;
  const key = shareKey(item.mode, session, item.feature);
  if (key === undefined) return item.seats;
  const sharers = state.shares.get(key) as Map<string, number>;
  const before = largest(sharers);
  ledger.journal.remove(sharers, sharerKey(held));
  if (sharers.size === 0) ledger.journal.remove(state.shares, key);
  return before - largest(sharers);
}

function sharerKey({ session, hold, position }: Held): string {
  return `${bytesKey(session.id)}${hold.id}/${position}`;
}

function insertHolder(ledger: Ledger, holders: HolderRef[], ref: HolderRef): void {
  const at = placeOf(holders, ref);
  holders.splice(at, 0, ref);
  ledger.journal.onUndo(() => holders.splice(placeOf(holders, ref), 1));
}

function removeHolder(ledger: Ledger, holders: HolderRef[], ref: HolderRef): void {
  const at = placeOf(holders, ref);
  const [removed] = holders.splice(at, 1) as [HolderRef];
  ledger.journal.onUndo(() => holders.splice(placeOf(holders, removed), 0, removed));
}

/** First position that is not before `ref` in (since, session, hold, feature). */
function placeOf(holders: readonly HolderRef[], ref: HolderRef): number {
  let low = 0;
  let high = holders.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareHolders(holders[middle] as HolderRef, ref) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compareHolders(a: HolderRef, b: HolderRef): number {
  return (
    a.sinceLogTime - b.sinceLogTime ||
    compareBytes(a.session.id, b.session.id) ||
    a.hold.id - b.hold.id ||
    (a.item.feature < b.item.feature ? -1 : a.item.feature > b.item.feature ? 1 : 0)
  );
}
