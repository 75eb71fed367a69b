import { bytesKey, type Outcome } from '@trefoil/license';
import type { Ledger, Session } from '../ledger/state.ts';
import { DAY_MS } from '../ledger/usage.ts';
import type { Audited, AuditObserver } from './audit.ts';

/** What one user used of one product, on any host. */
export interface UserUsage {
  readonly user: string;
  readonly product: string;
  seatMs: number;
  grants: number;
  denials: number;
}

/** What is known of a session that is open. */
interface Known {
  readonly user: string;
  /** Requests that were answered: a repeated one counts once. */
  readonly answered: Set<number>;
  /** Seats that it holds now, by product, and up to which moment of `passedMs` they are counted. */
  seats: ReadonlyMap<string, number>;
  countedToMs: number;
}

/**
 * Who used what, from the log: the ledger keeps it by licenses only. Seats count as they are held: users of one station that share a seat
 * have one each. Between two days, both included.
 */
export class UseByUser implements AuditObserver {
  readonly #usage = new Map<string, UserUsage>();
  readonly #sessions = new Map<string, Known>();
  readonly #firstUtc: number;
  readonly #endUtc: number;
  /** Time of these days that is over. */
  #passedMs = 0;
  #before: { readonly logTime: number; readonly utc: number } | undefined;

  constructor({ fromDay, toDay }: { readonly fromDay: number; readonly toDay: number }) {
    this.#firstUtc = fromDay * DAY_MS;
    this.#endUtc = toDay === Infinity ? Infinity : (toDay + 1) * DAY_MS;
  }

  /** By user, then by product. */
  get usage(): readonly UserUsage[] {
    for (const known of this.#sessions.values()) this.#countSeats(known);
    return [...this.#usage.values()]
      .filter(({ seatMs, grants, denials }) => seatMs + grants + denials > 0)
      .sort((a, b) => compare(a.user, b.user) || compare(a.product, b.product));
  }

  /** Who held what when the log that is there begins. */
  begin(ledger: Ledger): void {
    for (const session of ledger.sessions.values()) this.#know(ledger, session, true);
    this.#before = { logTime: ledger.logTime, utc: ledger.utc };
  }

  observe({ entry, commands, outcomes, ledger }: Audited): void {
    this.#passTime(entry);
    for (const outcome of outcomes) {
      const key = bytesKey(outcome.session);
      const session = ledger.handles.get(key);
      if (session !== undefined && !this.#sessions.has(key)) this.#know(ledger, session, session.closed);
      const known = this.#sessions.get(key);
      if (known !== undefined) this.#count(known, outcome, entry.utc);
      this.#seeSeats(ledger, key);
    }
    // The only command that ends a session without an outcome in it.
    for (const command of commands) if (command.kind === 'write-off') this.#seeSeats(ledger, bytesKey(command.session));
  }

  #seeSeats(ledger: Ledger, key: string): void {
    const known = this.#sessions.get(key);
    if (known === undefined) return;
    this.#countSeats(known);
    const session = ledger.handles.get(key);
    if (session === undefined || (session.closed && session.holds.size === 0)) this.#sessions.delete(key);
    else {
      known.seats = seatsOf(ledger, session);
      forgetAnswered(known, session);
    }
  }

  /** All seats that are held now were held since the entry before. */
  #passTime({ logTime, utc }: { readonly logTime: number; readonly utc: number }): void {
    const before = this.#before;
    this.#before = { logTime, utc };
    if (before === undefined) return;
    // UTC follows log time from the entry before (PROTOCOL §5.19).
    const end = Math.min(before.utc + logTime - before.logTime, this.#endUtc);
    this.#passedMs += Math.max(0, end - Math.max(before.utc, this.#firstUtc));
  }

  #countSeats(known: Known): void {
    const ms = this.#passedMs - known.countedToMs;
    known.countedToMs = this.#passedMs;
    if (ms > 0) for (const [product, seats] of known.seats) this.#of(known.user, product).seatMs += seats * ms;
  }

  /** `isOld`: what it has and what it was answered is from before. */
  #know(ledger: Ledger, session: Session, isOld: boolean): void {
    const { user, proven, free, waits } = session;
    const answered = [...proven.answered.keys(), ...free.answered.keys()].filter((id) => isOld && !waits.has(id));
    const seats = isOld ? seatsOf(ledger, session) : new Map<string, number>();
    const known = { user, answered: new Set(answered), seats, countedToMs: this.#passedMs };
    this.#sessions.set(bytesKey(session.handle), known);
  }

  #count({ user, answered }: Known, outcome: Outcome, utc: number): void {
    if (outcome.kind !== 'granted' && outcome.kind !== 'denied') return;
    // A wait that was served is an answer to the same request as its place in the queue was.
    if (answered.has(outcome.requestId)) return;
    answered.add(outcome.requestId);
    if (utc < this.#firstUtc || utc >= this.#endUtc) return;
    if (outcome.kind === 'denied') this.#of(user, outcome.product).denials++;
    // An extension gives the seat of an earlier request again.
    else
      for (const { product, hold } of outcome.grants) if (hold === outcome.requestId) this.#of(user, product).grants++;
  }

  #of(user: string, product: string): UserUsage {
    const key = `${product} ${user}`;
    let usage = this.#usage.get(key);
    if (usage === undefined) {
      usage = { user, product, seatMs: 0, grants: 0, denials: 0 };
      this.#usage.set(key, usage);
    }
    return usage;
  }
}

/** What the ledger has forgotten can't be asked again. */
function forgetAnswered({ answered }: Known, { proven, free }: Session): void {
  const lowest = Math.min(proven.lowestUnanswered, free.lowestUnanswered);
  for (const id of answered) if (id < lowest) answered.delete(id);
}

function seatsOf(ledger: Ledger, session: Session): ReadonlyMap<string, number> {
  const seats = new Map<string, number>();
  for (const { items } of session.holds.values())
    for (const { license, seats: count, mode } of items) {
      const product = ledger.licenses.get(license)?.license.product;
      if (product !== undefined && mode !== 'uncounted') seats.set(product, (seats.get(product) ?? 0) + count);
    }
  return seats;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
