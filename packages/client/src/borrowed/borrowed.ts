import {
  type Grant,
  encodeGrantBundle,
  fitsRelease,
  fitsVersion,
  type GrantBundle,
  LicenseError,
  type PublicKey,
  scopeOf,
  verifyGrant,
} from '@trefoil/license';
import { checkedRelease } from '../arguments.ts';
import { ClientError } from '../errors.ts';
import { type ClientMachine, systemMachine } from '../machine.ts';
import { lifeOf } from '../seat.ts';
import { remainingMs } from '../time.ts';
import { Verifier } from '../verifier.ts';
import { borrowedFolder } from './default-folder.ts';
import { BorrowedFolder } from './folder.ts';
import { holdAlone } from './one-at-a-time.ts';

/** How often the time is looked at and remembered while the seat is in use. */
const WATCH_MS = 60_000;

export interface OpenBorrowedOptions {
  /** The vendor's root public key, base64url, as an application pins it; or a Verifier. */
  readonly vendor: string | PublicKey | Verifier;
  readonly feature?: string;
  /** Of the application, like 7.2.1, and when that was released: looked at where the license asks for them. */
  readonly version?: string;
  readonly releasedAt?: Date;
  /** Default: where `client.borrow` keeps it. */
  readonly folder?: string;
  readonly machine?: ClientMachine;
  /** Of this machine; default: what it tells. */
  readonly traits?: readonly { readonly name: string; readonly value: string }[];
}

/**
 * A seat of this product that was borrowed, on the machine that borrowed it. Needs no network:
 *
 * ```ts
 * await using borrowed = await openBorrowed('cad', { vendor: VENDOR_ROOT_KEY });
 * borrowed.over.addEventListener('abort', () => save(borrowed.over.reason));
 * ```
 *
 * One process at a time has it open.
 * @throws ClientError `not-borrowed` (none there, over, given back, of something else), `in-use`, `clock-set-back`,
 * `other-machine`, `bad-vendor-root`
 */
export async function openBorrowed(product: string, options: OpenBorrowedOptions): Promise<Borrowed> {
  const { vendor, machine = systemMachine, traits, feature = '' } = options;
  const verifier = vendor instanceof Verifier ? vendor : new Verifier(vendor);
  const wanted = { product, feature, ...checkedRelease(options) };
  const folder = await BorrowedFolder.open(options.folder ?? borrowedFolder(product, feature), {
    ...{ machine, crypto: verifier.crypto, traits },
  });
  let alone: AsyncDisposable | undefined;
  try {
    alone = await holdAlone(folder.own.key.publicKey.bytes);
    if (alone === undefined)
      throw new ClientError('in-use', `the seat in ${folder.path} is in use on this machine, by way of a copy`);
    return new Borrowed({ folder, alone, verifier, machine, wanted });
  } catch (error) {
    await alone?.[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

interface Wanted {
  readonly product: string;
  readonly feature: string;
  readonly version?: string;
  readonly releasedAt?: number;
}

export class Borrowed implements AsyncDisposable {
  readonly grants: readonly Grant[];
  readonly #folder: BorrowedFolder;
  readonly #alone: AsyncDisposable;
  readonly #machine: ClientMachine;
  readonly #proof: GrantBundle;
  readonly #over = new AbortController();
  #callOff: () => void = () => undefined;
  #closed = false;

  /** @internal Made by `openBorrowed`. */
  constructor({ folder, alone, verifier, machine, wanted }: Opened) {
    const { proof, givingBack } = folder.state;
    if (givingBack) throw new ClientError('not-borrowed', `the seat in ${folder.path} is being given back`);
    if (proof === undefined)
      throw new ClientError(
        'not-borrowed',
        `the seat in ${folder.path} was asked for, and nobody has answered yet: borrow it again`,
      );
    if (folder.memoryFault !== undefined) throw new ClientError('clock-set-back', folder.memoryFault);
    this.#folder = folder;
    this.#alone = alone;
    this.#machine = machine;
    this.#proof = proof;
    this.grants = grantsIn(proof, verifier, folder, wanted);
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
      await this.#alone[Symbol.asyncDispose]();
      await this.#folder[Symbol.asyncDispose]();
    }
  }
}

interface Opened {
  readonly folder: BorrowedFolder;
  readonly alone: AsyncDisposable;
  readonly verifier: Verifier;
  readonly machine: ClientMachine;
  readonly wanted: Wanted;
}

function grantsIn(
  proof: GrantBundle,
  { crypto, vendorRoot }: Verifier,
  { own, path }: BorrowedFolder,
  wanted: Wanted,
): readonly Grant[] {
  const { grants, licenses } = verified(path, () =>
    verifyGrant(crypto, vendorRoot, proof, { sessionKey: own.key.publicKey.bytes }),
  );
  const other = grants.find(({ product, feature }) => product !== wanted.product || feature !== wanted.feature);
  if (other !== undefined)
    throw new ClientError('not-borrowed', `the seat in ${path} is one of ${inWords(other)}, not of ${inWords(wanted)}`);
  for (const { terms } of licenses) {
    const scope = scopeOf(terms, wanted.feature) ?? terms.whole;
    const fits =
      fitsVersion(scope, terms.downgrade, wanted.version) && fitsRelease(scope, terms.downgrade, wanted.releasedAt);
    if (!fits)
      throw new ClientError(
        'not-borrowed',
        `the seat in ${path} is not for this version of ${wanted.product}, or its version and date of release were not given`,
      );
  }
  return grants;
}

function verified<T>(path: string, verify: () => T): T {
  try {
    return verify();
  } catch (error) {
    if (!(error instanceof LicenseError)) throw error;
    throw new ClientError('not-borrowed', `the seat in ${path} is not proved: ${error.message}`, { cause: error });
  }
}

function inWords({ product, feature }: { readonly product: string; readonly feature: string }): string {
  return feature === '' ? product : `${product}, feature ${feature}`;
}
