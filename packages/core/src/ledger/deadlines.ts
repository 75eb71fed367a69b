import { compareBytes } from '@trefoil/license';
import type { Journal } from '../journal.ts';
import type { Hold, Session, Wait } from './state.ts';

/** Something that falls due: a hold whose last grant has run out, a wait at its end, or a session with all it has. */
export interface Deadline {
  readonly at: number;
  readonly session: Session;
  readonly hold?: Hold;
  readonly wait?: Wait;
}

interface Item {
  readonly at: number;
  readonly session: Session;
}

/**
 * A heap of times at which something of a session may fall due. Lazy: a renewal leaves the heap alone; what is taken out too
 * early is put back. For each living session at least one item stands at or before the first of its deadlines; that is all the
 * heap promises, and all that undo has to restore. So it holds about one item a session, however often seats change hands.
 */
export class Deadlines {
  readonly #heap: Item[] = [];
  /** Sessions that stand in the heap, with their earliest time: most changes then need no second item. */
  readonly #earliest = new Map<Session, number>();

  get size(): number {
    return this.#heap.length;
  }

  /** Items left over by an undone entry do no harm: they are checked against the session when they come up. */
  push(session: Session): void {
    const at = firstDeadline(session);
    const standing = this.#earliest.get(session);
    if (standing !== undefined && standing <= at) return;
    this.#insert({ at, session });
  }

  /**
   * Everything that is truly due at `logTime`, in the order of the specification: (deadline, session id, hold id). A session
   * with a hold that is due stays in the heap for the rest of it.
   */
  takeDue(journal: Journal, logTime: number): Deadline[] {
    const sessions = new Set<Session>();
    for (let first = this.#heap[0]; first !== undefined && first.at <= logTime; first = this.#heap[0]) {
      const taken = this.#pop();
      journal.onUndo(() => this.#insert(taken));
      sessions.add(taken.session);
    }
    const due: Deadline[] = [];
    for (const session of sessions) {
      for (const hold of session.holds.values())
        if (hold.freeAt <= logTime) due.push({ at: hold.freeAt, session, hold });
      for (const wait of session.waits.values())
        if (endOfWait(wait) <= logTime) due.push({ at: endOfWait(wait), session, wait });
      if (session.deadline <= logTime) due.push({ at: session.deadline, session });
      else this.#insert({ at: nextDeadline(session, logTime), session });
    }
    return due.sort((a, b) => a.at - b.at || compareBytes(a.session.id, b.session.id) || idOf(a) - idOf(b));
  }

  #insert(item: Item): void {
    const standing = this.#earliest.get(item.session);
    if (standing === undefined || standing > item.at) this.#earliest.set(item.session, item.at);
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as Item).at <= item.at) break;
      heap[at] = heap[parent] as Item;
      at = parent;
    }
    heap[at] = item;
  }

  #pop(): Item {
    const heap = this.#heap;
    const first = heap[0] as Item;
    this.#earliest.delete(first.session);
    const last = heap.pop() as Item;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Item).at < (heap[child] as Item).at) child++;
      if ((heap[child] as Item).at >= last.at) break;
      heap[at] = heap[child] as Item;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

/** Hold and wait have no number in common. */
function idOf({ hold, wait }: Deadline): number {
  return (hold ?? wait)?.id ?? 0;
}

/** When it ends without a seat. */
function endOfWait({ untilLogTime, keptUntil }: Wait): number {
  return Math.min(untilLogTime, keptUntil);
}

function firstDeadline(session: Session): number {
  return nextDeadline(session, -1);
}

/** The first of its deadlines after `logTime`. */
function nextDeadline(session: Session, logTime: number): number {
  let at = session.deadline;
  for (const { freeAt } of session.holds.values()) if (freeAt > logTime && freeAt < at) at = freeAt;
  for (const wait of session.waits.values()) {
    const end = endOfWait(wait);
    if (end > logTime && end < at) at = end;
  }
  return at;
}
