import type { Certified, Method, SubmitFields } from '@trefoil/api';
import type { ClientFile } from './client-file.ts';
import { ClientError } from './errors.ts';
import type { ClientMachine } from './machine.ts';
import { type CallResult, ServerConnection } from './server-connection.ts';
import { CLOSED, FIRST_RETRY_MS, LAST_RETRY_MS, Submission, type SubmitResult } from './submission.ts';

/** A second server is asked when the first is silent for this long, or for three times what answers usually take at worst. */
const HEDGE_MS = 100;
const LAST_HEDGE_MS = 2_000;
/** How fast the worst answer is forgotten. */
const SLOWEST_DECAY = 0.98;
/** Who has asked nothing for so long was not left unserved meanwhile. */
const PAUSE_MS = 10_000;
/** A server that could not be reached so recently needn't be tried before the other. */
const FAILED_RECENTLY_MS = 1_000;
/** Virtual IP and both TMR servers, today's and those that come after a change; a false server could name thousands. */
const MOST_ADDRESSES = 16;

/** Both TMR servers and the virtual IP: finds the active one, keeps the others warm, asks again until it is answered. */
export class Servers {
  readonly machine: ClientMachine;
  readonly #connections: ServerConnection[];
  readonly #set: Uint8Array;
  #preferred: ServerConnection;
  #slowestMs = 0;
  readonly #submissions = new Set<{ close(): void }>();
  #unservedSince: number | undefined;
  #lastAskedAt = -Infinity;
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
    this.warm();
  }

  /** Those that ended, of silence perhaps: so that a takeover costs no handshake. */
  warm(): void {
    for (const connection of this.#connections) if (this.reachable(connection)) connection.warm();
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

  /**
   * The same bytes, to one server after the other, until there is a certified outcome or patience ends. `prove` throws
   * LicenseError or ClientError at an answer that proves nothing: that is as good as none; at UnshownLicense nobody knows.
   */
  submit<T>(
    command: Uint8Array,
    patienceMs: number,
    prove: (certified: Certified) => Promise<T>,
  ): Promise<SubmitResult<T>> {
    if (this.#submissions.size === 0 && this.now() > this.#lastAskedAt + PAUSE_MS) this.#unservedSince = undefined;
    this.#unservedSince ??= this.now();
    return new Promise((resolve, reject) => {
      const submission = new Submission(this, { command, patienceMs, prove, resolve, reject });
      this.#submissions.add(submission);
      submission.start();
    });
  }

  settled(submission: { close(): void }): void {
    this.#submissions.delete(submission);
    this.#lastAskedAt = this.now();
  }

  /** Since when nothing that was asked has got a certified answer, ms. */
  get unservedMs(): number {
    return this.now() - (this.#unservedSince ?? this.now());
  }

  get preferred(): ServerConnection {
    return this.#preferred;
  }

  request(command: Uint8Array, patienceMs: number, stuck: boolean): SubmitFields {
    return { set: this.#set, command, patienceMs: Math.max(1, Math.round(patienceMs)), stuck };
  }

  get connections(): readonly ServerConnection[] {
    return this.#connections;
  }

  /** Whether it could be reached, as far as is known. */
  reachable(connection: ServerConnection): boolean {
    return this.now() - connection.failedAt > FAILED_RECENTLY_MS;
  }

  redirected(to: string): ServerConnection | undefined {
    return this.#prefer(to);
  }

  answeredBy(connection: ServerConnection, tookMs: number): void {
    this.#preferred = connection;
    this.#unservedSince = undefined;
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

  /** Of the one that has answered last, which need not be believed. */
  askOnce(method: Method, body: Uint8Array, timeoutMs: number): Promise<CallResult> {
    return this.#callOnce(this.#preferred, method, body, timeoutMs);
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
    for (const submission of this.#submissions) submission.close();
    for (const connection of this.#connections) connection.close();
  }
}
