import type { Container, StoredConstituent, Watermark } from '@trefoil/container';
import type { Signed } from '@trefoil/core';
import type { SigningKey } from '@trefoil/license';

/** A container whose key is at hand; the watermark is on its disk within a second, as in the real one. */
export class SimContainer implements Container {
  readonly kind = 'software';
  readonly serial: Uint8Array;
  readonly sealingKey = new Uint8Array(32).fill(9);
  readonly watermarkFault = undefined;
  readonly #key: SigningKey;
  readonly #signs: (signed: Signed) => void;
  #constituents: StoredConstituent[] = [];
  #mark: Watermark;
  /** What a crash leaves. */
  durableMark: Watermark;

  constructor(serial: Uint8Array, key: SigningKey, mark: Watermark, signs: (signed: Signed) => void) {
    this.serial = serial;
    this.#key = key;
    this.#mark = mark;
    this.durableMark = mark;
    this.#signs = signs;
  }

  get signingKey() {
    return this.#key.publicKey;
  }

  get watermark(): Watermark {
    return this.#mark;
  }

  get constituents(): readonly StoredConstituent[] {
    return this.#constituents;
  }

  sign(statement: Uint8Array): Uint8Array {
    const signature = this.#key.sign(statement);
    this.#signs({ bytes: statement.slice(), signature });
    return signature;
  }

  raiseWatermark(mark: Watermark): void {
    const falls = mark.epoch < this.#mark.epoch || (mark.epoch === this.#mark.epoch && mark.index < this.#mark.index);
    if (falls) throw new Error('the watermark falls');
    this.#mark = mark;
  }

  saveMark(): void {
    this.durableMark = this.#mark;
  }

  async open(): Promise<Uint8Array> {
    throw new Error('nothing is sealed here');
  }

  async putConstituent(one: StoredConstituent): Promise<void> {
    await this.putConstituents([one]);
  }

  async putConstituents(some: readonly StoredConstituent[]): Promise<void> {
    this.#constituents = [...this.#constituents, ...some];
  }

  async removeConstituent(license: string, version: number): Promise<void> {
    this.#constituents = this.#constituents.filter((one) => one.license !== license || one.version !== version);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.saveMark();
  }
}
