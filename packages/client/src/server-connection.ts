import {
  decodeCallFrame,
  encodeCallFrame,
  encodeSubmitCall,
  type Method,
  parseAddress,
  PORTS,
  type SubmitFields,
} from '@trefoil/api';
import { type FrameConnection, LinkError } from '@trefoil/link';
import { type ClientFile, encodeClientFile, readAgain } from './client-file.ts';
import type { ClientMachine } from './machine.ts';

/** Silence on an idle connection is no fault: renewals are many seconds apart. */
const IDLE_TIMEOUT_MS = 290_000;
const DIAL_TIMEOUT_MS = 1_000;
/**
 * Who owes an answer is looked at so often; who was silent for a while is asked for a sign of life, and taken for gone if there is
 * none. The network may have dropped the connection and told nobody: TCP itself finds out after minutes.
 */
const LOOK_MS = 1_000;
const LOOKS_UNTIL_GONE = 3;
/** Who was lost is dialled again after about so long, then after twice as long each time: the next takeover may come soon. */
const FIRST_REDIAL_MS = 1_000;
const LAST_REDIAL_MS = 60_000;

/** The number of a call whose answer nobody reads: that there is one is enough. */
const SIGN_OF_LIFE = 0;

/** What came back for a call; `lost` = the connection ended first, so nobody knows. */
export type CallResult =
  | { readonly kind: 'reply'; readonly body: Uint8Array }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'lost'; readonly reason: string };

/** Calls to one TMR server. Connects when there is something to say; after a loss the next call connects anew. */
export class ServerConnection {
  readonly address: string;
  #file: ClientFile;
  readonly #machine: ClientMachine;
  readonly #calls = new Map<number, (result: CallResult) => void>();
  #nextCall = 1;
  #connection: FrameConnection | undefined;
  #dialling: Promise<FrameConnection> | undefined;
  #closed = false;
  /** Since something was heard, or nothing was owed. */
  #silentLooks = 0;
  #callOffLook: (() => void) | undefined;
  #redialMs = FIRST_REDIAL_MS;
  #callOffRedial: (() => void) | undefined;
  /** Monotonic ms of the last failure to connect. */
  failedAt = -Infinity;

  constructor(address: string, file: ClientFile, machine: ClientMachine) {
    this.address = address;
    this.#file = file;
    this.#machine = machine;
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /** `done` is called once. Returns how to give the call up. */
  call(method: Method, body: Uint8Array, done: (result: CallResult) => void): () => void {
    const call = this.#newCall(done);
    this.#send(call, encodeCallFrame({ kind: 'request', call, method, body }));
    return () => void this.#calls.delete(call);
  }

  /** A call of `submit`, the hot one. `done` is called once. */
  submit(request: SubmitFields, done: (result: CallResult) => void): void {
    const call = this.#newCall(done);
    this.#send(call, encodeSubmitCall(call, request));
  }

  #newCall(done: (result: CallResult) => void): number {
    const call = this.#nextCall;
    this.#nextCall = (this.#nextCall % 0xffff_fffe) + 1;
    this.#calls.set(call, done);
    return call;
  }

  #send(call: number, frame: Uint8Array): void {
    if (this.#connection !== undefined) this.#say(this.#connection, frame);
    else
      this.#sendConnected(call, frame).catch((error: unknown) =>
        this.#finish(call, { kind: 'lost', reason: error instanceof Error ? error.message : String(error) }),
      );
  }

  async #sendConnected(call: number, frame: Uint8Array): Promise<void> {
    const connection = await this.#connect();
    if (this.#calls.has(call)) this.#say(connection, frame);
  }

  #say(connection: FrameConnection, frame: Uint8Array): void {
    connection.send(frame);
    if (this.#callOffLook !== undefined) return;
    this.#silentLooks = 0;
    this.#lookLater();
  }

  /** As long as it owes an answer. Looks are counted, not time: a program that was busy itself has heard nothing meanwhile. */
  #lookLater(): void {
    this.#callOffLook = this.#machine.later(LOOK_MS, () => this.#look(), 'background');
  }

  #look(): void {
    this.#callOffLook = undefined;
    if (this.#connection === undefined || this.#calls.size === 0) return;
    this.#silentLooks++;
    if (this.#silentLooks > LOOKS_UNTIL_GONE) {
      this.#ended(this.#connection, `${this.address} does not answer`);
      return;
    }
    if (this.#silentLooks === 2)
      this.#connection.send(
        // For a license that nobody has: no answer is shorter.
        encodeCallFrame({ kind: 'request', call: SIGN_OF_LIFE, method: 'getLicense', body: new Uint8Array(0) }),
      );
    this.#lookLater();
  }

  /** Connects ahead of time, so that a takeover costs no handshake. */
  warm(): void {
    if (this.#connection === undefined && !this.#closed) this.#connect().catch(() => undefined);
  }

  #connect(): Promise<FrameConnection> {
    if (this.#closed) return Promise.reject(new Error('the client is closed'));
    this.#dialling ??= this.#dial().finally(() => {
      this.#dialling = undefined;
    });
    return this.#dialling;
  }

  async #dial(): Promise<FrameConnection> {
    try {
      return this.#use(await this.#dialBy(this.#file).catch((error: unknown) => this.#dialAgain(error)));
    } catch (error) {
      this.failedAt = this.#machine.now().monotonicMs;
      this.#redialLater();
      throw error;
    }
  }

  /** A thousand clients don't come back in step. */
  #redialLater(): void {
    if (this.#closed || this.#callOffRedial !== undefined) return;
    const ms = this.#redialMs * (1 + this.#machine.chance());
    this.#redialMs = Math.min(LAST_REDIAL_MS, 2 * this.#redialMs);
    this.#callOffRedial = this.#machine.later(
      ms,
      () => {
        this.#callOffRedial = undefined;
        this.warm();
      },
      'background',
    );
  }

  #dialBy({ authority, certificate, key }: ClientFile): Promise<FrameConnection> {
    const place = parseAddress(this.address, PORTS.clients);
    if (place === undefined) throw new Error(`${this.address} is no address`);
    return this.#machine.dial({
      ...place,
      authorityPem: authority,
      timeoutMs: DIAL_TIMEOUT_MS,
      ...(certificate !== undefined &&
        key !== undefined && { identity: { certificatePem: certificate, privateKeyPem: key } }),
      limits: { idleTimeoutMs: IDLE_TIMEOUT_MS },
    });
  }

  /** The group may have another authority by now, and the client file with it: nobody starts his application anew for that. */
  async #dialAgain(error: unknown): Promise<FrameConnection> {
    const isAboutTrust = error instanceof LinkError && ['peer-untrusted', 'peer-refuses'].includes(error.code);
    const newer = isAboutTrust ? await readAgain(this.#file) : undefined;
    if (newer === undefined || encodeClientFile(newer) === encodeClientFile(this.#file)) throw error;
    this.#file = newer;
    return this.#dialBy(newer);
  }

  #use(connection: FrameConnection): FrameConnection {
    if (this.#closed) {
      connection.close();
      throw new Error('the client is closed');
    }
    this.#connection = connection;
    this.failedAt = -Infinity;
    this.#redialMs = FIRST_REDIAL_MS;
    this.#callOffRedial?.();
    this.#callOffRedial = undefined;
    connection.onFrame((bytes) => this.#onFrame(bytes));
    connection.onClose((error) => this.#ended(connection, error?.message ?? 'the server closed the connection'));
    return connection;
  }

  #ended(connection: FrameConnection, reason: string): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.failedAt = this.#machine.now().monotonicMs;
    this.#callOffLook?.();
    this.#callOffLook = undefined;
    connection.close();
    this.#redialLater();
    for (const call of [...this.#calls.keys()]) this.#finish(call, { kind: 'lost', reason });
  }

  #onFrame(bytes: Uint8Array): void {
    const frame = decodeCallFrame(bytes);
    if (frame === undefined) throw new Error('not a call frame');
    this.#silentLooks = 0;
    if (frame.kind === 'error')
      this.#finish(frame.call, { kind: 'refused', message: new TextDecoder().decode(frame.body) });
    else this.#finish(frame.call, { kind: 'reply', body: frame.body });
  }

  #finish(call: number, result: CallResult): void {
    const done = this.#calls.get(call);
    this.#calls.delete(call);
    done?.(result); // else given up, or answered by the other server first
  }

  close(): void {
    this.#closed = true;
    this.#callOffRedial?.();
    this.#connection?.close();
  }
}
