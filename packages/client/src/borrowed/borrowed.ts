import {
  type Grant,
  encodeGrantBundle,
  type GrantBundle,
  LicenseError,
  type PublicKey,
  verifyGrant,
} from '@trefoil/license';
import { ClientError } from '../errors.ts';
import { type ClientMachine, systemMachine } from '../machine.ts';
import { lifeOf } from '../seat.ts';
import { remainingMs } from '../time.ts';
import { Verifier } from '../verifier.ts';
import { BorrowedFolder } from './folder.ts';

/** How often the time is looked at and remembered while the seat is in use. */
const WATCH_MS = 60_000;

export interface OpenBorrowedOptions {
  /** The vendor's root public key, base64url, as an application pins it; or a Verifier. */
  readonly vendor: string | PublicKey | Verifier;
  readonly machine?: ClientMachine;
  /** Of this machine; default: what it tells. */
  readonly traits?: readonly { readonly name: string; readonly value: string }[];
}

/**
 * A seat that was borrowed, on the machine that borrowed it. Needs no network:
 *
 * ```ts
 * await using borrowed = await openBorrowed(borrowedFolder('cad'), { vendor: VENDOR_ROOT_KEY });
 * borrowed.over.addEventListener('abort', () => save(borrowed.over.reason));
 * ```
 *
 * One process at a time has it open.
 * @throws ClientError `not-borrowed` (none there, over, given back), `clock-set-back`, `other-machine`, `bad-vendor-root`
 */
export async function openBorrowed(folder: string, options: OpenBorrowedOptions): Promise<Borrowed> {
  const { vendor, machine = systemMachine, traits } = options;
  const verifier = vendor instanceof Verifier ? vendor : new Verifier(vendor);
  const opened = await BorrowedFolder.open(folder, { machine, crypto: verifier.crypto, traits });
  try {
    return new Borrowed(opened, verifier, machine);
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

export class Borrowed implements AsyncDisposable {
  readonly grants: readonly Grant[];
  readonly #folder: BorrowedFolder;
  readonly #machine: ClientMachine;
  readonly #proof: GrantBundle;
  readonly #over = new AbortController();
  #callOff: () => void = () => undefined;
  #closed = false;

  /** @internal Made by `openBorrowed`. */
  constructor(folder: BorrowedFolder, verifier: Verifier, machine: ClientMachine) {
    const { proof, givingBack } = folder.state;
    if (givingBack) throw new ClientError('not-borrowed', `the seat in ${folder.path} is being given back`);
    if (proof === undefined)
      throw new ClientError(
        'not-borrowed',
        `the seat in ${folder.path} was asked for, and nobody has answered yet: borrow it again`,
      );
    if (folder.memoryFault !== undefined) throw new ClientError('clock-set-back', folder.memoryFault);
    this.#folder = folder;
    this.#machine = machine;
    this.#proof = proof;
    this.grants = grantsIn(proof, verifier, folder);
    this.#check();
    folder.seen();
    this.#watch();
  }

  /** Aborted when it may not be used any more; its reason is a ClientError that says why. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** By this machine's clock. */
  get until(): Date {
    return new Date(this.#folder.clock.now() + this.remainingMs);
  }

  /** How long it may be used, ms; ≤ 0 = it may not. */
  get remainingMs(): number {
    if (this.#closed || this.#over.signal.aborted) return 0;
    return remainingMs(this.#folder.sentAt, lifeOf(this.grants), this.#folder.clock.now());
  }

  /** Everything that proves it, for `trefoil verify` or any other verifier. */
  proof(): string {
    return encodeGrantBundle(this.#proof);
  }

  #watch(): void {
    const inMs = Math.min(WATCH_MS, Math.max(1, this.remainingMs));
    this.#callOff = this.#machine.later(inMs, () => this.#look(), 'background');
  }

  #look(): void {
    try {
      this.#check();
      this.#folder.seen();
      this.#watch();
    } catch (error) {
      this.#over.abort(error);
    }
  }

  /** @throws ClientError */
  #check(): void {
    const { clock, path } = this.#folder;
    const behind = clock.setBackMs;
    if (behind > 0)
      throw new ClientError(
        'clock-set-back',
        `this machine's clock is ${Math.ceil(behind / 60_000)} minutes behind what it showed before: put it right to use the borrowed seat`,
      );
    if (this.remainingMs <= 0)
      throw new ClientError('not-borrowed', `the time of the borrowed seat in ${path} is over`);
  }

  /** The seat stays borrowed; another process may open it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#callOff();
    try {
      if (!this.#closed && !this.#over.signal.aborted) this.#folder.seen();
    } finally {
      this.#closed = true;
      await this.#folder[Symbol.asyncDispose]();
    }
  }
}

function grantsIn(
  proof: GrantBundle,
  { crypto, vendorRoot }: Verifier,
  { own, path }: BorrowedFolder,
): readonly Grant[] {
  try {
    return verifyGrant(crypto, vendorRoot, proof, { sessionKey: own.key.publicKey.bytes }).grants;
  } catch (error) {
    if (!(error instanceof LicenseError)) throw error;
    throw new ClientError('not-borrowed', `the seat in ${path} is not proved: ${error.message}`, { cause: error });
  }
}
