import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** All chance of a run. Two draws in another order are another run, so each part of the world has a stream of its own. */
export class Random {
  readonly #generator: ReturnType<typeof xoroshiro128plus>;

  constructor(seed: number) {
    this.#generator = xoroshiro128plus(seed);
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
