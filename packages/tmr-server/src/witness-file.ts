import { encodeWitness, takeWitness } from '@trefoil/core';
import { type Log, readFileWithLimit, removeLeftovers, writeFileAtomically } from '@trefoil/host';
import { LicenseError } from '@trefoil/license';
import type { ProposerRuntime } from './proposer-runtime.ts';

const SAVE_MS = 1_000;
const MAX_BYTES = 64 * 1024;

/** Keeps what was seen of the license servers, so that a rollback of one is noticed across a restart of this server. */
export class WitnessFile implements AsyncDisposable {
  readonly #file: string;
  readonly #runtime: ProposerRuntime;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #saved = '';
  #saving: Promise<void> = Promise.resolve();

  private constructor(file: string, runtime: ProposerRuntime, log: Log) {
    this.#file = file;
    this.#runtime = runtime;
    this.#log = log;
    this.#timer = setInterval(() => this.#save(), SAVE_MS);
  }

  static async open(file: string, runtime: ProposerRuntime, log: Log): Promise<WitnessFile> {
    await removeLeftovers(file);
    try {
      takeWitness(runtime.proposer, await readFileWithLimit(file, MAX_BYTES));
    } catch (error) {
      // None yet, or a damaged one: it is a help, not a need.
      if (error instanceof LicenseError)
        log.warn({ file, err: error }, 'the witness file is not readable; starting a new one');
    }
    return new WitnessFile(file, runtime, log);
  }

  #save(): void {
    const bytes = encodeWitness(this.#runtime.proposer);
    const text = Buffer.from(bytes).toString('base64');
    if (text === this.#saved) return;
    this.#saved = text;
    this.#saving = this.#write(this.#saving, bytes);
  }

  async #write(before: Promise<void>, bytes: Uint8Array): Promise<void> {
    await before;
    try {
      await writeFileAtomically(this.#file, bytes);
    } catch (error) {
      this.#log.warn({ err: error }, 'the witness file could not be written');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#save();
    await this.#saving;
  }
}
