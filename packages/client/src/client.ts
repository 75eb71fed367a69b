import { EventEmitter } from 'node:events';
import { hostname, userInfo } from 'node:os';
import type { Certified, Method } from '@trefoil/api';
import {
  type AcquireItem,
  type CountingMode,
  type Grant,
  type GrantBundle,
  LicenseError,
  LIMITS,
  type Outcome,
  fromBase64url,
  toBase64url,
  toName,
} from '@trefoil/license';
import { type ClientFile, readClientFile } from './client-file.ts';
import { checkedCode, checkedCount, checkedItems, checkedText } from './arguments.ts';
import { ClientError } from './errors.ts';
import { Group } from './group.ts';
import { type ClientMachine, systemMachine } from './machine.ts';
import { Renewals } from './renewals.ts';
import { type AcquireResult, type ConsumeResult, deniedResult, refusedResult } from './results.ts';
import { Seat, type ReleaseResult, type SeatOwner } from './seat.ts';
import { type Answer, type SavedSession, Session } from './session.ts';
import type { Moment } from './time.ts';
import { Verifier } from './verifier.ts';

export interface ConnectOptions {
  /** The vendor's root public key, base64url: pin it in the application. Or a Verifier, shared by all clients of a process. */
  readonly vendor: string | Verifier;
  /** A path, or the contents; by default TREFOIL_CLIENT or the usual places. */
  readonly clientFile?: string | ClientFile;
  /** Claims, shown to admins and in denials; by default what the system says. */
  readonly user?: string;
  readonly host?: string;
  readonly program?: string;
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
}

async function build(options: ConnectOptions, saved: SavedClient | undefined): Promise<Client> {
  const { clientFile, patienceMs = DEFAULT_PATIENCE_MS, machine = systemMachine } = options;
  checkedCount('patienceMs', patienceMs, MAX_PATIENCE_MS);
  const claims = {
    user: claim('user', options.user, () => userInfo().username),
    host: claim('host', options.host, hostname),
    program: claim('program', options.program, () => process.title),
  };
  const verifier = options.vendor instanceof Verifier ? options.vendor : new Verifier(options.vendor);
  const file = typeof clientFile === 'object' ? clientFile : await readClientFile(clientFile);
  const group = await Group.find({ file, verifier, machine, patienceMs });
  const client = new Client(group, claims, patienceMs);
  try {
    await (saved === undefined ? client.session() : client.takeOver(saved));
    return client;
  } catch (error) {
    group.close();
    throw error;
  }
}

function claim(what: string, given: string | undefined, bySystem: () => string): string {
  return given === undefined ? toName(bySystem(), LIMITS.nameBytes) : checkedText(what, given, LIMITS.nameBytes);
}

/** One application's connection: acquires seats, renews them by itself, gives them back. */
export class Client extends EventEmitter<ClientEvents> implements AsyncDisposable, SeatOwner {
  readonly #group: Group;
  readonly #claims: { user: string; host: string; program: string };
  readonly #patienceMs: number;
  readonly #seats = new Set<Seat>();
  /** Acquires whose outcome is unknown: what they were granted and nobody asks for is given back at the next renewal. */
  readonly #unclaimed = new Map<number, { readonly secret: Uint8Array; givenBack: boolean }>();
  /** What an admin has ended is not taken back behind his back. */
  readonly #evicted = new WeakSet<Seat>();
  readonly #renewals: Renewals;
  #session: Session | undefined;
  #opening: Promise<Session> | undefined;
  #closed = false;

  constructor(group: Group, claims: { user: string; host: string; program: string }, patienceMs: number) {
    super();
    this.#group = group;
    this.#claims = claims;
    this.#patienceMs = patienceMs;
    this.#renewals = new Renewals({
      machine: group.machine,
      seats: this.#seats,
      renew: () => this.#renewAll(),
      report: (name, event) => this.emit(name, event),
    });
  }

  get group(): Group {
    return this.#group;
  }

  get seats(): ReadonlySet<Seat> {
    return this.#seats;
  }

  /** The present session; a new one if the group has forgotten it. @throws ClientError */
  session(): Promise<Session> {
    if (this.#closed) return Promise.reject(new ClientError('closed', 'the client is closed'));
    if (this.#session !== undefined) return Promise.resolve(this.#session);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<Session> {
    const opened = await Session.open(this.#group, this.#claims, this.#patienceMs);
    if (opened instanceof Session) {
      this.#session = opened;
      this.#renewals.schedule(opened.timeoutMs);
      return opened;
    }
    const reason =
      opened.kind === 'unknown'
        ? opened.reason
        : opened.kind === 'refused'
          ? `refused: ${opened.code} ${opened.detail}`
          : opened.kind;
    throw new ClientError('not-reachable', `no session could be opened: ${reason}`);
  }

  /** One seat (or more) of a product. */
  acquire(product: string, options: AcquireOptions = {}): Promise<AcquireResult> {
    const { feature = '', seats = 1, mode } = options;
    return this.acquireAll([{ product, feature, seats, ...(mode !== undefined && { mode }) }]);
  }

  /** Seats of several licenses: all of them or none. @throws ClientError `bad-request` */
  async acquireAll(given: readonly AcquireItem[]): Promise<AcquireResult> {
    const items = checkedItems(given);
    const session = await this.session();
    const secret = this.#group.machine.secret();
    const answer = await session.acquire(items, this.#group.crypto.sha256(secret), this.#patienceMs);
    return this.#acquired(session, items, secret, answer);
  }

  async #acquired(
    session: Session,
    items: readonly AcquireItem[],
    secret: Uint8Array,
    answer: Answer,
  ): Promise<AcquireResult> {
    if (answer.kind === 'unknown') {
      const { requestId, reason } = answer;
      this.#unclaimed.set(requestId, { secret, givenBack: false });
      const again = async (): Promise<AcquireResult> => {
        if (this.#unclaimed.get(requestId)?.givenBack !== false) return this.acquireAll(items);
        this.#unclaimed.delete(requestId);
        return this.#acquired(session, items, secret, await answer.again());
      };
      return { kind: 'unknown', reason, again };
    }
    const { outcome, certified, sentAt } = answer;
    if (outcome.kind === 'denied') return deniedResult(outcome);
    if (outcome.kind !== 'granted') return this.#refused(session, outcome) ?? this.acquireAll(items);
    this.#checkGrants(session, outcome.grants, secret, items);
    const seat = new Seat(this, items, { secret, grants: outcome.grants, certified, sentAt });
    this.#seats.add(seat);
    this.#renewals.schedule(seat.lifeMs);
    return { kind: 'granted', seat };
  }

  /** A session that the group has forgotten is opened anew, once; undefined = try again with it. */
  #refused(session: Session, outcome: Outcome): Extract<AcquireResult, { kind: 'refused' }> | undefined {
    if (outcome.kind !== 'refused') throw new Error(`an outcome that does not answer this request: ${outcome.kind}`);
    if (outcome.code !== 'unknown-session' || this.#session !== session) return refusedResult(outcome);
    this.#forget(session);
    return undefined;
  }

  #forget(session: Session): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#unclaimed.clear();
  }

  /** The proof may be right and still be of something else than was asked for. */
  #checkGrants(session: Session, grants: readonly Grant[], secret: Uint8Array, items?: readonly AcquireItem[]): void {
    const own = { sessionKey: session.key.publicKey.bytes, releaseHash: this.#group.crypto.sha256(secret) };
    for (const grant of grants) this.#group.verifier.grant(grant, own);
    items?.forEach((item, i) => {
      const grant = grants[i];
      if (
        grant === undefined ||
        grant.product !== item.product ||
        grant.feature !== item.feature ||
        grant.seats !== item.seats
      )
        throw new LicenseError('wrong-license', 'the grant is for something else than was asked for');
    });
  }

  /** Uses up prepaid units. `unknown` can be asked again: it is counted once. */
  async consume(product: string, units: number, options: { feature?: string } = {}): Promise<ConsumeResult> {
    const { feature = '' } = options;
    const request = {
      ...({ kind: 'consume', product: checkedCode('product', product) } as const),
      feature: feature === '' ? '' : checkedCode('feature', feature),
      units: checkedCount('units', units, LIMITS.units),
    };
    const session = await this.session();
    return this.#consumed(await session.request(request, this.#patienceMs));
  }

  #consumed(answer: Answer): ConsumeResult {
    if (answer.kind === 'unknown')
      return { kind: 'unknown', reason: answer.reason, again: async () => this.#consumed(await answer.again()) };
    const { outcome } = answer;
    if (outcome.kind === 'consumed') return { kind: 'consumed', units: outcome.units, remaining: outcome.remaining };
    if (outcome.kind === 'denied') return deniedResult(outcome);
    if (outcome.kind === 'refused') return refusedResult(outcome);
    throw new Error(`an outcome that does not answer this request: ${outcome.kind}`);
  }

  async release(seat: Seat): Promise<ReleaseResult> {
    this.#seats.delete(seat);
    const session = this.#session;
    if (session === undefined || this.#closed) return { kind: 'released' }; // the session is gone, and its seats with it
    const answer = await session.request({ kind: 'release', hold: seat.hold, secret: seat.secret }, this.#patienceMs);
    if (answer.kind === 'unknown') {
      // It would be renewed with the others: given back at the next renewal that brings it.
      this.#unclaimed.set(seat.hold, { secret: seat.secret, givenBack: true });
      return { kind: 'unknown', reason: answer.reason };
    }
    const { outcome } = answer;
    if (outcome.kind === 'released') return { kind: 'released' };
    const code = outcome.kind === 'refused' ? outcome.code : outcome.kind;
    return code === 'unknown-session' || code === 'unknown-hold' ? { kind: 'released' } : { kind: 'refused', code };
  }

  /** Renews now, out of turn. Seats get a new life. */
  async renew(): Promise<'renewed' | 'refused' | 'unknown'> {
    const session = await this.session();
    const answer = await session.request({ kind: 'renew' }, this.#patienceMs);
    if (answer.kind === 'unknown') return 'unknown';
    const { outcome, certified, sentAt } = answer;
    if (outcome.kind !== 'renewed') return this.#notRenewed(session, outcome);
    for (const seat of this.#seats) {
      const grants = outcome.grants.filter((grant) => grant.hold === seat.hold);
      if (grants.length === 0) continue;
      this.#checkGrants(session, grants, seat.secret);
      seat.renewed({ grants, certified, sentAt });
    }
    for (const grant of outcome.grants) await this.#giveBackUnclaimed(session, grant.hold);
    return 'renewed';
  }

  /** Nobody asked again for what an unanswered acquire has brought: it would be renewed for as long as the client lives. */
  async #giveBackUnclaimed(session: Session, hold: number): Promise<void> {
    const unclaimed = this.#unclaimed.get(hold);
    if (unclaimed === undefined) return;
    unclaimed.givenBack = true; // from here on, asking again is asking for another seat
    const answer = await session.request({ kind: 'release', hold, secret: unclaimed.secret }, this.#patienceMs);
    if (answer.kind === 'outcome') this.#unclaimed.delete(hold);
  }

  #notRenewed(session: Session, outcome: Outcome): 'refused' {
    const code = outcome.kind === 'refused' ? outcome.code : outcome.kind;
    if (code === 'unknown-session') this.#forget(session);
    const evicted = outcome.kind === 'refused' && code === 'evicted';
    for (const seat of this.#seats) {
      if (evicted) this.#evicted.add(seat);
      this.#renewals.willEnd(seat, evicted ? `evicted: ${outcome.detail}` : code);
    }
    return 'refused';
  }

  async #renewAll(): Promise<void> {
    if (this.#closed) return;
    if ((await this.renew()) === 'unknown') throw new ClientError('not-reachable', 'nobody answered');
    // Lost while asleep or cut off: the same seats are asked for again, until there are some. Not what an admin has taken away.
    const gone = this.#session === undefined;
    for (const seat of this.#seats) if ((gone || !seat.valid) && !this.#evicted.has(seat)) await this.#takeBack(seat);
  }

  async #takeBack(seat: Seat): Promise<void> {
    const session = await this.session();
    const secret = this.#group.machine.secret();
    const answer = await session.acquire(seat.items, this.#group.crypto.sha256(secret), this.#patienceMs);
    if (answer.kind === 'unknown' || answer.outcome.kind !== 'granted') return;
    const { grants } = answer.outcome;
    this.#checkGrants(session, grants, secret, seat.items);
    seat.renewed({ grants, certified: answer.certified, sentAt: answer.sentAt, secret });
  }

  bundle(certified: Certified, grants: readonly Grant[]): GrantBundle {
    return this.#group.bundle(certified, grants);
  }

  now(): Moment {
    return this.#group.machine.now();
  }

  /** A read, answered by either TMR server: bodies as in trefoil.proto. */
  read(method: Exclude<Method, 'submit' | 'watch'>, body: Uint8Array): Promise<Uint8Array> {
    return this.#group.servers.call(method, body, this.#patienceMs);
  }

  /** Leaves session and seats as they are, to go on in another process; they live until their time-out. */
  async detach(): Promise<SavedClient> {
    const session = await this.session();
    const seats = [...this.#seats].map((seat) => ({
      items: seat.items,
      hold: seat.hold,
      secret: toBase64url(seat.secret),
    }));
    this.#closed = true;
    this.#renewals.stop();
    this.#group.close();
    return { format: 'trefoil-session-1', session: session.saved(), seats };
  }

  /** @internal Used by `resume`. */
  async takeOver(saved: SavedClient): Promise<void> {
    this.#session = Session.resume(this.#group, saved.session);
    const answer = await this.#session.request({ kind: 'renew' }, this.#patienceMs);
    if (answer.kind === 'unknown') throw new ClientError('not-reachable', answer.reason);
    const { outcome, certified, sentAt } = answer;
    if (outcome.kind !== 'renewed')
      throw new ClientError('session-ended', 'the session has ended; its seats are free again');
    for (const { items, hold, secret } of saved.seats) {
      const grants = outcome.grants.filter((grant) => grant.hold === hold);
      if (grants.length === 0) continue;
      const seat = new Seat(this, items, { secret: fromBase64url(secret), grants, certified, sentAt });
      this.#checkGrants(this.#session, grants, seat.secret);
      this.#seats.add(seat);
    }
    this.#renewals.schedule(saved.session.timeoutMs);
  }

  /** Gives everything back and ends the session. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#renewals.stop();
    for (const seat of this.#seats) seat.lost = true;
    this.#seats.clear();
    await this.#session?.close(Math.min(this.#patienceMs, 2_000));
    this.#group.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
