import type { Watermark, WatermarkFault } from './container.ts';
import { ContainerError } from './errors.ts';
import { CONTAINER_LIMITS } from './limits.ts';
import { isBelow, type WatermarkFile } from './watermark-file.ts';

/** Calls back once after that many milliseconds, unless cancelled; doesn't keep the process alive. */
export type Delay = (delayMs: number, callback: () => void) => { cancel(): void };

export const systemDelay: Delay = (delayMs, callback) => {
  const timer = setTimeout(callback, delayMs).unref();
  return { cancel: () => clearTimeout(timer) };
};

/** Strict in memory at once; on the disk within a second of the first change, and at the end. */
export class WatermarkKeeper {
  readonly #file: WatermarkFile;
  readonly #delay: Delay;
  #mark: Watermark | undefined;
  #stored: Watermark | undefined;
  #fault: WatermarkFault | undefined;
  /** Set from the first change until its write begins. Invariant: #mark newer than the file ⇒ #pending or #writing. */
  #pending: { cancel(): void } | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failure: ContainerError | undefined;

  constructor(file: WatermarkFile, stored: Watermark | WatermarkFault, delay: Delay) {
    this.#file = file;
    this.#delay = delay;
    if (typeof stored === 'string') this.#fault = stored;
    else this.#mark = this.#stored = stored;
  }

  get mark(): Watermark | undefined {
    return this.#mark;
  }

  get fault(): WatermarkFault | undefined {
    return this.#fault;
  }

  raise({ epoch, index }: Watermark): void {
    if (this.#failure !== undefined) throw this.#failure;
    const mark = { epoch, index };
    if (this.#mark !== undefined) {
      if (isBelow(mark, this.#mark)) throw falls(mark, this.#mark);
      if (!isBelow(this.#mark, mark)) return;
    }
    this.#mark = mark;
    this.#fault = undefined;
    this.#pending ??= this.#delay(CONTAINER_LIMITS.watermarkDelayMs, () => this.#write());
  }

  /** Writes what isn't on the disk yet, if it can. @returns what is there now; undefined if there is no sound mark. */
  async flush(): Promise<Watermark | undefined> {
    if (this.#pending !== undefined) this.#write();
    await this.#writing;
    return this.#stored;
  }

  /** Writes what isn't on the disk yet. @throws ContainerError `unwritable` */
  async finish(): Promise<void> {
    await this.flush();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #write(): void {
    this.#pending?.cancel();
    this.#pending = undefined;
    this.#writing = this.#writing.then(() => this.#store());
  }

  async #store(): Promise<void> {
    const mark = this.#mark;
    if (mark === undefined || this.#failure !== undefined) return;
    try {
      await this.#file.write(mark);
      this.#stored = mark;
    } catch (error) {
      if (!(error instanceof ContainerError)) throw error;
      this.#failure = error;
    }
  }
}

function falls({ epoch, index }: Watermark, present: Watermark): ContainerError<'watermark-falls'> {
  const message =
    `Refused to sign at epoch ${epoch}, index ${index}: ` +
    `this container has signed at epoch ${present.epoch}, index ${present.index}.`;
  return new ContainerError('watermark-falls', message, { epoch, index });
}
