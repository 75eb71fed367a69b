import {
  type Certified,
  fromBinary,
  type Method,
  type SubmitFields,
  type SubmitReply,
  SubmitReplySchema,
} from '@trefoil/api';
import { LicenseError } from '@trefoil/license';
import type { ClientFile } from './client-file.ts';
import { ClientError, UnshownLicense } from './errors.ts';
import type { ClientMachine } from './machine.ts';
import { type CallResult, ServerConnection } from './server-connection.ts';

export type SubmitResult<T> =
  | { readonly kind: 'certified'; readonly certified: Certified; readonly outcome: T }
  /** Nobody answered in time, or they said they can't now: it may have been done or not. */
  | { readonly kind: 'unknown'; readonly reason: string }
  /** A server won't take these bytes; asking again doesn't help. */
  | { readonly kind: 'rejected'; readonly reason: string };

/** A second server is asked when the first is silent for this long, or for three times what answers usually take at worst. */
const HEDGE_MS = 100;
const LAST_HEDGE_MS = 2_000;
/** How fast the worst answer is forgotten. */
const SLOWEST_DECAY = 0.98;
const FIRST_RETRY_MS = 10;
const LAST_RETRY_MS = 400;
/** A server that could not be reached so recently needn't be tried before the other. */
const FAILED_RECENTLY_MS = 1_000;
/** Virtual IP and both TMR servers, today's and those that come after a change; a false server could name thousands. */
const MOST_ADDRESSES = 16;
const CLOSED = 'the client is closed';

/** Both TMR servers and the virtual IP: finds the active one, keeps the others warm, asks again until it is answered. */
export class Servers {
  readonly machine: ClientMachine;
  readonly #connections: ServerConnection[];
  readonly #set: Uint8Array;
  #preferred: ServerConnection;
  #slowestMs = 0;
  closed = false;

  constructor(file: ClientFile, set: Uint8Array, machine: ClientMachine) {
    this.machine = machine;
    this.#connections = file.addresses.map((address) => new ServerConnection(address, file, machine));
    this.#preferred = this.#connections[0] as ServerConnection;
    this.#set = set;
  }

  /** Adds addresses that a server named, and prefers the active one. */
  learn(addresses: readonly string[], active: string, file: ClientFile): void {
    for (const address of addresses.slice(0, MOST_ADDRESSES))
      if (this.#connections.length < MOST_ADDRESSES && !this.#connections.some((one) => one.address === address))
        this.#connections.push(new ServerConnection(address, file, this.machine));
    this.#prefer(active);
    for (const connection of this.#connections) connection.warm();
  }

  #prefer(address: string): ServerConnection | undefined {
    const found = this.#connections.find((one) => one.address === address);
    if (found !== undefined) this.#preferred = found;
    return found;
  }

  #others(than: ServerConnection): ServerConnection[] {
    return this.#connections.filter((one) => one !== than);
  }

  /**
   * A read, from whoever gives an answer that `read` takes. A refusal, or what `read` throws, speaks against one server alone,
   * until all who answer do so. @throws ClientError `not-reachable`, and what `read` throws
   */
  async call<T>(method: Method, body: Uint8Array, read: (reply: Uint8Array) => T, patienceMs = 5_000): Promise<T> {
    const until = this.now() + patienceMs;
    let reason = 'no answer';
    for (let attempt = 0; this.now() < until && !this.closed; attempt++) {
      let refusal: unknown;
      for (const connection of [this.#preferred, ...this.#others(this.#preferred)]) {
        const timeoutMs = Math.max(50, Math.min(1_000, until - this.now()));
        const result = await this.#callOnce(connection, method, body, timeoutMs);
        if (result.kind === 'lost') {
          reason = result.reason;
          continue;
        }
        try {
          if (result.kind === 'reply') return read(result.body);
          throw new ClientError('not-reachable', result.message);
        } catch (error) {
          refusal ??= error;
        }
      }
      if (refusal !== undefined) throw refusal;
      const pauseMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
      await new Promise<void>((resolve) => this.machine.later(pauseMs, resolve));
    }
    if (this.closed) throw new ClientError('closed', CLOSED);
    const all = this.#connections.map((one) => one.address).join(', ');
    throw new ClientError('not-reachable', `no TMR server answers (tried ${all}): ${reason}`);
  }

  /** Items of a stream until `stop`; opens it again after a loss. */
  watch(method: Method, body: Uint8Array, onItem: (body: Uint8Array) => void): () => void {
    let stopped = false;
    let cancel: () => void = () => undefined;
    const open = (connection: ServerConnection): void => {
      if (stopped) return;
      const again = (): void => {
        const next = this.#others(connection)[0] ?? connection;
        this.machine.later(FIRST_RETRY_MS * 10, () => open(next), 'background');
      };
      cancel = connection.call(method, body, again, onItem);
    };
    open(this.#preferred);
    return () => {
      stopped = true;
      cancel();
    };
  }

  /**
   * The same bytes, to one server after the other, until there is a certified outcome or patience ends. `prove` throws
   * LicenseError or ClientError at an answer that proves nothing: that is as good as none; at UnshownLicense nobody knows.
   */
  submit<T>(
    command: Uint8Array,
    patienceMs: number,
    prove: (certified: Certified) => Promise<T>,
  ): Promise<SubmitResult<T>> {
    return new Promise((resolve, reject) => {
      new Submission(this, { command, patienceMs, prove, resolve, reject }).start();
    });
  }

  get preferred(): ServerConnection {
    return this.#preferred;
  }

  request(command: Uint8Array, patienceMs: number, stuck: boolean): SubmitFields {
    return { set: this.#set, command, patienceMs: Math.max(1, Math.round(patienceMs)), stuck };
  }

  other(than: ServerConnection): ServerConnection {
    const others = this.#others(than);
    return others.find((one) => this.now() - one.failedAt > FAILED_RECENTLY_MS) ?? others[0] ?? than;
  }

  redirected(to: string): ServerConnection | undefined {
    return this.#prefer(to);
  }

  answeredBy(connection: ServerConnection, tookMs: number): void {
    this.#preferred = connection;
    this.#slowestMs = Math.max(tookMs, this.#slowestMs * SLOWEST_DECAY);
  }

  /** Under load everything takes longer: asking twice then would only add to the load. */
  get hedgeAfterMs(): number {
    return Math.min(LAST_HEDGE_MS, Math.max(HEDGE_MS, 3 * this.#slowestMs));
  }

  /** Monotonic ms. */
  now(): number {
    return this.machine.now().monotonicMs;
  }

  #callOnce(connection: ServerConnection, method: Method, body: Uint8Array, timeoutMs: number): Promise<CallResult> {
    return new Promise((resolve) => {
      const callOff = this.machine.later(timeoutMs, () => {
        cancel();
        resolve({ kind: 'lost', reason: `${connection.address} does not answer` });
      });
      const cancel = connection.call(method, body, (result) => {
        callOff();
        resolve(result);
      });
    });
  }

  /** Who still waits for an answer learns at once that there will be none. */
  close(): void {
    this.closed = true;
    for (const connection of this.#connections) connection.close();
  }
}

interface Asked<T> {
  readonly command: Uint8Array;
  readonly patienceMs: number;
  readonly prove: (certified: Certified) => Promise<T>;
  readonly resolve: (result: SubmitResult<T>) => void;
  readonly reject: (error: unknown) => void;
}

/** One command on its way. The same request may be with both servers at once: it is done once. */
class Submission<T> {
  readonly #servers: Servers;
  readonly #asked: Asked<T>;
  readonly #askedAt: number;
  readonly #until: number;
  #callOff: () => void = () => undefined;
  #failures = 0;
  /** Who has it and hasn't answered. */
  readonly #open = new Set<ServerConnection>();
  /** Who says that it will not be done. */
  readonly #refusals = new Set<ServerConnection>();
  #settled = false;
  #reason = 'no answer in time';
  #stuck = false;
  #detours = 0;

  constructor(servers: Servers, asked: Asked<T>) {
    this.#servers = servers;
    this.#asked = asked;
    this.#askedAt = servers.now();
    this.#until = this.#askedAt + asked.patienceMs;
  }

  start(): void {
    this.#ask(this.#servers.preferred);
    this.#callOff = this.#servers.machine.later(this.#servers.hedgeAfterMs, () => this.#hedge());
  }

  #ask(connection: ServerConnection): void {
    if (this.#settled) return;
    if (this.#servers.closed) {
      this.#settle({ kind: 'unknown', reason: CLOSED });
      return;
    }
    if (this.#open.has(connection)) {
      this.#detour(connection);
      return;
    }
    this.#open.add(connection);
    const patienceMs = this.#until - this.#servers.now();
    connection.submit(this.#servers.request(this.#asked.command, patienceMs, this.#stuck), (result) => {
      this.#open.delete(connection);
      if (this.#settled) return;
      if (result.kind === 'lost') this.#lost(connection, result.reason);
      else if (result.kind === 'refused') this.#refused(connection, result.message);
      else this.#answered(connection, result.body);
    });
  }

  /** One alone may be wrong, or false, and the other may have the request, or do it: it has to say so, too. */
  #refused(connection: ServerConnection, reason: string): void {
    this.#reason = reason;
    this.#refusals.add(connection);
    const other = this.#servers.other(connection);
    if (!this.#refusals.has(other)) {
      if (!this.#open.has(other)) this.#ask(other);
    } else if (this.#failures === 0) this.#settle({ kind: 'rejected', reason });
    else this.#settle({ kind: 'unknown', reason }); // somebody had it and was lost
  }

  /**
   * It has the request and is silent: perhaps its machine stands still, and the network won't tell. The other one will lead
   * soon and knows nothing of the request yet.
   */
  #detour(silent: ServerConnection): void {
    const other = this.#servers.other(silent);
    if (this.#open.has(other)) return; // both have it: one of them will answer, or the deadline comes
    this.#detours++;
    this.#later(Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#detours), other);
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
        this.#later(Math.max(FIRST_RETRY_MS, result.value.retryAfterMs), this.#servers.preferred);
        return;
      default:
        this.#later(FIRST_RETRY_MS, this.#servers.other(connection));
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
    const unreachable = target === undefined || this.#servers.now() - target.failedAt < FAILED_RECENTLY_MS;
    // The one who should serve can't be reached from here: the standby has to know, or it would send us there for ever.
    this.#stuck = unreachable && this.#failures > 4;
    if (target === undefined || this.#stuck) this.#later(FIRST_RETRY_MS * 5, connection);
    else if (unreachable) this.#later(this.#backOff(), target);
    else if (target === connection) this.#later(FIRST_RETRY_MS, this.#servers.other(connection));
    else this.#ask(target);
  }

  #lost(connection: ServerConnection, reason: string): void {
    this.#reason = reason;
    this.#failures++;
    const other = this.#servers.other(connection);
    if (this.#failures === 1 || this.#servers.closed) this.#ask(other);
    else this.#later(this.#backOff(), other);
  }

  /** Full jitter: after a takeover a thousand clients don't come back in step. */
  #backOff(): number {
    const atMost = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 6));
    return FIRST_RETRY_MS / 2 + this.#servers.machine.chance() * atMost;
  }

  #later(ms: number, connection: ServerConnection): void {
    const { machine } = this.#servers;
    if (this.#servers.now() + ms > this.#until) return; // the deadline's timer ends it
    machine.later(ms * (0.75 + machine.chance() / 2), () => this.#ask(connection), 'background');
  }

  #hedge(): void {
    const left = this.#until - this.#servers.now();
    if (left <= 0) {
      this.#settle({ kind: 'unknown', reason: this.#reason });
      return;
    }
    const { preferred } = this.#servers;
    if (this.#open.size < 2) this.#ask(this.#open.has(preferred) ? this.#servers.other(preferred) : preferred);
    // From here on seldom: what is under way is retried by its own answers.
    const againMs = Math.min(left, 5 * this.#servers.hedgeAfterMs);
    this.#callOff = this.#servers.machine.later(againMs, () => this.#hedge());
  }

  #settle(result: SubmitResult<T>): void {
    this.#end();
    this.#asked.resolve(result);
  }

  #end(): void {
    this.#settled = true;
    this.#callOff();
  }
}
