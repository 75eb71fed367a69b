/** Certified entries kept in memory to feed those who lag; bounded, oldest out first. Consecutive indexes. */
export class RecentEntries {
  readonly #maxBytes: number;
  #first = 1;
  #bytes = 0;
  readonly #entries: { readonly entry: Uint8Array; certificate: Uint8Array | undefined }[] = [];

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Starts anew: the next entry is `first`. */
  reset(first: number): void {
    this.#entries.length = 0;
    this.#bytes = 0;
    this.#first = first;
  }

  push(index: number, entry: Uint8Array, certificate: Uint8Array | undefined): void {
    if (index !== this.#first + this.#entries.length) this.reset(index);
    this.#entries.push({ entry, certificate });
    this.#bytes += entry.length;
    while (this.#bytes > this.#maxBytes && this.#entries.length > 1) {
      this.#bytes -= (this.#entries.shift() as { entry: Uint8Array }).entry.length;
      this.#first++;
    }
  }

  has(index: number): boolean {
    return index >= this.#first && index < this.#first + this.#entries.length;
  }

  /** Undefined: not in memory, or it came with those behind it. */
  certificateOf(index: number): Uint8Array | undefined {
    return this.#entries[index - this.#first]?.certificate;
  }

  /** Entries from `from` on, about `maxBytes` of them, ending at one whose certificate is known. */
  chunk(from: number, maxBytes: number): { entries: Uint8Array[]; certificate: Uint8Array } | undefined {
    if (!this.has(from)) return undefined;
    const entries: Uint8Array[] = [];
    let bytes = 0;
    let count = 0;
    let last: Uint8Array | undefined;
    for (let at = from - this.#first; at < this.#entries.length; at++) {
      const { entry, certificate } = this.#entries[at] as { entry: Uint8Array; certificate: Uint8Array | undefined };
      // Not past the limit for the sake of a later certificate: chunks must not grow from hand to hand.
      if (last !== undefined && bytes + entry.length > maxBytes) break;
      entries.push(entry);
      bytes += entry.length;
      if (certificate === undefined) continue;
      count = entries.length;
      last = certificate;
    }
    return last === undefined ? undefined : { entries: entries.slice(0, count), certificate: last };
  }

  /** Everything from `from` on, for a new log file. */
  since(from: number): { index: number; entry: Uint8Array; certificate: Uint8Array | undefined }[] {
    return this.#entries.flatMap((one, i) => (this.#first + i >= from ? [{ index: this.#first + i, ...one }] : []));
  }
}
