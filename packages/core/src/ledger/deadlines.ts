import { compareBytes } from '@trefoil/license';
import type { Journal } from '../journal.ts';
import type { Hold, Session } from './state.ts';

export interface Deadline {
  readonly at: number;
  readonly session: Session;
  /** undefined = the session's own. */
  readonly hold: Hold | undefined;
}

/**
 * A heap of times at which something may fall due. Lazy: a renewal moves the session's own deadline and leaves the heap
 * alone; what is taken out too early is put back. For each living session or lingering hold at least one item stands at or
 * before its true deadline; that is all the heap promises, and all that undo has to restore.
 */
export class Deadlines {
  readonly #heap: Deadline[] = [];
  /** Sessions that already stand in the heap, with the earliest time: renewals then need no second item. */
  readonly #earliest = new Map<Session, number>();

  /** Items left over by an undone entry do no harm: they are checked against the session when they come up. */
  push(deadline: Deadline): void {
    if (deadline.hold === undefined) {
      const standing = this.#earliest.get(deadline.session);
      if (standing !== undefined && standing <= deadline.at) return;
      this.#earliest.set(deadline.session, deadline.at);
    }
    this.#insert(deadline);
  }

  /** Everything that is truly due at `logTime`, in the order of the specification: (deadline, session id, hold id). */
  takeDue(journal: Journal, logTime: number): Deadline[] {
    const due = new Map<object, Deadline>();
    for (let first = this.#heap[0]; first !== undefined && first.at <= logTime; first = this.#heap[0]) {
      const taken = this.#pop();
      journal.onUndo(() => this.#restore(taken));
      if (taken.hold === undefined) this.#earliest.delete(taken.session);
      const truly = taken.hold === undefined ? taken.session.deadline : taken.hold.freeAt;
      if (truly <= logTime) due.set(taken.hold ?? taken.session, { ...taken, at: truly });
      else this.push({ ...taken, at: truly });
    }
    return [...due.values()].sort(
      (a, b) => a.at - b.at || compareBytes(a.session.id, b.session.id) || (a.hold?.id ?? 0) - (b.hold?.id ?? 0),
    );
  }

  #restore(taken: Deadline): void {
    if (taken.hold === undefined) {
      const standing = this.#earliest.get(taken.session);
      if (standing === undefined || standing > taken.at) this.#earliest.set(taken.session, taken.at);
    }
    this.#insert(taken);
  }

  #insert(deadline: Deadline): void {
    const heap = this.#heap;
    let at = heap.push(deadline) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as Deadline).at <= deadline.at) break;
      heap[at] = heap[parent] as Deadline;
      at = parent;
    }
    heap[at] = deadline;
  }

  #pop(): Deadline {
    const heap = this.#heap;
    const first = heap[0] as Deadline;
    const last = heap.pop() as Deadline;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Deadline).at < (heap[child] as Deadline).at) child++;
      if ((heap[child] as Deadline).at >= last.at) break;
      heap[at] = heap[child] as Deadline;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
