import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { LicenseError, Reader, tag, Writer } from '@trefoil/license';
import type { Watermark, WatermarkFault } from './container.ts';
import { readSecretFile, writeSecretFile } from './files.ts';
import { KEY_BYTES } from './sealed-box.ts';

const TAG = tag('trefoil/mark');
const MAC_BYTES = 32;
const SIGNED_BYTES = TAG.length + 16 + 8 + 8;

/**
 * The watermark beside the container's file: small, so that it can be written every second. Authenticated with a key from
 * inside the container: it can't be edited. Both files put back from the same copy look sound (PROTOCOL §7.5).
 */
export class WatermarkFile {
  readonly #file: string;
  readonly #serial: Uint8Array;
  readonly #key: Buffer;

  constructor(containerFile: string, serial: Uint8Array, fileKey: Uint8Array) {
    this.#file = `${containerFile}.mark`;
    this.#serial = serial;
    this.#key = Buffer.from(hkdfSync('sha256', fileKey, serial, 'trefoil container watermark', KEY_BYTES));
  }

  /** The stored mark, or why there is none; `floor` is a mark that it can't be below. */
  async read(floor: Watermark): Promise<Watermark | WatermarkFault> {
    const bytes = await readSecretFile(this.#file, SIGNED_BYTES + MAC_BYTES + 1);
    if (bytes === undefined) return 'missing';
    const mark = this.#decode(bytes);
    if (mark === undefined) return 'damaged';
    return isBelow(mark, floor) ? 'fallen' : mark;
  }

  async write({ epoch, index }: Watermark): Promise<void> {
    const signed = new Writer().raw(TAG).raw(this.#serial).u64(epoch).u64(index).done();
    await writeSecretFile(this.#file, Buffer.concat([signed, this.#mac(signed)]));
  }

  forgetKey(): void {
    this.#key.fill(0);
  }

  #decode(bytes: Buffer): Watermark | undefined {
    if (bytes.length !== SIGNED_BYTES + MAC_BYTES) return undefined;
    const signed = bytes.subarray(0, SIGNED_BYTES);
    if (!timingSafeEqual(this.#mac(signed), bytes.subarray(SIGNED_BYTES))) return undefined;
    try {
      const reader = new Reader(signed);
      reader.raw(TAG.length + this.#serial.length);
      return { epoch: reader.u64(), index: reader.u64() };
    } catch (error) {
      if (error instanceof LicenseError) return undefined;
      throw error;
    }
  }

  #mac(signed: Uint8Array): Buffer {
    return createHmac('sha256', this.#key).update(signed).digest();
  }
}

export function isBelow(a: Watermark, b: Watermark): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.index < b.index);
}
