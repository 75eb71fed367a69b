interface Appointment {
  readonly at: number;
  /** Of two at the same time, the one made first comes first. */
  readonly order: number;
  readonly run: () => void;
  off: boolean;
}

/** Simulated true time, in ms, and what is to happen when. A binary heap. */
export class Agenda {
  now = 0;
  readonly #heap: Appointment[] = [];
  #order = 0;

  at(time: number, run: () => void): () => void {
    const appointment = { at: Math.max(this.now, time), order: this.#order++, run, off: false };
    this.#push(appointment);
    return () => {
      appointment.off = true;
    };
  }

  later(ms: number, run: () => void): () => void {
    return this.at(this.now + ms, run);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.later(ms, resolve));
  }

  /** Does what is due until then, one after the other; whoever waits for a promise goes on before the next. */
  runUntil(time: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const act = (): void => {
        try {
          const next = this.#next(time);
          this.now = next?.at ?? time;
          if (next === undefined) return resolve();
          next.run();
          // A tick that a microtask asks for comes after all microtasks: nothing in a simulated world waits for anything real.
          queueMicrotask(() => process.nextTick(act));
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      act();
    });
  }

  #next(until: number): Appointment | undefined {
    for (let next = this.#heap[0]; next !== undefined && next.at <= until; next = this.#heap[0]) {
      this.#pop();
      if (!next.off) return next;
    }
    return undefined;
  }

  #push(one: Appointment): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(one);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(one, heap[parent] as Appointment)) break;
      heap[at] = heap[parent] as Appointment;
      at = parent;
    }
    heap[at] = one;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Appointment, heap[child] as Appointment)) child++;
      if (!isBefore(heap[child] as Appointment, last)) break;
      heap[at] = heap[child] as Appointment;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Appointment, b: Appointment): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
