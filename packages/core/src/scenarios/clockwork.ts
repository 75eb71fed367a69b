/** Simulated time: what is due comes in order of time, then of asking. */
export class Clockwork {
  now = 0;
  #sequence = 0;
  readonly #heap: { at: number; sequence: number; run: () => void }[] = [];

  later(ms: number, run: () => void): void {
    const heap = this.#heap;
    const event = { at: this.now + ms, sequence: ++this.#sequence, run };
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!comesBefore(event, heap[parent] as typeof event)) break;
      heap[at] = heap[parent] as typeof event;
      at = parent;
    }
    heap[at] = event;
  }

  run(ms: number): void {
    this.runUntil(ms, () => false);
  }

  /** Until `done`, at most for so long. */
  runUntil(ms: number, done: () => boolean): void {
    const until = this.now + ms;
    while (!done()) {
      const first = this.#heap[0];
      if (first === undefined || first.at > until) {
        this.now = until;
        return;
      }
      this.#dropFirst();
      this.now = first.at;
      first.run();
    }
  }

  #dropFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      const right = heap[child + 1];
      if (left === undefined) break;
      if (right !== undefined && comesBefore(right, left)) child++;
      const smaller = heap[child] as typeof last;
      if (!comesBefore(smaller, last)) break;
      heap[at] = smaller;
      at = child;
    }
    heap[at] = last;
  }
}

function comesBefore(a: { at: number; sequence: number }, b: { at: number; sequence: number }): boolean {
  return a.at === b.at ? a.sequence < b.sequence : a.at < b.at;
}
