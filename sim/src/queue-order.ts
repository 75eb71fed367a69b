import type { AcquireCommand, Outcome } from '@trefoil/license';
import { SEAT_TIMEOUT_MS } from './client-history.ts';

export interface Wait {
  /** Session and request. */
  readonly key: string;
  readonly session: string;
  readonly items: AcquireCommand['items'];
  readonly until: number;
  kept: number;
}

/** Without a renewal; as a seat is (PROTOCOL §6.7), in the words of the specification. */
const KEPT_MS = Math.ceil(SEAT_TIMEOUT_MS * 1.01) + 250;

/** What the queue needs to know of the ledger that stands beside it. */
interface Books {
  /** Seats of the product that nobody holds; below zero after an update that took some away. */
  readonly free: (product: string) => number;
  /** Its seats are counted in other books, for their terms say more. */
  readonly isElsewhere: (product: string) => boolean;
  readonly fault: (what: string) => void;
}

/**
 * Who waits, said once more in the words of PROTOCOL §5.15 and for licenses without features or modes: whoever is served has to be
 * whose turn it is, and whose turn it is has to be served, in the very entry.
 */
export class QueueOrder {
  readonly #books: Books;
  #waits: Wait[] = [];

  constructor(books: Books) {
    this.#books = books;
  }

  /** What there is for somebody who comes now: those ahead have taken what there is for them. */
  free(products: readonly string[]): (product: string) => number {
    const left = this.#left();
    for (const wait of this.#waits)
      if (wait.items.some(({ product }) => products.includes(product))) claim(left, wait, products);
    return left;
  }

  queued(session: string, command: AcquireCommand, outcome: Outcome & { kind: 'queued' }, logTime: number): void {
    const until = logTime + command.waitMs;
    const key = `${session}/${command.requestId}`;
    this.#waits.push({ key, session, items: command.items, until, kept: logTime + KEPT_MS });
    const place = Math.max(...command.items.map(({ product }) => this.#ahead(product)));
    if (outcome.place !== place) this.#books.fault(`5.15 place ${outcome.place}, not ${place}`);
    if (outcome.untilLogTime !== until) this.#books.fault(`5.15 waits until ${outcome.untilLogTime}, not ${until}`);
  }

  #ahead(wanted: string): number {
    return this.#waits.filter(({ items }) => items.some(({ product }) => product === wanted)).length;
  }

  has(key: string): boolean {
    return this.#waits.some((wait) => wait.key === key);
  }

  /** Given up, or its session is no more. */
  leave(isGone: (wait: { readonly key: string; readonly session: string }) => boolean): void {
    this.#waits = this.#waits.filter((wait) => !isGone(wait));
  }

  /** Those of a session that has said something. */
  renewed(session: string, waiting: readonly number[], logTime: number): void {
    const own = this.#waits.filter((wait) => wait.session === session);
    for (const wait of own) wait.kept = logTime + KEPT_MS;
    const keys = waiting.map((hold) => `${session}/${hold}`);
    if (own.length !== keys.length || own.some(({ key }) => !keys.includes(key)))
      this.#books.fault(`5.15 a renewal names ${waiting.length} waits, there are ${own.length}`);
  }

  /** Whether its time is over, or it was not renewed; if not, it has to be in vain. */
  isDue(key: string, logTime: number): boolean {
    return this.#waits.some((wait) => wait.key === key && endOf(wait) <= logTime);
  }

  /** After an update: more than there is of it. */
  inVain(key: string, sold: (product: string) => number): void {
    const wait = this.#waits.find((one) => one.key === key);
    if (wait === undefined || !isInVain(wait, sold))
      this.#books.fault(`5.15 ${key} could be served, and waits no more`);
    this.leave((one) => one.key === key);
  }

  nobodyInVain(sold: (product: string) => number): void {
    for (const wait of this.#waits)
      if (!this.#isElsewhere(wait) && isInVain(wait, sold))
        this.#books.fault(`5.15 ${wait.key} waits for more than there is`);
  }

  unserved(key: string, logTime: number): void {
    const wait = this.#waits.find((one) => one.key === key);
    if (wait === undefined) this.#books.fault('5.15 the wait of nobody is over');
    else if (endOf(wait) > logTime) this.#books.fault(`5.15 a wait is over ${endOf(wait) - logTime} ms early`);
    this.leave((one) => one.key === key);
  }

  /** After what fell due: nobody waits longer than he wanted to. */
  mustBeOver(logTime: number): void {
    for (const wait of this.#waits)
      if (endOf(wait) <= logTime)
        this.#books.fault(`5.15 ${wait.key} still waits ${logTime - endOf(wait)} ms after its time`);
  }

  /** Whose turn it is, at the end of an entry; they wait no more. */
  turns(): string[] {
    const left = this.#left();
    const turns: string[] = [];
    this.#waits = this.#waits.filter((wait) => {
      if (this.#isElsewhere(wait)) return true;
      const fits = [...wantedBy(wait)].every(([product, seats]) => left(product) >= seats);
      claim(left, wait);
      if (fits) turns.push(wait.key);
      return !fits;
    });
    return turns;
  }

  /** Those whose seats are counted elsewhere, in order. */
  get elsewhere(): readonly Wait[] {
    return this.#waits.filter((wait) => this.#isElsewhere(wait));
  }

  #isElsewhere({ items }: Wait): boolean {
    return items.some(({ product }) => this.#books.isElsewhere(product));
  }

  #left(): Left {
    const left = new Map<string, number>();
    const of = (product: string): number => left.get(product) ?? Math.max(0, this.#books.free(product));
    return Object.assign(of, { take: (product: string, seats: number) => void left.set(product, of(product) - seats) });
  }
}

type Left = ((product: string) => number) & { readonly take: (product: string, seats: number) => void };

export function wantedBy({ items }: Pick<Wait, 'items'>): ReadonlyMap<string, number> {
  const wanted = new Map<string, number>();
  for (const { product, seats } of items) wanted.set(product, (wanted.get(product) ?? 0) + seats);
  return wanted;
}

function isInVain(wait: Wait, sold: (product: string) => number): boolean {
  return [...wantedBy(wait)].some(([product, seats]) => seats > sold(product));
}

function endOf({ until, kept }: Wait): number {
  return Math.min(until, kept);
}

/** As much as he wants of it, or as there is. */
function claim(left: Left, { items }: Wait, of?: readonly string[]): void {
  for (const { product, seats } of items)
    if (of === undefined || of.includes(product)) left.take(product, Math.min(seats, left(product)));
}
