import { bytesKey, concatBytes } from '@trefoil/license';

/** Bytes of an outcome: kind, command hash, session, request id, and what follows (FORMATS §5.2). */
const AT = { session: 33, requestId: 49, hold: 57 } as const;
const GRANTED = 2;
const UNSERVED = 14;

/**
 * Who wants to be told when his wait has ended. Told by what is certified, entry by entry, so that ten thousand who wait cost nothing
 * until it is somebody's turn.
 */
export class AwaitedTurns {
  readonly #awaited = new Map<string, Set<() => void>>();

  /** Calls `done` once, unless it is called off by what is returned. */
  add(session: Uint8Array, hold: number, done: () => void): () => void {
    const key = keyOf(session, hold);
    const all = this.#awaited.get(key) ?? new Set();
    this.#awaited.set(key, all.add(done));
    return () => {
      all.delete(done);
      if (all.size === 0 && this.#awaited.get(key) === all) this.#awaited.delete(key);
    };
  }

  certified(outcomes: readonly Uint8Array[]): void {
    if (this.#awaited.size === 0) return;
    for (const outcome of outcomes) {
      if (outcome[0] === GRANTED) this.#tell(bytesKey(outcome.subarray(AT.session, AT.hold)));
      else if (outcome[0] === UNSERVED)
        this.#tell(
          bytesKey(concatBytes(outcome.subarray(AT.session, AT.requestId), outcome.subarray(AT.hold, AT.hold + 8))),
        );
    }
  }

  #tell(key: string): void {
    const all = this.#awaited.get(key);
    if (all === undefined) return;
    this.#awaited.delete(key);
    for (const done of all) done();
  }
}

function keyOf(session: Uint8Array, hold: number): string {
  const number = new Uint8Array(8);
  new DataView(number.buffer).setBigUint64(0, BigInt(hold));
  return bytesKey(concatBytes(session, number));
}
