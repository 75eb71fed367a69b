import type { FileLock, Random } from '@trefoil/host';
import type { PublicKey } from '@trefoil/license';
import type { Container, StoredConstituent, Watermark, WatermarkFault } from './container.ts';
import { type ContainerHeader, encodeFile, encodeHeader } from './container-file.ts';
import { type Contents, encodeContents, withConstituent, withNewest, withoutConstituent } from './contents.ts';
import { ContainerError } from './errors.ts';
import { writeSecretFile } from './files.ts';
import { ephemeral, openSealed } from './hpke.ts';
import { signWith } from './key-pairs.ts';
import { lockBox } from './sealed-box.ts';
import type { WatermarkFile } from './watermark-file.ts';
import { type Delay, WatermarkKeeper } from './watermark-keeper.ts';

/** Everything an opened container consists of. */
export interface OpenedParts {
  readonly file: string;
  readonly lock: FileLock;
  readonly random: Random;
  readonly delay: Delay;
  readonly header: ContainerHeader;
  readonly fileKey: Buffer;
  readonly contents: Contents;
  readonly watermarkFile: WatermarkFile;
  readonly watermark: Watermark | WatermarkFault;
}

/** A container whose keys are in an encrypted file bound to this machine. Made by `createSoftwareContainer` and its like. */
export class SoftwareContainer implements Container {
  readonly kind = 'software';
  readonly serial: Uint8Array;
  readonly signingKey: PublicKey;
  readonly sealingKey: Uint8Array;
  /** How often it was bound to a machine by hand: 1 when created. */
  readonly timesBound: number;
  readonly #parts: OpenedParts;
  readonly #keeper: WatermarkKeeper;
  #contents: Contents;
  #writing: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(parts: OpenedParts) {
    const { header } = parts;
    this.serial = header.serial;
    this.signingKey = header.signingKey;
    this.sealingKey = header.sealingKey;
    this.timesBound = header.timesBound;
    this.#parts = parts;
    this.#contents = parts.contents;
    this.#keeper = new WatermarkKeeper(parts.watermarkFile, parts.watermark, parts.delay);
  }

  sign(message: Uint8Array): Uint8Array {
    this.#checkOpen();
    return signWith(this.signingKey.alg, this.#contents.keys.signing, message);
  }

  async open(sealed: Uint8Array, info: Uint8Array): Promise<Uint8Array> {
    this.#checkOpen();
    return openSealed(ephemeral(this.#contents.keys.sealing), info, sealed);
  }

  get constituents(): readonly StoredConstituent[] {
    return this.#contents.constituents;
  }

  putConstituent(constituent: StoredConstituent): Promise<void> {
    return this.#replace((list) => withConstituent(list, constituent));
  }

  putConstituents(constituents: readonly StoredConstituent[]): Promise<void> {
    return this.#replace((list) => constituents.reduce(withNewest, list));
  }

  removeConstituent(license: string, version: number): Promise<void> {
    return this.#replace((list) => withoutConstituent(list, license, version));
  }

  get watermark(): Watermark | undefined {
    return this.#keeper.mark;
  }

  get watermarkFault(): WatermarkFault | undefined {
    return this.#keeper.fault;
  }

  raiseWatermark(mark: Watermark): void {
    this.#checkOpen();
    this.#keeper.raise(mark);
  }

  /** Stores the watermark, gives the lock back, overwrites the key. @throws ContainerError `unwritable`; it is closed all the same. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** One at a time; what was there before stays if the write fails. */
  async #replace(change: (list: readonly StoredConstituent[]) => readonly StoredConstituent[]): Promise<void> {
    this.#checkOpen();
    const done = this.#writing.then(() => this.#rewrite(change(this.#contents.constituents)));
    this.#writing = done.catch(() => undefined);
    await done;
  }

  async #rewrite(constituents: readonly StoredConstituent[]): Promise<void> {
    // Never above the mark file: a process killed between the two would find its mark fallen.
    const watermark = (await this.#keeper.flush()) ?? this.#contents.watermark;
    const contents = { ...this.#contents, constituents, watermark };
    await writeContainer(this.#parts, contents);
    this.#contents = contents;
  }

  async #close(): Promise<void> {
    try {
      await this.#writing;
      await this.#keeper.finish();
    } finally {
      this.#parts.fileKey.fill(0);
      this.#parts.watermarkFile.forgetKey();
      this.#parts.lock.release();
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new ContainerError('closed', 'The container is closed.', {});
  }
}

/** Writes the whole file, atomically and durably, under a header that may be new. */
export async function writeContainer(
  { file, random, header, fileKey }: Pick<OpenedParts, 'file' | 'random' | 'header' | 'fileKey'>,
  contents: Contents,
): Promise<void> {
  const headerBytes = encodeHeader(header);
  const plain = encodeContents(contents);
  const box = lockBox(random, fileKey, plain, headerBytes);
  plain.fill(0);
  await writeSecretFile(file, encodeFile(headerBytes, box));
}
