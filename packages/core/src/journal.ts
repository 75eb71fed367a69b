/**
 * How the last, uncertified entry is taken back: each change records its inverse. One journal per ledger, emptied when the
 * entry is certified. Undo restores contents, not the order of Maps; so nothing may depend on that order.
 */
export class Journal {
  readonly #inverses: (() => void)[] = [];

  /** For `undoTo`: taking back a part of an entry, as an acquire that fails half-way does. */
  mark(): number {
    return this.#inverses.length;
  }

  set<T extends object, K extends keyof T>(target: T, key: K, value: T[K]): void {
    const before = target[key];
    if (before === value) return;
    this.#inverses.push(() => {
      target[key] = before;
    });
    target[key] = value;
  }

  put<K, V>(map: Map<K, V>, key: K, value: V): void {
    const had = map.has(key);
    const before = map.get(key) as V;
    this.#inverses.push(() => {
      if (had) map.set(key, before);
      else map.delete(key);
    });
    map.set(key, value);
  }

  remove<K, V>(map: Map<K, V>, key: K): void {
    if (!map.has(key)) return;
    const before = map.get(key) as V;
    this.#inverses.push(() => map.set(key, before));
    map.delete(key);
  }

  add<V>(set: Set<V>, value: V): void {
    if (set.has(value)) return;
    this.#inverses.push(() => set.delete(value));
    set.add(value);
  }

  delete<V>(set: Set<V>, value: V): void {
    if (!set.delete(value)) return;
    this.#inverses.push(() => set.add(value));
  }

  /** For changes with an inverse of their own. */
  onUndo(inverse: () => void): void {
    this.#inverses.push(inverse);
  }

  undoTo(mark: number): void {
    while (this.#inverses.length > mark) this.#inverses.pop()?.();
  }

  clear(): void {
    this.#inverses.length = 0;
  }
}
