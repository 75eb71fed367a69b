import type { Certified } from '@trefoil/api';
import { type AcquireItem, type Grant, type GrantBundle, type Outcome } from '@trefoil/license';
import { ClientError } from './errors.ts';
import type { PresentSession } from './present-session.ts';
import { type AcquireResult, deniedResult, refusedResult } from './results.ts';
import { CLOSED } from './submission.ts';
import { Seat, type ReleaseResult, type SeatOwner } from './seat.ts';
import { type Answer, FORGOTTEN, type Session } from './session.ts';
import { checkItems, grantsOf } from './verifier.ts';
import { untilAborted, type WaitOptions, Waits } from './waits.ts';

/** Between two questions for a lost seat that somebody else has. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 10_000;

const LEAVING = 'the session goes on in another process';

export type RenewResult = 'renewed' | 'refused' | 'unknown';

/** What an application wants, and the how many-th time it is asked for. */
interface Wanted {
  readonly items: readonly AcquireItem[];
  readonly wait: WaitOptions;
  readonly attempt: number;
}

const AT_ONCE: WaitOptions = { waitMs: 0 };

/** A lost seat that was asked for again, and nobody has answered yet. */
interface Asked {
  readonly session: Session;
  readonly requestId: number;
  readonly secret: Uint8Array;
  readonly again: () => Promise<Answer>;
}

/** Acquires seats, renews them, gives them back, and takes back those that were lost by no fault of the application. */
export class SeatKeeper implements SeatOwner {
  readonly seats = new Set<Seat>();
  readonly #session: PresentSession;
  readonly #asked = new Map<Seat, Asked>();
  readonly #takingBack = new Set<Seat>();
  readonly waits: Waits;
  /** Seats may come of these. */
  readonly #underWay = new Set<Promise<unknown>>();
  /** Lost seats that somebody else had when they were asked for. */
  readonly #refusals = new WeakMap<Seat, { readonly times: number; readonly nextAtMs: number }>();
  /** Held by the group as of the last renewal: if its answer came too late to count, the next one will not. */
  #renewed: ReadonlySet<Seat> = new Set();
  /** The session goes on elsewhere: nothing new is begun here, for nobody would know of it there. */
  isLeaving = false;
  onGranted: (seat: Seat) => void = () => undefined;
  /** Renewals have to come this often from now on, ms; 0 = at once. */
  onQueued: (renewWithinMs: number) => void = () => undefined;
  /** How long nobody has used the application; 0 = it is in use. */
  idleMs: () => number = () => 0;

  constructor(session: PresentSession) {
    this.#session = session;
    this.waits = new Waits(session.group, (renewWithinMs) => this.onQueued(renewWithinMs));
  }

  /** @throws ClientError `closed`, `not-reachable` */
  acquire(items: readonly AcquireItem[], wait: WaitOptions = AT_ONCE): Promise<AcquireResult> {
    if (this.isLeaving) return Promise.reject(new ClientError('closed', LEAVING));
    return this.#settles(this.#acquire({ items, wait, attempt: 0 }));
  }

  #settles<T>(underWay: Promise<T>): Promise<T> {
    this.#underWay.add(underWay);
    const done = (): void => void this.#underWay.delete(underWay);
    underWay.then(done, done);
    return underWay;
  }

  /** It could not leave. */
  stay(): void {
    this.isLeaving = false;
    this.waits.stay();
  }

  /** When nothing is being acquired or taken back any more. What waits is given up: nobody would know of it elsewhere. */
  async settled(): Promise<void> {
    this.waits.leave(LEAVING);
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  /** What a session may hold and nobody uses. */
  loose(session: Session): { readonly hold: number; readonly secret: Uint8Array }[] {
    const asked = [...this.#asked.values()].filter((one) => one.session === session);
    return [
      ...[...session.loose].map(([hold, { secret }]) => ({ hold, secret })),
      ...asked.map(({ requestId, secret }) => ({ hold: requestId, secret })),
    ].filter(({ hold }) => hold !== 0);
  }

  async #acquire(asked: Wanted): Promise<AcquireResult> {
    const session = await this.#session.get();
    asked.wait.signal?.throwIfAborted();
    const secret = this.#session.group.machine.secret();
    const answer = await this.#request(session, asked.items, secret, asked.wait.waitMs);
    return this.#acquired(session, { ...asked, secret }, answer);
  }

  #request(session: Session, items: readonly AcquireItem[], secret: Uint8Array, waitMs: number): Promise<Answer> {
    const releaseHash = this.#session.group.crypto.sha256(secret);
    return session.acquire(items, { releaseHash, waitMs }, this.#session.patienceMs);
  }

  async #acquired(
    session: Session,
    asked: Wanted & { readonly secret: Uint8Array },
    answer: Answer,
  ): Promise<AcquireResult> {
    const { items, secret, attempt, wait } = asked;
    if (answer.kind === 'unknown') {
      const { requestId, reason } = answer;
      // What is forgotten is never answered: if it was granted, the next renewal shows it, and it is given back.
      const isLost = reason === FORGOTTEN || requestId === 0;
      session.loose.set(requestId, { secret, givenBack: isLost });
      let askedAgain: Promise<AcquireResult> | undefined;
      const askAgain = async (): Promise<AcquireResult> => {
        if (session.ended || session.loose.get(requestId)?.givenBack !== false) return this.acquire(items, wait);
        // Asked for again: the next renewal must not give it back. Unless nobody would take the question.
        session.loose.delete(requestId);
        const second = await answer.again().catch((error: unknown) => {
          session.loose.set(requestId, { secret, givenBack: false });
          throw error;
        });
        return this.#acquired(session, asked, second);
      };
      const again = async (): Promise<AcquireResult> => {
        if (this.isLeaving) throw new ClientError('closed', LEAVING);
        // Asked twice, it is the same seat.
        askedAgain ??= this.#settles(askAgain());
        const asking = askedAgain;
        let result: AcquireResult | undefined;
        try {
          result = await asking;
          return result;
        } finally {
          if ((result === undefined || result.kind === 'unknown') && askedAgain === asking) askedAgain = undefined;
        }
      };
      return { kind: 'unknown', reason, again };
    }
    const { outcome, certified, sentAtMs } = answer;
    if (outcome.kind === 'denied') return deniedResult(outcome);
    if (outcome.kind === 'refused') {
      const again = this.#session.goesOnAnew(session, outcome, attempt);
      return again ? this.#acquire({ ...asked, attempt: attempt + 1 }) : refusedResult(outcome);
    }
    if (outcome.kind === 'queued') return this.#queued(session, asked, outcome);
    if (outcome.kind !== 'granted') throw notAnAnswer(outcome);
    return this.#granted(session, asked, { grants: outcome.grants, certified, sentAtMs });
  }

  #granted(
    session: Session,
    asked: Wanted & { readonly secret: Uint8Array },
    issue: { readonly grants: readonly Grant[]; readonly certified: Certified; readonly sentAtMs: number },
  ): AcquireResult | Promise<AcquireResult> {
    const { items, secret } = asked;
    // Closed meanwhile: the group gives it away at once, whatever it has granted before.
    if (this.#session.closed) return { kind: 'unknown', reason: CLOSED, again: () => this.acquire(items) };
    this.#check(session, issue.grants, secret, items);
    const seat = new Seat(this, items, { session, secret, ...issue });
    if (!seat.valid) return this.#tooLate(seat, asked);
    this.seats.add(seat);
    this.onGranted(seat);
    return { kind: 'granted', seat };
  }

  /** Its life counts from the first question: when the answer came it was over, and somebody else may have it by now. */
  async #tooLate({ session, hold, secret }: Seat, asked: Wanted): Promise<AcquireResult> {
    const answer = await this.#giveBack(session, hold, secret);
    if (answer.kind === 'outcome' && answer.outcome.kind === 'refused')
      this.#session.goesOnAnew(session, answer.outcome); // it slept longer than the session
    const { items, wait, attempt } = asked;
    if (attempt === 0) return this.#acquire({ ...asked, attempt: 1 });
    return { kind: 'unknown', reason: 'the answer came too late to be used', again: () => this.acquire(items, wait) };
  }

  /** Others have the seats; it stands in the group's queue. What comes of it, a renewal shows. */
  async #queued(
    session: Session,
    asked: Wanted & { readonly secret: Uint8Array },
    outcome: Outcome & { kind: 'queued' },
  ): Promise<AcquireResult> {
    const { items, secret, wait } = asked;
    const { requestId: hold } = outcome;
    const sinceMs = this.nowMs();
    const ended = this.waits.add(session, outcome, { sinceMs, ...wait });
    const leftMs = (): number => Math.max(0, Math.floor(wait.waitMs - (this.nowMs() - sinceMs)));
    const end = await untilAborted(ended, wait.signal);
    switch (end?.kind) {
      case 'granted':
        return this.#granted(session, asked, end);
      case 'over': // The group says who has the seats to those who ask.
        return this.#acquire({ items, wait: { ...wait, waitMs: 0 }, attempt: 0 });
      case 'anew':
        return this.#acquire({ items, wait: { ...wait, waitMs: leftMs() }, attempt: 0 });
      case 'refused':
        return refusedResult(end.outcome);
      case 'left':
        if (!this.#session.closed) await this.#giveBack(session, hold, secret);
        return { kind: 'unknown', reason: end.reason, again: () => this.acquire(items, wait) };
      case undefined:
        this.waits.forget(session, hold);
        await this.#giveBack(session, hold, secret).catch(() => undefined); // the next renewal shows it, and it is given back
        throw wait.signal?.reason;
    }
  }

  /** Seats of a session that goes on in this process, by the outcome of a renewal. */
  adopt(
    session: Session,
    saved: readonly { items: readonly AcquireItem[]; hold: number; secret: Uint8Array }[],
    renewed: Answer & { kind: 'outcome' },
  ): void {
    const { outcome, certified, sentAtMs } = renewed;
    for (const { items, hold, secret } of saved) {
      const grants = grantsOf(outcome, hold);
      if (grants.length === 0) continue;
      this.#check(session, grants, secret);
      this.seats.add(new Seat(this, items, { session, secret, grants, certified, sentAtMs }));
    }
  }

  /** Renews all seats of the present session, and gives back what nobody asks for. */
  async renew(willEnd: (seat: Seat, reason: string) => void): Promise<RenewResult> {
    const session = await this.#session.get();
    const answer = await session.renew(this.#session.patienceMs, this.idleMs());
    if (answer.kind === 'unknown') return 'unknown';
    const { outcome, certified, sentAtMs } = answer;
    if (outcome.kind !== 'renewed') {
      this.#notRenewed(session, outcome, willEnd);
      return 'refused';
    }
    this.waits.renewed(session, answer);
    const renewed = new Set<Seat>();
    for (const seat of this.seats) {
      const grants = seat.session === session ? grantsOf(outcome, seat.hold) : [];
      if (grants.length === 0) continue;
      this.#check(session, grants, seat.secret);
      seat.renewed({ session, grants, certified, sentAtMs });
      if (seat.valid) this.#askNoMore(seat); // it is there again: a license that had ended was extended
      renewed.add(seat);
    }
    this.#renewed = renewed;
    // Who waits for their answers renews nothing meanwhile; the next renewal shows whether there was one.
    for (const { hold } of [...outcome.grants, ...outcome.waiting])
      this.#giveBackLoose(session, hold).catch(() => undefined);
    return 'renewed';
  }

  #notRenewed(session: Session, outcome: Outcome, willEnd: (seat: Seat, reason: string) => void): void {
    if (outcome.kind !== 'refused') throw notAnAnswer(outcome);
    this.#session.goesOnAnew(session, outcome);
    this.waits.notRenewed(session, outcome);
    const evicted = outcome.code === 'evicted';
    for (const seat of this.seats) {
      if (seat.session !== session) continue;
      if (evicted) seat.evicted = true;
      willEnd(seat, evicted ? `evicted: ${outcome.detail}` : outcome.code);
    }
  }

  /** Nobody asked again for what an unanswered request has brought: it would be renewed for as long as the client lives. */
  async #giveBackLoose(session: Session, hold: number): Promise<void> {
    const loose = session.loose.get(hold);
    if (loose === undefined) return;
    loose.givenBack = true; // from here on, asking again is asking for another seat
    await this.#giveBack(session, hold, loose.secret);
  }

  async #giveBack(session: Session, hold: number, secret: Uint8Array): Promise<Answer> {
    session.loose.set(hold, { secret, givenBack: true });
    const answer = await session.request({ kind: 'release', hold, secret }, this.#session.patienceMs);
    if (answer.kind === 'outcome') session.loose.delete(hold);
    return answer;
  }

  /**
   * Lost while asleep or cut off: the same seats are asked for again, until there are some; more and more seldom while somebody
   * else has them. Not what an admin has taken away. Waits for no answer, so that others are renewed meanwhile. Says in how many ms
   * to do so again; Infinity = none is lost.
   */
  takeBackLost(): number {
    let againInMs = Infinity;
    for (const seat of this.isLeaving ? [] : this.seats) {
      if (this.#isLost(seat) && this.#pauseMs(seat) <= 0 && !this.#takingBack.has(seat)) void this.#takeBackOnce(seat);
      const isGone = seat.session.ended || !seat.valid;
      if (isGone && !seat.evicted) againInMs = Math.min(againInMs, Math.max(FIRST_PAUSE_MS, this.#pauseMs(seat)));
    }
    return againInMs;
  }

  async #takeBackOnce(seat: Seat): Promise<void> {
    this.#takingBack.add(seat);
    try {
      await this.#settles(this.#takeBack(seat));
    } catch {
      // Nobody can be reached, or no answer can be believed: the next round asks again.
    } finally {
      this.#takingBack.delete(seat);
    }
  }

  #pauseMs(seat: Seat): number {
    return (this.#refusals.get(seat)?.nextAtMs ?? 0) - this.nowMs();
  }

  #isLost(seat: Seat): boolean {
    const isHeld = this.#renewed.has(seat) && !seat.session.ended;
    return (seat.session.ended || !seat.valid) && !isHeld && !seat.evicted;
  }

  #refused(seat: Seat): void {
    const times = (this.#refusals.get(seat)?.times ?? 0) + 1;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (times - 1));
    this.#refusals.set(seat, { times, nextAtMs: this.nowMs() + pauseMs });
  }

  async #takeBack(seat: Seat): Promise<void> {
    const session = await this.#session.get();
    const before = this.#asked.get(seat);
    this.#asked.delete(seat);
    const goesOn = before?.session === session;
    const secret = goesOn ? before.secret : this.#session.group.machine.secret();
    const answer = await (goesOn ? before.again() : this.#request(session, seat.items, secret, 0));
    if (answer.kind === 'unknown') {
      const { requestId, reason, again } = answer;
      if (seat.released || reason === FORGOTTEN) session.loose.set(requestId, { secret, givenBack: seat.released });
      else this.#asked.set(seat, { session, requestId, secret, again });
      return;
    }
    if (answer.outcome.kind !== 'granted') {
      this.#refused(seat);
      return;
    }
    this.#refusals.delete(seat);
    const { grants } = answer.outcome;
    this.#check(session, grants, secret, seat.items);
    // The application may have given it up while the group was asked.
    if (seat.released) await this.#giveBack(session, grants[0]?.hold ?? 0, secret);
    else {
      // What the last renewal did not show may be there all the same, while its license has ended.
      if (seat.session === session) this.#giveBack(session, seat.hold, seat.secret).catch(() => undefined);
      seat.renewed({ session, grants, certified: answer.certified, sentAtMs: answer.sentAtMs, secret });
      this.onGranted(seat);
    }
  }

  /** If it was granted, the next renewal shows it, and it is given back. */
  #askNoMore(seat: Seat): void {
    const asked = this.#asked.get(seat);
    this.#asked.delete(seat);
    if (asked !== undefined) asked.session.loose.set(asked.requestId, { secret: asked.secret, givenBack: true });
  }

  async release(seat: Seat): Promise<ReleaseResult> {
    this.seats.delete(seat);
    this.#askNoMore(seat);
    const { session, hold, secret } = seat;
    if (session.ended) return { kind: 'released' }; // and its seats with it
    if (this.#session.closed) return { kind: 'unknown', reason: 'the client was closed, and nobody answered' };
    const answer = await this.#giveBack(session, hold, secret);
    if (answer.kind === 'unknown') return { kind: 'unknown', reason: answer.reason };
    const { outcome } = answer;
    if (outcome.kind === 'released') return { kind: 'released' };
    const code = outcome.kind === 'refused' ? outcome.code : outcome.kind;
    return code === 'unknown-session' || code === 'unknown-hold' ? { kind: 'released' } : { kind: 'refused', code };
  }

  /** The proof may be right and still be of something else than was asked for. */
  #check(session: Session, grants: readonly Grant[], secret: Uint8Array, items?: readonly AcquireItem[]): void {
    const { verifier, crypto } = this.#session.group;
    const own = { sessionKey: session.key.publicKey.bytes, releaseHash: crypto.sha256(secret) };
    for (const grant of grants) verifier.grant(grant, own);
    if (items !== undefined) checkItems(grants, items);
  }

  bundle(certified: Certified): GrantBundle {
    return this.#session.group.bundle(certified);
  }

  nowMs(): number {
    return this.#session.group.stopwatch.now();
  }
}

export function notAnAnswer(outcome: Outcome): Error {
  return new Error(`an outcome that does not answer this request: ${outcome.kind}`);
}
