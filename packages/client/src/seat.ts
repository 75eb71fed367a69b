import type { Certified } from '@trefoil/api';
import { type AcquireItem, type Grant, type GrantBundle, encodeGrantBundle } from '@trefoil/license';
import type { Session } from './session.ts';
import { remainingMs } from './time.ts';

/** What a seat needs of the client that holds it. */
export interface SeatOwner {
  release(seat: Seat): Promise<ReleaseResult>;
  bundle(certified: Certified): GrantBundle;
  /** ms by the client's Stopwatch. */
  nowMs(): number;
}

/** `unknown`: nobody answered; the group frees the seat by itself within the session time-out. */
export type ReleaseResult =
  | { readonly kind: 'released' }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'unknown'; readonly reason: string };

/** What the group granted, and when it was asked. */
interface Issue {
  readonly session: Session;
  readonly grants: readonly Grant[];
  readonly certified: Certified;
  readonly sentAtMs: number;
  readonly secret?: Uint8Array;
}

/**
 * Seats that an application holds: of one license, or of several taken together. Renewed by itself until released. With
 * `await using` it is given back at the end of the block.
 */
export class Seat implements AsyncDisposable {
  readonly items: readonly AcquireItem[];
  readonly #owner: SeatOwner;
  #hold: number;
  #secret: Uint8Array;
  #grants: readonly Grant[];
  #certified: Certified;
  #issuedAtMs: number;
  #session: Session;
  #released = false;
  #left = false;
  #releasing: Promise<ReleaseResult> | undefined;
  /** Set by the client when a life ran out without renewal; cleared when the seat is held again. */
  lost = false;
  warned = false;
  /** An admin has ended it: it is not taken back behind his back. */
  evicted = false;
  /** Why the group does not renew it. */
  refusal: string | undefined;

  constructor(owner: SeatOwner, items: readonly AcquireItem[], issue: Issue & { readonly secret: Uint8Array }) {
    this.#owner = owner;
    this.items = items;
    this.#session = issue.session;
    this.#secret = issue.secret;
    this.#grants = issue.grants;
    this.#certified = issue.certified;
    this.#issuedAtMs = issue.sentAtMs;
    this.#hold = issue.grants[0]?.hold ?? 0;
  }

  /** @internal The session it is held in. */
  get session(): Session {
    return this.#session;
  }

  /** Number of the request that acquired it; unique in its session. */
  get hold(): number {
    return this.#hold;
  }

  get secret(): Uint8Array {
    return this.#secret;
  }

  get grants(): readonly Grant[] {
    return this.#grants;
  }

  /** Shortest life of its grants, ms. None outlives its license or feature. */
  get lifeMs(): number {
    return lifeOf(this.#grants);
  }

  /** Its license or feature ends before the life that was granted does. */
  get ends(): boolean {
    return this.#grants.some(({ lifeMs, issuedUtc, notAfter }) => untilEnd(issuedUtc, notAfter) < lifeMs);
  }

  /** The client is closed, or goes on elsewhere: it isn't used here any more. */
  leave(): void {
    this.#left = true;
    this.lost = true;
  }

  /** How long it may be used without another word from the group, ms; ≤ 0 = it may not. */
  get remainingMs(): number {
    return this.#released || this.#left ? 0 : remainingMs(this.#issuedAtMs, this.lifeMs, this.#owner.nowMs());
  }

  /** May the application go on? Ask as often as you like: it costs two clock reads. */
  get valid(): boolean {
    return this.remainingMs > 0;
  }

  get released(): boolean {
    return this.#released;
  }

  /** Everything that proves the newest grant, for `trefoil verify` or any other verifier. */
  proof(): string {
    return encodeGrantBundle(this.#owner.bundle(this.#certified));
  }

  /** The client renewed it, or got it back. */
  renewed(issue: Issue): void {
    this.#session = issue.session;
    this.#grants = issue.grants;
    this.#certified = issue.certified;
    this.#issuedAtMs = issue.sentAtMs;
    this.#hold = issue.grants[0]?.hold ?? this.#hold;
    if (issue.secret !== undefined) this.#secret = issue.secret;
    this.warned &&= this.ends;
    this.refusal = undefined;
  }

  /** Gives it back. A second call says the same; after `unknown` it asks again. */
  async release(): Promise<ReleaseResult> {
    // From here on it isn't used, whatever the answer will be.
    this.#released = true;
    this.#releasing ??= this.#owner.release(this);
    let result: ReleaseResult | undefined;
    try {
      result = await this.#releasing;
      return result;
    } finally {
      if (result === undefined || result.kind === 'unknown') this.#releasing = undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

/** The shortest of them, ms. */
export function lifeOf(grants: readonly Grant[]): number {
  return Math.min(...grants.map(({ lifeMs, issuedUtc, notAfter }) => Math.min(lifeMs, untilEnd(issuedUtc, notAfter))));
}

/** By the group's own clock, ms; a grant's notAfter of 0 means that there is no end. */
function untilEnd(issuedUtc: number, notAfter: number): number {
  return notAfter === 0 ? Infinity : notAfter - issuedUtc;
}
