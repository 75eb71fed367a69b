import { type Certified, fromBinary, type SubmitFields, type SubmitReply, SubmitReplySchema } from '@trefoil/api';
import { LicenseError } from '@trefoil/license';
import { ClientError, UnshownLicense } from './errors.ts';
import type { ClientMachine } from './machine.ts';
import type { ServerConnection } from './server-connection.ts';

export type SubmitResult<T> =
  | { readonly kind: 'certified'; readonly certified: Certified; readonly outcome: T }
  /** Nobody answered in time, or they said they can't now: it may have been done or not. */
  | { readonly kind: 'unknown'; readonly reason: string }
  /** A server won't take these bytes; asking again doesn't help. */
  | { readonly kind: 'rejected'; readonly reason: string };

export const FIRST_RETRY_MS = 10;
export const LAST_RETRY_MS = 400;
/** Whatever a server says of when to come back. */
const MOST_RETRY_MS = 2_000;
/** Who is sent to and fro for so long asks for another to serve. */
const STUCK_AFTER_MS = 2_000;
/** The second server is asked long before patience ends, however slow answers were of late. */
const HEDGES_IN_PATIENCE = 4;
/** Whoever has to be dialled first may never answer: an address that is on its way to another host says nothing at all. */
const DIALLED_HEDGE_MS = 50;
export const CLOSED = 'the client is closed';

/** Of all the servers that a client knows. */
interface Servers {
  readonly machine: ClientMachine;
  readonly connections: readonly ServerConnection[];
  readonly preferred: ServerConnection;
  readonly closed: boolean;
  readonly hedgeAfterMs: number;
  /** Since when nothing that was asked has got a certified answer, ms. */
  readonly unservedMs: number;
  now(): number;
  /** Whether it could be reached, as far as is known. */
  reachable(connection: ServerConnection): boolean;
  redirected(to: string): ServerConnection | undefined;
  answeredBy(connection: ServerConnection, tookMs: number): void;
  settled(submission: { close(): void }): void;
  request(command: Uint8Array, patienceMs: number, stuck: boolean): SubmitFields;
}

interface Asked<T> {
  readonly command: Uint8Array;
  readonly patienceMs: number;
  readonly prove: (certified: Certified) => Promise<T>;
  readonly resolve: (result: SubmitResult<T>) => void;
  readonly reject: (error: unknown) => void;
}

/** One command on its way. The same request may be with both servers at once: it is done once. */
export class Submission<T> {
  readonly #servers: Servers;
  readonly #asked: Asked<T>;
  readonly #askedAt: number;
  readonly #until: number;
  readonly #hedgeAfterMs: number;
  #callOffHedge: () => void = () => undefined;
  #hedgeAt = Infinity;
  /** Who will be asked again, one time each: so waiting long never means asking more often, and one keeps nobody from another. */
  readonly #retries = new Map<ServerConnection, { readonly at: number; readonly callOff: () => void }>();
  #failures = 0;
  /** Who has it and hasn't answered. */
  readonly #open = new Set<ServerConnection>();
  /** Who says that it will not be done. */
  readonly #refusals = new Set<ServerConnection>();
  #settled = false;
  #reason = 'no answer in time';
  #stuck = false;
  /** Answers that led to nothing but to another server; pauses grow with them. */
  #detours = 0;
  #unavailables = 0;
  /** Who was asked, longest ago first. */
  readonly #turns = new Set<ServerConnection>();

  constructor(servers: Servers, asked: Asked<T>) {
    this.#servers = servers;
    this.#asked = asked;
    this.#askedAt = servers.now();
    this.#until = this.#askedAt + asked.patienceMs;
    this.#hedgeAfterMs = Math.min(servers.hedgeAfterMs, asked.patienceMs / HEDGES_IN_PATIENCE);
  }

  start(): void {
    this.#ask(this.#servers.preferred);
    if (!this.#settled) this.#hedgeWithin(this.#hedgeAfterMs);
  }

  /** Nobody will answer any more. */
  close(): void {
    this.#settle({ kind: 'unknown', reason: CLOSED });
  }

  #ask(connection: ServerConnection): void {
    if (this.#settled) return;
    if (this.#servers.closed) {
      this.close();
      return;
    }
    if (this.#open.has(connection)) {
      this.#detour(connection);
      return;
    }
    this.#callOffRetry(connection);
    this.#open.add(connection);
    this.#turns.delete(connection);
    this.#turns.add(connection);
    if (!connection.connected) this.#hedgeWithin(DIALLED_HEDGE_MS);
    const patienceMs = this.#until - this.#servers.now();
    connection.submit(this.#servers.request(this.#asked.command, patienceMs, this.#stuck), (result) => {
      this.#open.delete(connection);
      if (this.#settled) return;
      if (result.kind === 'lost') this.#lost(connection, result.reason);
      else if (result.kind === 'refused') this.#refused(connection, result.message);
      else this.#answered(connection, result.body);
    });
  }

  /** One alone may be wrong, or false, and another may have the request, or do it: all have to say so. */
  #refused(connection: ServerConnection, reason: string): void {
    this.#reason = reason;
    this.#refusals.add(connection);
    const others = this.#servers.connections.filter((one) => !this.#refusals.has(one));
    const other = this.#byTurns(others.filter((one) => !this.#open.has(one)));
    if (other !== undefined) this.#ask(other);
    else if (others.length > 0)
      return; // they have it
    else if (this.#failures === 0) this.#settle({ kind: 'rejected', reason });
    else this.#settle({ kind: 'unknown', reason }); // somebody had it and was lost
  }

  /**
   * It has the request and is silent: perhaps its machine stands still, and the network won't tell. The other one will lead
   * soon and knows nothing of the request yet.
   */
  #detour(silent: ServerConnection): void {
    const other = this.#next(silent);
    if (other === undefined) return; // all have it: one of them will answer, or the deadline comes
    this.#detours++;
    this.#later(this.#backOff(this.#detours), other);
  }

  #answered(connection: ServerConnection, body: Uint8Array): void {
    let result: SubmitReply['result'];
    try {
      ({ result } = fromBinary(SubmitReplySchema, body));
    } catch {
      return this.#lost(connection, `${connection.address} answers with something that is no answer`);
    }
    switch (result.case) {
      case 'certified':
        void this.#prove(connection, result.value);
        return;
      case 'redirect':
        this.#redirected(connection, result.value.address);
        return;
      case 'unavailable':
        this.#reason = `the group can't answer now (${result.value.reason})`;
        this.#unavailable(connection, result.value.retryAfterMs);
        return;
      default:
        this.#detours++;
        this.#later(this.#backOff(this.#detours), this.#next(connection) ?? connection);
    }
  }

  async #prove(connection: ServerConnection, certified: Certified): Promise<void> {
    try {
      const outcome = await this.#asked.prove(certified);
      if (this.#settled) return;
      this.#servers.answeredBy(connection, this.#servers.now() - this.#askedAt);
      this.#settle({ kind: 'certified', certified, outcome });
    } catch (error) {
      if (this.#settled) return;
      if (error instanceof UnshownLicense) this.#settle({ kind: 'unknown', reason: error.message });
      else if (error instanceof LicenseError || error instanceof ClientError)
        this.#lost(connection, `the answer is not to be believed: ${error.message}`);
      else {
        this.#end();
        this.#asked.reject(error);
      }
    }
  }

  #redirected(connection: ServerConnection, address: string): void {
    const target = this.#servers.redirected(address);
    const unreachable = target === undefined || !this.#servers.reachable(target);
    // Who should serve can't be reached from here, or doesn't: the standby has to know, or it would send us there for ever.
    const unserved = this.#servers.unservedMs > Math.max(STUCK_AFTER_MS, this.#servers.hedgeAfterMs);
    this.#stuck = (unreachable && this.#failures > 4) || unserved;
    const pauseMs = this.#backOff(this.#detours++);
    if (target === undefined) this.#later(pauseMs, this.#next(connection) ?? connection);
    else if (this.#stuck) this.#later(Math.max(pauseMs, FIRST_RETRY_MS * 5), connection);
    else if (target === connection) this.#later(pauseMs, this.#next(connection) ?? connection);
    else if (unreachable) this.#later(this.#backOff(this.#failures), target);
    // In a takeover each of two may take the other for the one who leads.
    else if (this.#detours > 1) this.#later(pauseMs, target);
    else this.#ask(target);
  }

  #lost(connection: ServerConnection, reason: string): void {
    this.#reason = reason;
    this.#failures++;
    const other = this.#next(connection) ?? connection;
    if (this.#failures === 1 || this.#servers.closed) this.#ask(other);
    else this.#later(this.#backOff(this.#failures), other);
  }

  /** Where it is busy, or says so: there again in a moment, but who says so for ever must not keep us from the others. */
  #unavailable(connection: ServerConnection, retryAfterMs: number): void {
    const { preferred } = this.#servers;
    this.#unavailables++;
    const other = this.#unavailables % 2 === 1 && !this.#open.has(preferred) ? preferred : this.#next(connection);
    const atMostMs = other === undefined || other === connection ? MOST_RETRY_MS : LAST_RETRY_MS;
    this.#later(Math.min(atMostMs, Math.max(FIRST_RETRY_MS, retryAfterMs)), other ?? connection);
  }

  /** Of those who don't have it: who can be reached, as far as is known, and was asked longest ago or not at all; then who is connected. */
  #next(than: ServerConnection): ServerConnection | undefined {
    const free = this.#servers.connections.filter((one) => one !== than && !this.#open.has(one));
    const reachable = free.filter((one) => this.#servers.reachable(one));
    return this.#byTurns(reachable.length > 0 ? reachable : free);
  }

  #byTurns(some: readonly ServerConnection[]): ServerConnection | undefined {
    const order = [...this.#turns];
    const dialled = (one: ServerConnection): number => (one.connected ? 0 : 1);
    return some.toSorted((a, b) => order.indexOf(a) - order.indexOf(b) || dialled(a) - dialled(b))[0];
  }

  /** Full jitter: after a takeover a thousand clients don't come back in step. */
  #backOff(times: number): number {
    const atMost = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(times, 6));
    return FIRST_RETRY_MS / 2 + this.#servers.machine.chance() * atMost;
  }

  #later(ms: number, connection: ServerConnection): void {
    const { machine } = this.#servers;
    const at = this.#servers.now() + ms * (0.75 + machine.chance() / 2);
    // After the deadline its own timer ends it; and what is asked sooner covers this.
    if (at > this.#until || at >= (this.#retries.get(connection)?.at ?? Infinity)) return;
    this.#callOffRetry(connection);
    const retry = (): void => {
      this.#retries.delete(connection);
      this.#ask(connection);
    };
    this.#retries.set(connection, { at, callOff: machine.later(at - this.#servers.now(), retry, 'background') });
  }

  #callOffRetry(connection: ServerConnection): void {
    this.#retries.get(connection)?.callOff();
    this.#retries.delete(connection);
  }

  /** Sooner than was planned, or as planned. */
  #hedgeWithin(ms: number): void {
    const at = this.#servers.now() + ms;
    if (at >= this.#hedgeAt) return;
    this.#hedgeAt = at;
    this.#callOffHedge();
    this.#callOffHedge = this.#servers.machine.later(ms, () => this.#hedge());
  }

  #hedge(): void {
    this.#hedgeAt = Infinity;
    const left = this.#until - this.#servers.now();
    if (left <= 0) {
      this.#settle({ kind: 'unknown', reason: this.#reason });
      return;
    }
    const { preferred } = this.#servers;
    const isFree = !this.#open.has(preferred) && this.#servers.reachable(preferred);
    const next = isFree ? preferred : this.#next(preferred);
    if (next !== undefined) this.#ask(next);
    // From here on seldom: what is under way is retried by its own answers.
    const againMs = Math.min(left, 5 * this.#hedgeAfterMs);
    this.#hedgeWithin(againMs);
  }

  #settle(result: SubmitResult<T>): void {
    this.#end();
    this.#asked.resolve(result);
  }

  #end(): void {
    this.#settled = true;
    this.#callOffHedge();
    for (const connection of [...this.#retries.keys()]) this.#callOffRetry(connection);
    this.#servers.settled(this);
  }
}
