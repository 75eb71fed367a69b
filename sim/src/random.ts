import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

const GOLDEN = 0x9e3779b9;

/** All chance of a run. Two draws in another order are another run, so each part of the world has a stream of its own. */
export class Random {
  readonly #generator: ReturnType<typeof xoroshiro128plusFromState>;

  constructor(seed: number) {
    // Small seeds differ in a few bits only, and the generator's first draws would hardly differ at all.
    this.#generator = xoroshiro128plusFromState([1, 2, 3, 4].map((word) => mixed(seed + word * GOLDEN)));
  }

  /** A stream of its own. */
  fork(): Random {
    return new Random(this.#generator.next());
  }

  /** In [0, 1). */
  readonly unit = (): number => (this.#generator.next() >>> 0) / 0x1_0000_0000;

  /** In [from, to). */
  between(from: number, to: number): number {
    return from + this.unit() * (to - from);
  }

  /** A whole number below `n`. */
  below(n: number): number {
    return Math.floor(this.unit() * n);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(from: readonly T[]): T {
    const one = from[this.below(from.length)];
    if (one === undefined) throw new RangeError('nothing to pick from');
    return one;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256));
  }
}

/** The end of MurmurHash3: each bit of the word depends on each. */
function mixed(word: number): number {
  let bits = word | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
