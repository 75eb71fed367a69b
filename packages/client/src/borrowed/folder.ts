import { rm, rmdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  ContainerError,
  createSoftwareContainer,
  openSoftwareContainer,
  type SoftwareContainer,
  type Trait,
} from '@trefoil/container';
import { HostError, makeDirectory, readFileWithLimit, writeFileAtomically } from '@trefoil/host';
import { concatBytes, type Crypto, encodeUtf8 } from '@trefoil/license';
import { ClientError } from '../errors.ts';
import type { ClientMachine } from '../machine.ts';
import type { Own } from '../session.ts';
import { BorrowerClock } from './clock.ts';
import { type BorrowedState, decodeState, encodeState, MAX_STATE_BYTES, withoutCopy } from './state.ts';

export interface FolderOptions {
  readonly machine: Pick<ClientMachine, 'now'>;
  readonly crypto: Crypto;
  /** Default: this machine's. */
  readonly traits?: readonly Trait[] | undefined;
}

/**
 * A borrowed seat on the borrower's machine: `container` with the key that the grant names, `seat.json` with the proof. The
 * container's memory holds when the seat was asked for and the latest time that was seen (PROTOCOL §5.18): neither can be edited.
 */
export class BorrowedFolder implements AsyncDisposable {
  readonly path: string;
  readonly clock: BorrowerClock;
  readonly own: Own;
  #state: BorrowedState | undefined;
  readonly #container: SoftwareContainer;
  #sentAt: number;

  private constructor(
    path: string,
    container: SoftwareContainer,
    state: BorrowedState | undefined,
    { machine, crypto }: FolderOptions,
  ) {
    this.path = path;
    this.#container = container;
    this.#state = state;
    const mark = container.watermark;
    this.#sentAt = mark?.epoch ?? 0;
    this.clock = new BorrowerClock(machine, mark?.index ?? 0);
    const key = { publicKey: container.signingKey, sign: (message: Uint8Array) => container.sign(message) };
    // From the key alone: no secret lies beside the container.
    const secretOf = concatBytes(encodeUtf8('trefoil borrowed seat'), container.serial);
    this.own = { key, closeSecret: crypto.sha256(container.sign(secretOf)) };
  }

  /** @throws ClientError `not-borrowed` if something is there already */
  static async make(folder: string, options: FolderOptions): Promise<BorrowedFolder> {
    const path = resolve(folder);
    try {
      await makeDirectory(path);
      if ((await readState(path)) !== undefined)
        throw new ClientError('not-borrowed', `something is borrowed in ${path} already`);
      // Nothing was asked for with a key that has no state beside it.
      await removeContainer(path);
      const { container } = await createSoftwareContainer({ file: containerIn(path), ...traitsOf(options) });
      return new BorrowedFolder(path, container, undefined, options);
    } catch (error) {
      throw because(error, path);
    }
  }

  /** @throws ClientError `not-borrowed`, `in-use`, `other-machine`, `clock-set-back` */
  static async open(folder: string, options: FolderOptions): Promise<BorrowedFolder> {
    const path = resolve(folder);
    const state = await readState(path);
    if (state === undefined) throw new ClientError('not-borrowed', `there is no borrowed seat in ${path}`);
    try {
      const container = await openSoftwareContainer({ file: containerIn(path), ...traitsOf(options) });
      try {
        return new BorrowedFolder(path, container, state, options);
      } catch (error) {
        await container[Symbol.asyncDispose]();
        throw error;
      }
    } catch (error) {
      throw because(error, path);
    }
  }

  /** Why nobody knows how late it is; undefined = the container remembers. */
  get memoryFault(): string | undefined {
    const { watermarkFault } = this.#container;
    return watermarkFault === undefined
      ? undefined
      : `what ${this.path} remembers of the time is ${watermarkFault}: the seat can only be given back`;
  }

  get state(): BorrowedState {
    if (this.#state === undefined) throw new ClientError('not-borrowed', `there is no borrowed seat in ${this.path}`);
    return this.#state;
  }

  /** When the seats that are held were asked for, by this machine's clock. */
  get sentAt(): number {
    return this.#sentAt;
  }

  /** Durable on return. @throws ClientError `not-borrowed` */
  async save(state: BorrowedState): Promise<void> {
    try {
      await writeFileAtomically(stateIn(this.path), encodeState(state), { mode: 0o600 });
      this.#state = state;
    } catch (error) {
      throw because(error, this.path);
    }
  }

  /** What was granted counts from here. */
  granted(sentAt: number): void {
    this.#sentAt = Math.max(this.#sentAt, sentAt);
    this.seen();
  }

  /** Remembers the time, on the disk within a second. @throws ClientError `other-machine` if it can't be kept */
  seen(): void {
    try {
      this.#container.raiseWatermark({ epoch: this.#sentAt, index: this.clock.now() });
    } catch (error) {
      throw because(error, this.path);
    }
  }

  /** It is given back, or was never there. */
  async remove(): Promise<void> {
    await this[Symbol.asyncDispose]();
    await removeContainer(this.path);
    await rm(stateIn(this.path), { force: true });
    await rmdir(this.path).catch(() => undefined); // somebody's own files may be in it
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#container[Symbol.asyncDispose]();
    } catch (error) {
      throw because(error, this.path);
    }
  }
}

/** Without its container: what it says of itself. */
export async function readState(folder: string): Promise<BorrowedState | undefined> {
  const file = stateIn(folder);
  if ((await stat(file).catch(() => undefined)) === undefined) return undefined;
  try {
    return decodeState(await readFileWithLimit(file, MAX_STATE_BYTES), file);
  } catch (error) {
    throw because(error, folder);
  }
}

async function removeContainer(folder: string): Promise<void> {
  for (const suffix of ['', '.mark']) await rm(`${containerIn(folder)}${suffix}`, { force: true });
}

function containerIn(folder: string): string {
  return join(folder, 'container');
}

function stateIn(folder: string): string {
  return join(folder, 'seat.json');
}

function traitsOf({ traits }: FolderOptions): { traits?: readonly Trait[] } {
  return traits === undefined ? {} : { traits };
}

function because(error: unknown, folder: string): unknown {
  if (error instanceof ContainerError) {
    const cause = { cause: error };
    if (error.code === 'exists')
      return new ClientError('not-borrowed', `something is borrowed in ${folder} already`, cause);
    if (error.code === 'in-use')
      return new ClientError('in-use', `${error.message} Close the application that uses the seat first.`, cause);
    if (error.code === 'missing') return new ClientError('not-borrowed', error.message, cause);
    const hint = ['damaged', 'truncated', 'not-a-container'].includes(error.code) ? ` ${withoutCopy(folder)}` : '';
    return new ClientError('other-machine', `${error.message}${hint}`, cause);
  }
  if (error instanceof HostError) return new ClientError('not-borrowed', error.message, { cause: error });
  return error;
}
