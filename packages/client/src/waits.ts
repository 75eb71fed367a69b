import type { Certified } from '@trefoil/api';
import type { Grant, Outcome } from '@trefoil/license';
import type { Group } from './group.ts';
import type { Answer, Session } from './session.ts';

export interface WaitOptions {
  /** For so long it waits while others have the seats, ms; 0 = not at all. */
  readonly waitMs: number;
  /** Told at first, and when it changes: 1 = the next. */
  readonly onPlace?: (place: number) => void;
  /** Gives the wait up: `acquire` then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** How a wait ended. `over`: there was no seat in time. `anew`: the group forgot the session, and the wait with it. */
export type WaitEnd =
  | {
      readonly kind: 'granted';
      readonly grants: readonly Grant[];
      readonly certified: Certified;
      readonly sentAtMs: number;
    }
  | { readonly kind: 'over' }
  | { readonly kind: 'anew' }
  | { readonly kind: 'refused'; readonly outcome: Outcome & { kind: 'refused' } }
  | { readonly kind: 'left'; readonly reason: string };

interface Waiting {
  readonly session: Session;
  /** The request that waits; the hold's number when it is served. */
  readonly hold: number;
  readonly renewWithinMs: number;
  /** By the client's Stopwatch: a renewal that was sent before says nothing of it. */
  readonly sinceMs: number;
  readonly onPlace: ((place: number) => void) | undefined;
  readonly end: (end: WaitEnd) => void;
  place: number;
}

/** Between two questions whether it is a wait's turn. */
const HINT_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 10_000;

/** What this client waits for. It learns from its renewals what came of it; a hint of the server's only makes it renew sooner. */
export class Waits {
  readonly #waiting = new Set<Waiting>();
  readonly #group: Group;
  readonly #renewWithin: (ms: number) => void;
  /** Why nobody waits here any more. */
  #left: string | undefined;

  constructor(group: Group, renewWithin: (ms: number) => void) {
    this.#group = group;
    this.#renewWithin = renewWithin;
  }

  /** Until it ends. `sinceMs`: by the client's Stopwatch. */
  add(
    session: Session,
    { requestId: hold, place, renewWithinMs }: Outcome & { kind: 'queued' },
    { sinceMs, onPlace }: { readonly sinceMs: number; readonly onPlace?: (place: number) => void },
  ): Promise<WaitEnd> {
    // Whose answer came while the client was leaving.
    if (this.#left !== undefined) return Promise.resolve({ kind: 'left', reason: this.#left });
    const { promise, resolve } = Promise.withResolvers<WaitEnd>();
    const one: Waiting = { session, hold, renewWithinMs, sinceMs, onPlace, end: resolve, place: 0 };
    this.#waiting.add(one);
    tell(one, place);
    this.#renewWithin(renewWithinMs);
    void this.#hearOfTurn(one);
    return promise.finally(() => this.#waiting.delete(one));
  }

  /** A server's word is enough to renew sooner; it is the renewal that counts. */
  async #hearOfTurn(one: Waiting): Promise<void> {
    let pauseMs = HINT_PAUSE_MS / 2;
    while (this.#waiting.has(one)) {
      const askedAt = this.#group.servers.now();
      const waiting = await this.#group.awaitTurn(one.session.handle, one.hold).catch(() => undefined);
      if (!this.#waiting.has(one)) return;
      if (waiting === false) this.#renewWithin(0);
      // Who has kept the question is asked at once again; who answers at once, or what no renewal bears out, less and less often.
      const kept = this.#group.servers.now() - askedAt > HINT_PAUSE_MS;
      pauseMs = kept ? HINT_PAUSE_MS / 2 : Math.min(LONGEST_PAUSE_MS, 2 * pauseMs);
      if (kept && waiting === true) continue;
      await new Promise<void>((resolve) => this.#group.machine.later(pauseMs, resolve, 'background'));
    }
  }

  /** Renewals have to come more often than this, ms; Infinity = nothing waits. */
  get renewWithinMs(): number {
    return Math.min(Infinity, ...[...this.#waiting].map((one) => one.renewWithinMs));
  }

  renewed(session: Session, { outcome, certified, sentAtMs }: Answer & { kind: 'outcome' }): void {
    if (outcome.kind !== 'renewed') return;
    for (const one of this.#waiting) {
      if (one.session !== session) continue;
      const grants = outcome.grants.filter((grant) => grant.hold === one.hold);
      const still = outcome.waiting.find((waiting) => waiting.hold === one.hold);
      if (grants.length > 0) one.end({ kind: 'granted', grants, certified, sentAtMs });
      else if (still !== undefined) tell(one, still.place);
      else if (sentAtMs >= one.sinceMs) one.end({ kind: 'over' });
    }
  }

  notRenewed(session: Session, outcome: Outcome & { kind: 'refused' }): void {
    for (const one of this.#waiting) {
      if (one.session !== session) continue;
      if (session.ended) one.end({ kind: 'anew' });
      else if (outcome.code === 'evicted') one.end({ kind: 'refused', outcome }); // else it stands where it stood
    }
  }

  /** It was given up. */
  forget(session: Session, hold: number): void {
    for (const one of this.#waiting) if (one.session === session && one.hold === hold) this.#waiting.delete(one);
  }

  /** It stays after all. */
  stay(): void {
    this.#left = undefined;
  }

  /** The client is closed, or goes on elsewhere. */
  leave(reason: string): void {
    this.#left = reason;
    for (const one of this.#waiting) one.end({ kind: 'left', reason });
  }
}

/** undefined = the signal came first. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (signal === undefined) return promise;
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const listener = (): void => resolve(undefined);
  signal.addEventListener('abort', listener);
  try {
    if (signal.aborted) return undefined;
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', listener);
  }
}

function tell(one: Waiting, place: number): void {
  if (place === one.place) return;
  one.place = place;
  const { onPlace } = one;
  // It is the application's: what it throws is its own, and must not stop a renewal.
  if (onPlace !== undefined) queueMicrotask(() => onPlace(place));
}
