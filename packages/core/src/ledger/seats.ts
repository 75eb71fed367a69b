import { bytesKey, compareBytes, type CountingMode } from '@trefoil/license';
import { type Ask, modeOf } from './checks/ask.ts';
import { countUnderRules } from './policy.ts';
import { useLicense } from './use.ts';
import {
  type HeldItem,
  type Hold,
  type HolderRef,
  type Ledger,
  type LicenseState,
  type Session,
  type Share,
  stir,
} from './state.ts';

/** How seats are counted (PROTOCOL §5.8): what is free for whom, what is taken, what is given back. */
/** So many seats of this license one more hold could have now; `beyond`: with the overdraft. Infinity = as many as it likes. */
export function freeSeats(ask: Ask, beyond: boolean): number {
  const { state, session, item, scope } = ask;
  const { quantity, overdraft, features } = state.license.terms;
  const mode = modeOf(ask);
  if (mode === 'uncounted') return Infinity;
  const key = shareKey(mode, session, item.feature);
  const shared = key === undefined ? undefined : state.shares.get(key);
  if (quantity !== 0 && mode === 'exclusive' && shared !== undefined) return 0;
  const standing = largest(shared?.values() ?? []);
  let free = Infinity;
  for (const name of features.get(item.feature)?.chain ?? []) free = Math.min(free, freeOfFeature(ask, name));
  if (quantity !== 0) {
    const limit = quantity + (beyond ? overdraft : 0);
    free = Math.min(free, Math.floor((limit - state.used + standing.cost) / (scope?.tokens ?? 1)));
  }
  // What the station or user has is his whatever became of the quantity; not for more of it than he has.
  return Math.max(free, Math.min(standing.seats, Math.floor(standing.cost / (scope?.tokens ?? 1))));
}

/** Of the quantity that the feature itself has, with what the station or user has of it; Infinity = it has none. */
export function freeOfFeature(ask: Ask, name: string): number {
  const { state, session, item } = ask;
  const own = state.license.terms.features.get(name)?.quantity;
  if (own === undefined) return Infinity;
  const key = shareKey(modeOf(ask), session, item.feature);
  const shared = key === undefined ? undefined : state.shares.get(key);
  return own - (state.usedByFeature.get(name) ?? 0) + largest(shared?.values() ?? [], name).seats;
}

/** Those that the station or user has already, and that one more hold would share. */
export function standingSeats(ask: Ask): number {
  const key = shareKey(modeOf(ask), ask.session, ask.item.feature);
  return key === undefined ? 0 : largest(ask.state.shares.get(key)?.values() ?? []).seats;
}

/** Of its quantity, with the overdraft; Infinity = it is not counted. */
export function freeCost({ state }: Ask): number {
  const { quantity, overdraft } = state.license.terms;
  return quantity === 0 ? Infinity : quantity + overdraft - state.used;
}

/** Somebody could have a seat of it, if nothing else stood against it. */
export function hasRoom({ license, used }: LicenseState): boolean {
  const { quantity, overdraft } = license.terms;
  return quantity === 0 || used < quantity + overdraft;
}

/** Seats that can't be shared may come from several licenses. */
export function isDivisible(mode: CountingMode): boolean {
  return mode === 'session' || mode === 'uncounted';
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

function largest(sharers: Iterable<Share>, feature?: string): { readonly seats: number; readonly cost: number } {
  let [seats, cost] = [0, 0];
  for (const one of sharers) {
    if (feature !== undefined && !one.chain.includes(feature)) continue;
    [seats, cost] = [Math.max(seats, one.seats), Math.max(cost, one.cost)];
  }
  return { seats, cost };
}

/**
 * Tries what would be if some seats were taken, one after the other, and takes nothing in the end. They count like those of a hold
 * that nobody sees.
 */
export function provisionally<T>(
  ledger: Ledger,
  session: Session,
  run: (take: (part: { readonly item: HeldItem }) => void) => T,
  borrowed = false,
): T {
  return provisionallyAll(ledger, (takeAll) => run((part) => takeAll(session, [part])), borrowed);
}

/** The same, for several sessions. */
export function provisionallyAll<T>(
  ledger: Ledger,
  run: (take: (session: Session, parts: readonly { readonly item: HeldItem }[]) => void) => T,
  borrowed = false,
): T {
  const hold = { ...NOBODYS_HOLD, borrowed };
  const start = ledger.journal.mark();
  let position = start; // another one for each that is taken, also inside of each other
  const result = run((session, parts) => {
    for (const { item } of parts) {
      countSeats(ledger, { session, hold, item, position: position++ }, 'take');
      useLicense(ledger, session, item);
    }
  });
  ledger.journal.undoTo(start);
  return result;
}

const NOBODYS_HOLD: Hold = {
  ...{ id: 0, releaseHash: new Uint8Array(32), sinceLogTime: 0, sinceUtc: 0, items: [], lifeMs: 0, timeoutMs: 0 },
  ...{ issuedLogTime: 0, freeAt: 0, lingering: false, waited: false, borrowed: false, extended: 0 },
};

/** Takes or gives back all seats of a hold. Derived state only: the hold itself is the record. */
export function countHold(ledger: Ledger, session: Session, hold: Hold, direction: 'take' | 'free'): void {
  hold.items.forEach((item, position) => countItem(ledger, { session, hold, item, position }, direction));
}

/** One item of a hold, with its place in it: the same product may be asked for twice in one command. */
interface Held {
  readonly session: Session;
  readonly hold: Hold;
  readonly item: HeldItem;
  readonly position: number;
}

/**
 * Counts by what was granted, never by the terms of today: seats that an update made free of counting are given back as they
 * were taken.
 */
function countItem(ledger: Ledger, held: Held, direction: 'take' | 'free'): void {
  const { session, hold, item } = held;
  const state = ledger.licenses.get(item.license);
  if (state === undefined) return; // licenses are never removed; an unknown one holds nothing
  const ref: HolderRef = { sinceLogTime: hold.sinceLogTime, session, hold, item };
  if (direction === 'take') insertHolder(ledger, state.holders, ref);
  else removeHolder(ledger, state.holders, ref);
  countSeats(ledger, held, direction);
}

function countSeats(ledger: Ledger, held: Held, direction: 'take' | 'free'): void {
  const { journal } = ledger;
  const { session, hold, item } = held;
  const state = ledger.licenses.get(item.license);
  if (state === undefined) return;
  if (hold.borrowed) journal.set(state, 'borrowed', state.borrowed + (direction === 'take' ? item.seats : -item.seats));
  countUnderRules(ledger, { product: state.license.product, session, item }, direction);
  if (item.mode === 'uncounted') return;
  const change = changeOf(ledger, state, held, direction);
  // Who waits may have it; also beside somebody on the same station.
  if (direction === 'free' || shareKey(item.mode, session, item.feature) !== undefined) stir(ledger, state);
  if (change.cost !== 0) journal.set(state, 'used', state.used + change.cost);
  for (const [name, seats] of change.byFeature) {
    const used = (state.usedByFeature.get(name) ?? 0) + seats;
    if (used === 0) journal.remove(state.usedByFeature, name);
    else journal.put(state.usedByFeature, name, used);
  }
}

interface Change {
  readonly seats: number;
  readonly cost: number;
  readonly byFeature: readonly (readonly [string, number])[];
}

/**
 * Of those who share a seat the largest counts: of all of them for the license, and for a feature of those who have it. By what
 * they have, not by the order in which they came.
 */
function changeOf(ledger: Ledger, state: LicenseState, held: Held, direction: 'take' | 'free'): Change {
  const { session, item } = held;
  const own: Share = { seats: item.seats, cost: item.seats * item.tokens, chain: item.chain };
  const key = shareKey(item.mode, session, item.feature);
  const sign = direction === 'take' ? 1 : -1;
  if (key === undefined)
    return {
      seats: sign * own.seats,
      cost: sign * own.cost,
      byFeature: own.chain.map((name) => [name, sign * own.seats]),
    };
  const others = sharersBut(ledger, state, key, held, direction, own);
  const rest = largest(others);
  return {
    seats: sign * Math.max(0, own.seats - rest.seats),
    cost: sign * Math.max(0, own.cost - rest.cost),
    byFeature: own.chain.flatMap((name) => {
      const more = Math.max(0, own.seats - largest(others, name).seats);
      return more === 0 ? [] : [[name, sign * more] as const];
    }),
  };
}

/** Those who have the key besides; takes this one in, or out. */
function sharersBut(
  { journal }: Ledger,
  state: LicenseState,
  key: string,
  held: Held,
  direction: 'take' | 'free',
  own: Share,
): readonly Share[] {
  let sharers = state.shares.get(key);
  if (sharers === undefined) {
    sharers = new Map();
    journal.put(state.shares, key, sharers);
  }
  if (direction === 'free') journal.remove(sharers, sharerKey(held));
  const others = [...sharers.values()];
  if (direction === 'take') journal.put(sharers, sharerKey(held), own);
  if (sharers.size === 0) journal.remove(state.shares, key);
  return others;
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
