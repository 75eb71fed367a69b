import { EventEmitter } from 'node:events';
import { hostname, userInfo } from 'node:os';
import type { Method } from '@trefoil/api';
import {
  type AcquireItem,
  type ConsumeItem,
  type CountingMode,
  fromBase64url,
  LIMITS,
  toBase64url,
  toName,
} from '@trefoil/license';
import { type ClientFile, decodeClientFile, encodeClientFile, readClientFile } from './client-file.ts';
import { checkedCount, checkedItems, checkedRelease, checkedText, checkedUses, type Release } from './arguments.ts';
import { borrow, type BorrowResult, checkedTime, extend, giveBack } from './borrowed/borrowing.ts';
import { borrowedFolder } from './borrowed/default-folder.ts';
import { ClientError } from './errors.ts';
import { Group } from './group.ts';
import { type ClientMachine, systemMachine } from './machine.ts';
import { PresentSession } from './present-session.ts';
import { Renewals } from './renewals.ts';
import { type AcquireResult, consumedResult, type ConsumeResult, deniedResult, refusedResult } from './results.ts';
import type { ReleaseResult, Seat } from './seat.ts';
import { notAnAnswer, type RenewResult, SeatKeeper } from './seat-keeper.ts';
import { type Answer, FORGOTTEN, type SavedSession, Session, type SessionRequest } from './session.ts';
import { CLOSED } from './submission.ts';
import { Verifier } from './verifier.ts';
import type { WaitOptions } from './waits.ts';

export interface ConnectOptions {
  /** The vendor's root public key, base64url: pin it in the application. Or a Verifier, shared by all clients of a process. */
  readonly vendor: string | Verifier;
  /** A path, or the contents; by default TREFOIL_CLIENT or the usual places. */
  readonly clientFile?: string | ClientFile;
  /** Claims, shown to admins and in denials; by default what the system says. */
  readonly user?: string;
  readonly host?: string;
  readonly program?: string;
  /** IP address of the machine, for an admin's rules; by default its first. */
  readonly address?: string;
  /** Of the application, like 7.2.1, and when it was released: licenses may be for certain versions, or for releases until a day. */
  readonly version?: string;
  readonly releasedAt?: Date;
  /** How long to wait for an answer before it is `unknown`, ms. Default 5,000. */
  readonly patienceMs?: number;
  /** For tests. */
  readonly machine?: ClientMachine;
}

export interface AcquireOptions {
  readonly feature?: string;
  /** Default 1. */
  readonly seats?: number;
  readonly mode?: CountingMode;
  /** Of the application; by default what `connect` was told. */
  readonly version?: string;
  readonly releasedAt?: Date;
  /** Waits so long if others have the seats, ms: first come, first served. Default 0. */
  readonly waitMs?: number;
  /** Told the place in the queue, 1 = the next, and again when it changes. */
  readonly onPlace?: (place: number) => void;
  /** Gives the wait up. */
  readonly signal?: AbortSignal;
}

/** `lost`: may not be used any more. `restored`: held again. `expiring`: will be lost at that time unless the cause goes away. */
export interface ClientEvents {
  lost: [{ readonly seat: Seat; readonly reason: string }];
  restored: [{ readonly seat: Seat }];
  expiring: [{ readonly seat: Seat; readonly inMs: number; readonly reason: string }];
}

const DEFAULT_PATIENCE_MS = 5_000;
const MAX_PATIENCE_MS = 60_000;

/**
 * Connects to a group and opens a session.
 *
 * ```ts
 * await using client = await connect({ vendor: VENDOR_ROOT_KEY });
 * const result = await client.acquire('cad');
 * if (result.kind === 'granted') await work(result.seat);
 * ```
 *
 * @throws ClientError `no-client-file`, `bad-client-file`, `bad-vendor-root`, `not-reachable`, `not-trusted`
 */
export function connect(options: ConnectOptions): Promise<Client> {
  return build(options, undefined);
}

export interface BorrowOptions extends Omit<AcquireOptions, 'waitMs' | 'onPlace' | 'signal'> {
  readonly forMs: number;
  /** Where it is kept on this machine; default: `borrowedFolder`. */
  readonly folder?: string;
}

/**
 * Goes on with a session that `detach` left.
 * @throws ClientError as `connect`, and `session-ended` when the group has given its seats away meanwhile
 */
export function resume(saved: SavedClient, options: ConnectOptions): Promise<Client> {
  return build(options, saved);
}

/** What `detach` leaves. Secret. */
export interface SavedClient {
  readonly format: 'trefoil-session-1';
  readonly session: SavedSession;
  readonly seats: readonly { readonly items: readonly AcquireItem[]; readonly hold: number; readonly secret: string }[];
  /** What nobody uses and the group may still hold: given back by who goes on. */
  readonly loose?: readonly { readonly hold: number; readonly secret: string }[];
}

async function build(options: ConnectOptions, saved: SavedClient | undefined): Promise<Client> {
  const { clientFile, patienceMs = DEFAULT_PATIENCE_MS, machine = systemMachine } = options;
  checkedCount('patienceMs', patienceMs, MAX_PATIENCE_MS);
  const claims = {
    user: claim('user', options.user, () => userInfo().username),
    host: claim('host', options.host, hostname),
    program: claim('program', options.program, () => process.title),
    address:
      options.address === undefined ? machine.address() : checkedText('address', options.address, LIMITS.addressBytes),
  };
  const verifier = options.vendor instanceof Verifier ? options.vendor : new Verifier(options.vendor);
  // What was put together by hand is checked like a file.
  const file =
    typeof clientFile === 'object'
      ? decodeClientFile(encodeClientFile(clientFile), 'clientFile')
      : await readClientFile(clientFile);
  const group = await Group.find({ file, verifier, machine, patienceMs });
  const client = new Client(new PresentSession(group, claims, patienceMs), checkedRelease(options));
  try {
    await (saved === undefined ? client.session() : client.takeOver(saved));
    return client;
  } catch (error) {
    client.abandon();
    throw error;
  }
}

function claim(what: string, given: string | undefined, bySystem: () => string): string {
  return given === undefined ? toName(bySystem(), LIMITS.nameBytes) : checkedText(what, given, LIMITS.nameBytes);
}

/** One application's connection: acquires seats, renews them by itself, gives them back. */
export class Client extends EventEmitter<ClientEvents> implements AsyncDisposable {
  readonly #session: PresentSession;
  readonly #keeper: SeatKeeper;
  readonly #renewals: Renewals;
  readonly #release: Release;
  #closing: Promise<ReleaseResult> | undefined;
  #idleSinceMs: number | undefined;

  constructor(session: PresentSession, release: Release = {}) {
    super();
    this.#release = release;
    this.#session = session;
    this.#keeper = new SeatKeeper(session);
    this.#renewals = new Renewals({
      machine: session.group.machine,
      stopwatch: session.group.stopwatch,
      seats: this.#keeper.seats,
      renew: () => this.#renewAll(),
      report: (name, event) => this.emit(name, event),
    });
    this.#keeper.onGranted = (seat) => this.#renewals.granted(seat);
    this.#keeper.onQueued = (renewWithinMs) => this.#renewals.schedule(renewWithinMs);
    this.#keeper.idleMs = () => this.#idleMs();
    session.onOpened = ({ timeoutMs }) => this.#renewals.schedule(timeoutMs);
  }

  get group(): Group {
    return this.#session.group;
  }

  get seats(): ReadonlySet<Seat> {
    return this.#keeper.seats;
  }

  /** The present session; a new one if the group has forgotten it. @throws ClientError */
  session(): Promise<Session> {
    return this.#session.get();
  }

  /** One seat (or more) of a product. */
  async acquire(product: string, options: AcquireOptions = {}): Promise<AcquireResult> {
    const { feature = '', seats = 1, mode, waitMs, onPlace, signal, ...release } = options;
    return this.acquireAll(
      [{ product, feature, seats, ...(mode !== undefined && { mode }), ...checkedRelease(release) }],
      {
        ...(waitMs !== undefined && { waitMs }),
        ...(onPlace !== undefined && { onPlace }),
        ...(signal !== undefined && { signal }),
      },
    );
  }

  /**
   * Seats of several licenses: all of them or none. With `waitMs` it waits for all of them at once.
   * @throws ClientError `bad-request`, `closed`, `not-reachable`; the signal's reason
   */
  async acquireAll(items: readonly AcquireItem[], wait: Partial<WaitOptions> = {}): Promise<AcquireResult> {
    const { waitMs = 0 } = wait;
    if (waitMs !== 0) checkedCount('waitMs', waitMs, LIMITS.waitMs);
    const asked = checkedItems(items).map((item) => ({ ...this.#release, ...item }));
    return this.#keeper.acquire(asked, { ...wait, waitMs });
  }

  /** Uses up units: so often what the feature weighs. `unknown` can be asked again: it is counted once. */
  consume(product: string, count: number, options: { feature?: string } = {}): Promise<ConsumeResult> {
    return this.consumeAll([{ product, feature: options.feature ?? '', count }]);
  }

  /** Several at once: all of them or none. */
  async consumeAll(items: readonly ConsumeItem[]): Promise<ConsumeResult> {
    const checked = checkedUses(items).map((item) => ({ ...this.#release, ...item }));
    return this.#consume({ kind: 'consume', items: checked });
  }

  /**
   * Seats for this machine, to be used without the group for `forMs`: see `openBorrowed`. They are kept in `folder`; one that holds a
   * question which nobody has answered yet asks it again.
   */
  async borrow(product: string, options: BorrowOptions): Promise<BorrowResult> {
    const { feature = '', seats = 1, mode, forMs, folder = borrowedFolder(product, feature), ...release } = options;
    const item = { product, feature, seats, ...(mode !== undefined && { mode }), ...checkedRelease(release) };
    const [asked] = checkedItems([item]) as [AcquireItem];
    return borrow(this.#session, folder, [{ ...this.#release, ...asked }], checkedTime(forMs));
  }

  /** Borrowed seats, for that long from now. */
  async extend(folder: string, forMs: number): Promise<BorrowResult> {
    return extend(this.#session, folder, checkedTime(forMs));
  }

  /** Borrowed seats, before their time is over. */
  giveBack(folder: string): Promise<ReleaseResult> {
    return giveBack(this.#session, folder);
  }

  /** Whether somebody uses the application: a hint for admins, and for those who wait for a seat. */
  set idle(idle: boolean) {
    this.#idleSinceMs = idle ? (this.#idleSinceMs ?? this.group.stopwatch.now()) : undefined;
  }

  #idleMs(): number {
    if (this.#idleSinceMs === undefined) return 0;
    return Math.min(0xffff_ffff, Math.max(1, Math.floor(this.group.stopwatch.now() - this.#idleSinceMs)));
  }

  async #consume(request: SessionRequest, attempt = 0): Promise<ConsumeResult> {
    const session = await this.session();
    const answer = await session.request(request, this.#session.patienceMs);
    // A session that was forgotten before it was ever answered has consumed nothing.
    const forgotten =
      answer.kind === 'outcome' &&
      answer.outcome.kind === 'refused' &&
      this.#session.goesOnAnew(session, answer.outcome, attempt);
    return forgotten ? this.#consume(request, attempt + 1) : this.#consumed(request, answer);
  }

  #consumed(request: SessionRequest, answer: Answer): ConsumeResult {
    if (answer.kind === 'unknown') {
      const again = async (): Promise<ConsumeResult> =>
        answer.requestId === 0 ? this.#consume(request) : this.#consumed(request, await answer.again());
      return { kind: 'unknown', reason: answer.reason, again };
    }
    const { outcome } = answer;
    if (outcome.kind === 'consumed') return consumedResult(outcome);
    if (outcome.kind === 'denied') return deniedResult(outcome);
    if (outcome.kind === 'refused') return refusedResult(outcome);
    throw notAnAnswer(outcome);
  }

  /** Renews now, out of turn. Seats get a new life. */
  renew(): Promise<RenewResult> {
    return this.#keeper.renew((seat, reason) => this.#renewals.willEnd(seat, reason));
  }

  async #renewAll(): Promise<number> {
    if (this.#session.closed) return Infinity;
    this.group.servers.warm();
    if ((await this.renew()) === 'unknown') throw new ClientError('not-reachable', 'nobody answered');
    this.#renewals.schedule(this.#keeper.waits.renewWithinMs);
    return this.#keeper.takeBackLost();
  }

  /** A read, answered by either TMR server: bodies as in trefoil.proto. */
  read(method: Exclude<Method, 'submit' | 'watch'>, body: Uint8Array): Promise<Uint8Array> {
    return this.group.servers.call(method, body, (reply) => reply, this.#session.patienceMs);
  }

  /** Leaves session and seats as they are, to go on in another process; they live until their time-out. */
  async detach(): Promise<SavedClient> {
    const session = await this.#settledSession();
    // Seats of an earlier session are lost, and their numbers are those of others in this one.
    const present = [...this.seats].filter((seat) => seat.session === session);
    const seats = present.map(({ items, hold, secret }) => ({ items, hold, secret: toBase64url(secret) }));
    const loose = this.#keeper.loose(session).map(({ hold, secret }) => ({ hold, secret: toBase64url(secret) }));
    this.#leave();
    this.group.close();
    return { format: 'trefoil-session-1', session: session.saved(), seats, ...(loose.length > 0 && { loose }) };
  }

  /** With nothing under way in it; and nothing new is asked from here on. */
  async #settledSession(): Promise<Session> {
    this.#keeper.isLeaving = true;
    try {
      await this.#keeper.settled(); // first: what is under way may go on in a new session
      return await this.session();
    } catch (error) {
      this.#keeper.stay();
      throw error;
    }
  }

  #leave(): Session | undefined {
    this.#renewals.stop();
    this.#keeper.waits.leave(CLOSED);
    for (const seat of this.seats) seat.leave();
    this.#keeper.seats.clear();
    return this.#session.leave();
  }

  /** @internal It could not be connected. */
  abandon(): void {
    this.#leave();
    this.group.close();
  }

  /** @internal Used by `resume`. */
  async takeOver(saved: SavedClient): Promise<void> {
    const session = Session.resume(this.group, saved.session);
    for (const { hold, secret } of saved.loose ?? [])
      session.loose.set(hold, { secret: fromBase64url(secret), givenBack: true });
    const { patienceMs } = this.#session;
    const answer = await session.renew(patienceMs);
    if (answer.kind === 'unknown' && answer.reason === FORGOTTEN)
      throw new ClientError('session-ended', 'the session was used since it was saved: its seats were given back then');
    if (answer.kind === 'unknown') throw new ClientError('not-reachable', answer.reason);
    const { outcome } = answer;
    if (outcome.kind === 'refused' && outcome.code === 'evicted') {
      // Nobody has the seats in use any more: free at once instead of at the end of their lives.
      const closed = await session.close(patienceMs);
      const free = closed.kind === 'outcome' ? 'its seats are free now' : 'its seats will be free within its time-out';
      throw new ClientError('session-ended', `an admin has ended the session (${outcome.detail}); ${free}`);
    }
    // The next number of the session was used already: by this process, whose answer was lost, or by another.
    if (outcome.kind === 'refused' && outcome.code === 'other-bytes')
      throw new ClientError(
        'session-ended',
        'somebody has gone on with the session before; unless that one lives, its seats are free within its time-out',
      );
    if (outcome.kind !== 'renewed')
      throw new ClientError('session-ended', 'the session had ended before; its seats are free');
    this.#session.adopt(session);
    const seats = saved.seats.map(({ items, hold, secret }) => ({ items, hold, secret: fromBase64url(secret) }));
    this.#keeper.adopt(session, seats, answer);
    this.#renewals.schedule(saved.session.timeoutMs);
  }

  /** Gives everything back and ends the session. `unknown`: nobody answered; the group does it within the session's time-out. */
  close(): Promise<ReleaseResult> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<ReleaseResult> {
    if (this.#session.closed) return { kind: 'released' }; // detached: there is nothing here to give back
    const session = this.#leave();
    try {
      if (session === undefined || session.ended) return { kind: 'released' }; // and its seats with it
      const answer = await session.close(Math.min(this.#session.patienceMs, 2_000));
      return answer.kind === 'unknown' ? { kind: 'unknown', reason: answer.reason } : { kind: 'released' };
    } finally {
      this.group.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
