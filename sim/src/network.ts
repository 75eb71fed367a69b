import type { Member, TmrServer } from '@trefoil/license';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** C0 is where the clients are. */
export type Place = TmrServer | `L${Member}` | 'C0';

export interface Weather {
  /** One way, in ms. */
  minMs: number;
  maxMs: number;
  /** Of messages: none of this can happen within a TLS connection, and nothing may depend on that. */
  lost: number;
  doubled: number;
  /** Overtaken by those sent after it. */
  held: number;
}

export const CALM: Weather = { minMs: 0.05, maxMs: 0.6, lost: 0, doubled: 0, held: 0 };

/** Ways between places, each direction by itself. */
export class Network {
  readonly #world: World;
  readonly #random: Random;
  readonly cuts = new Set<string>();
  weather: Weather = CALM;
  /** Kept for a replay in another connection, as whoever listens in could. */
  readonly heard: { from: Place; to: Place; bytes: Uint8Array }[] = [];

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  isCut(from: Place, to: Place): boolean {
    return this.cuts.has(`${from}>${to}`) || this.cuts.has(`${from}>*`) || this.cuts.has(`*>${to}`);
  }

  delayMs(): number {
    return this.#random.between(this.weather.minMs, this.weather.maxMs);
  }

  /**
   * One direction of a connection: in order, unless the weather is bad. Where `breaks` is given, bad weather breaks the
   * connection instead, as it does in TCP: an SDK may rely on that, the protocol between servers does not.
   */
  way(
    from: Place,
    to: Place,
    alive: () => boolean,
    deliver: (bytes: Uint8Array) => void,
    breaks?: () => void,
  ): (bytes: Uint8Array) => void {
    let lastAt = 0;
    return (sent) => {
      const bytes = sent.slice();
      if (this.isCut(from, to)) return;
      const { lost, doubled, held } = this.weather;
      if (lost > 0 && this.#random.chance(lost)) {
        this.#world.count(breaks === undefined ? 'message lost' : 'client connection broken');
        return breaks?.();
      }
      const arrive = (ms: number, inOrder: boolean): void => {
        const at = this.#world.agenda.now + ms;
        const when = inOrder ? Math.max(at, lastAt) : at;
        if (inOrder) lastAt = when;
        this.#world.agenda.at(when, () => {
          if (!alive() || this.isCut(from, to)) return;
          this.#world.trace(`${from}>${to}`, bytes);
          deliver(bytes);
        });
      };
      if (held > 0 && breaks === undefined && this.#random.chance(held)) {
        this.#world.count('message overtaken');
        arrive(this.delayMs() * 20, false);
      } else arrive(this.delayMs(), true);
      if (doubled > 0 && breaks === undefined && this.#random.chance(doubled)) {
        this.#world.count('message doubled');
        arrive(this.delayMs() * 5, false);
      }
      if (breaks === undefined && this.#random.chance(0.01)) this.#remember({ from, to, bytes });
    };
  }

  #remember(message: { from: Place; to: Place; bytes: Uint8Array }): void {
    this.heard.push(message);
    if (this.heard.length > 200) this.heard.splice(this.#random.below(this.heard.length), 1);
  }
}
