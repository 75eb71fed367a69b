import { type AcquireItem, DENIAL_CODES } from '@trefoil/license';
import { type Ask, askOf, type Denial, endOf, modeOf, type Wish } from './checks/ask.ts';
import { borrowableSeats } from './checks/borrowing.ts';
import { nameOf } from './checks/names.ts';
import { seatDenial } from './checks/order.ts';
import { paidSeats, timesAtOnce } from './checks/units.ts';
import { reservedForOthers, reservedOfFeature } from './policy.ts';
import { freeCost, freeOfFeature, freeSeats, isDivisible, provisionally, standingSeats } from './seats.ts';
import { shortage } from './shortage.ts';
import { type HeldItem, type Ledger, type LicenseState, licensesOf, type Session } from './state.ts';

/** Seats of one license, for one item of an acquire. */
export interface Part {
  readonly state: LicenseState;
  readonly item: HeldItem;
}

export interface NotAllocated extends Denial {
  readonly item: AcquireItem;
  /** Of those that were asked last: they came nearest (PROTOCOL §5.8). */
  readonly asked: readonly LicenseState[];
  /** Seats of what was asked for: how many there are, and how many of them this client could have now. */
  readonly seats?: { readonly quantity: number; readonly free: number };
}

/** How good a license is for the customer to use: the lower the better, and the overdraft last of all. */
interface Candidate {
  readonly ask: Ask;
  readonly rank: number;
  readonly end: number;
}

/**
 * Where the seats of all items would come from, each item against what the earlier ones left; changes nothing. Licenses of one
 * product add up: used is what leaves the customer most. `asMuchAsThereIs`: who waits has a claim on what there is already.
 * `borrowing`: they are to leave the group; that never takes the overdraft.
 */
export function allocate(
  ledger: Ledger,
  session: Session,
  items: readonly AcquireItem[],
  { asMuchAsThereIs = false, borrowing }: { asMuchAsThereIs?: boolean; borrowing?: Wish } = {},
): readonly Part[] | NotAllocated {
  const parts: Part[] = [];
  const run = (take: (part: Part) => void): readonly Part[] | NotAllocated => {
    for (const [position, item] of items.entries()) {
      const { candidates, denial } = candidatesFor(ledger, session, item, borrowing);
      if (denial !== undefined) return denial; // also of who waits: for what he can't have he claims nothing
      const unreservedSeats = isExclusivelyHeld(candidates) ? 0 : unreserved(ledger, session, item, candidates);
      let left = Math.min(item.seats, unreservedSeats);
      // Before any is taken: what this client could have.
      const free = Math.min(unreservedSeats, freeOf(candidates));
      const why = asMuchAsThereIs
        ? ''
        : free < item.seats
          ? shortage(
              item.seats,
              candidates.map(({ ask }) => ask),
            )
          : 'apart';
      if (left < item.seats && !asMuchAsThereIs) return noSeats(item, candidates, { free, why });
      for (const beyond of borrowing === undefined ? [false, true] : [false])
        for (const { ask } of candidates) {
          const free = seatsFor(ask, beyond);
          const seats = Math.min(left, usable(free, left, modeOf(ask), asMuchAsThereIs));
          if (seats <= 0) continue;
          const part = partOf(ask, { position, seats, beyond });
          take(part);
          parts.push(part);
          left -= seats;
        }
      if (left > 0 && !asMuchAsThereIs) return noSeats(item, candidates, { free, why });
    }
    return parts;
  };
  return provisionally(ledger, session, run, borrowing !== undefined);
}

/** Of this license, for this client, as it stands. */
function seatsFor(ask: Ask, beyond: boolean): number {
  return Math.min(freeSeats(ask, beyond), paidSeats(ask), borrowableSeats(ask));
}

/** What is left when those for whom an admin has reserved seats have taken them; Infinity = nothing is reserved. */
function unreserved(ledger: Ledger, session: Session, item: AcquireItem, candidates: readonly Candidate[]): number {
  const [first] = candidates;
  if (ledger.policy === undefined || first === undefined) return Infinity;
  const { features } = first.ask.state.license.terms;
  const tokensOf = (feature: string): number => features.get(feature)?.tokens ?? 1;
  const cost = reservedForOthers(ledger, session, item.product, tokensOf);
  if (cost === 0) return Infinity;
  const sum = (of: (ask: Ask) => number): number => candidates.reduce((all, { ask }) => all + Math.max(0, of(ask)), 0);
  const byQuantity = Math.floor((sum(freeCost) - cost) / tokensOf(item.feature));
  // One of a feature is one of each around it: there, too, has to be room for what is reserved.
  const chainOf = (name: string): readonly string[] => features.get(name)?.chain ?? [];
  const byFeature = chainOf(item.feature).map((feature) => {
    const reserved = reservedOfFeature(ledger, session, { product: item.product, feature }, chainOf);
    return sum((ask) => freeOfFeature(ask, feature)) - reserved;
  });
  const own = Math.max(...candidates.map(({ ask }) => standingSeats(ask)));
  return Math.max(own, Math.min(byQuantity, ...byFeature));
}

/** Seats that are shared come from one license. */
function usable(free: number, wanted: number, mode: HeldItem['mode'], some: boolean): number {
  return free >= wanted || isDivisible(mode) || some ? Math.max(0, free) : 0;
}

function partOf(ask: Ask, part: { position: number; seats: number; beyond: boolean }): Part {
  const { state, item, scope } = ask;
  const { terms, id } = state.license;
  return {
    state,
    item: {
      item: part.position,
      license: id,
      feature: item.feature,
      chain: terms.features.get(item.feature)?.chain ?? [],
      seats: part.seats,
      mode: modeOf(ask),
      tokens: scope?.tokens ?? 1,
      overdraft: part.beyond,
      times: terms.seatTime === undefined ? 0 : timesAtOnce(ask),
    },
  };
}

/** The licenses that pass all checks but that of seats, best first; or why none does. */
function candidatesFor(
  ledger: Ledger,
  session: Session,
  item: AcquireItem,
  borrowing: Wish | undefined,
): { candidates: readonly Candidate[]; denial?: NotAllocated } {
  const candidates: Candidate[] = [];
  let nearest: (Denial & { state: LicenseState }) | undefined;
  for (const state of licensesOf(ledger, item.product)) {
    const asked = { ...askOf(ledger, state, session, item), seats: item.seats };
    const ask = borrowing === undefined ? asked : { ...asked, borrowing };
    const denial = seatDenial(ask);
    if (denial === undefined) candidates.push(candidateOf(ask));
    else if (nearest === undefined || isNearer({ ...denial, state }, nearest)) nearest = { ...denial, state };
  }
  if (candidates.length > 0) return { candidates: candidates.sort(byWorth) };
  const { state, ...denial } = nearest ?? { code: 'unknown-product' };
  return { candidates, denial: { ...denial, item, asked: state === undefined ? [] : [state] } };
}

function candidateOf(ask: Ask): Candidate {
  const { terms } = ask.state.license;
  const end = endOf(ask);
  const inGrace = ask.ledger.utc >= end;
  return { ask, end, rank: isHisAlready(ask) ? -1 : inGrace ? 2 : terms.seatTime === undefined ? 0 : 1 };
}

/** The station or user has a seat of it to share, or a name: another license would take a second one. */
function isHisAlready(ask: Ask): boolean {
  const { named } = ask.state.license.terms;
  return standingSeats(ask) > 0 || (named !== undefined && ask.state.names.has(nameOf(named, ask.session)));
}

/** Whichever license it was: one session of a station. */
function isExclusivelyHeld(candidates: readonly Candidate[]): boolean {
  return candidates.some(
    ({ ask }) => modeOf(ask) === 'exclusive' && ask.state.license.terms.quantity > 0 && standingSeats(ask) > 0,
  );
}

/** What he has already first, then what costs nothing more, then what ends soonest: the rest is there for longer. */
function byWorth(a: Candidate, b: Candidate): number {
  if (a.rank !== b.rank) return a.rank - b.rank;
  if (a.end !== b.end) return a.end < b.end ? -1 : 1;
  return a.ask.state.license.id < b.ask.state.license.id ? -1 : 1;
}

/** The client is told of the license that failed the latest check, then of the lowest id. */
export function isNearer(one: Denial & { state: LicenseState }, than: Denial & { state: LicenseState }): boolean {
  const order = DENIAL_CODES.indexOf(one.code) - DENIAL_CODES.indexOf(than.code);
  return order === 0 ? one.state.license.id < than.state.license.id : order > 0;
}

function freeOf(candidates: readonly Candidate[]): number {
  let free = 0;
  for (const { ask } of candidates) free += Math.max(0, seatsFor(ask, ask.borrowing === undefined));
  return free;
}

function noSeats(
  item: AcquireItem,
  candidates: readonly Candidate[],
  { free, why }: { free: number; why: string },
): NotAllocated {
  const quantity = candidates.reduce((all, { ask }) => all + seatsThere(ask), 0);
  const seats = { quantity, free: Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, free)) };
  return { code: 'seats', detail: why, item, asked: candidates.map(({ ask }) => ask.state), seats };
}

/** Seats of this feature that the license has, without its overdraft. */
function seatsThere({ state, item, scope }: Ask): number {
  const { quantity, features } = state.license.terms;
  const chain = features.get(item.feature)?.chain ?? [];
  const own = chain.map((name) => features.get(name)?.quantity ?? Infinity);
  return Math.min(Math.floor(quantity / (scope?.tokens ?? 1)), ...own);
}
