import {
  type Accept,
  bytesKey,
  type Configuration,
  type Crypto,
  decodeAccept,
  decodeCertificate,
  decodePromise,
  equalBytes,
  TAGS,
  verifyCertificate,
} from '@trefoil/license';
import type { Fixture } from '@trefoil/license/fixtures';
import { decodeRecord, headAfter, type LogRecord } from '../index.ts';

/**
 * Sees every signature at the moment at which it leaves a container, and every certificate, and says what must never happen
 * (PROTOCOL §9). Knows nothing of how the servers work.
 */
export class Witness {
  readonly faults: string[] = [];
  readonly #fixture: Fixture;
  readonly #configurations: readonly Configuration[];
  readonly #votes = new Map<string, Uint8Array>();
  readonly #promised = new Map<string, number>();
  readonly lastVote = new Map<string, Uint8Array>();
  readonly lastPromise = new Map<string, Uint8Array>();
  readonly #heads = new Map<number, Uint8Array>();
  readonly #entries = new Map<number, Uint8Array>();

  constructor(fixture: Fixture, configurations: readonly Configuration[]) {
    this.#fixture = fixture;
    this.#configurations = configurations;
  }

  signs(container: string, statement: Uint8Array, durable: readonly Uint8Array[]): void {
    const tag = statement.subarray(0, 16);
    if (equalBytes(tag, TAGS.accept)) this.#vote(container, statement, durable);
    else if (equalBytes(tag, TAGS.promise)) this.#promise(container, statement, durable);
  }

  #vote(container: string, statement: Uint8Array, durable: readonly Uint8Array[]): void {
    const { epoch, index } = decodeAccept(statement);
    const where = `${container}, epoch ${epoch}, entry ${index}`;
    const key = `${container}/${epoch}/${index}`;
    const before = this.#votes.get(key);
    if (before !== undefined && !equalBytes(before, statement)) this.faults.push(`two votes: ${where}`);
    this.#votes.set(key, statement);
    this.lastVote.set(container, statement);
    if (epoch < (this.#promised.get(container) ?? 0)) this.faults.push(`a vote below a promise: ${where}`);
    const kept = newestFirst(
      durable,
      (record) => (record.kind === 'voted' || record.kind === 'signedHigh') && equalBytes(record.statement, statement),
    );
    if (!kept) this.faults.push(`a vote that is not durable: ${where}`);
  }

  #promise(container: string, statement: Uint8Array, durable: readonly Uint8Array[]): void {
    const { epoch } = decodePromise(statement);
    if (epoch < (this.#promised.get(container) ?? 0))
      this.faults.push(`a promise below a promise: ${container}, epoch ${epoch}`);
    this.#promised.set(container, epoch);
    this.lastPromise.set(container, statement);
    const kept = newestFirst(durable, (record) => record.kind === 'promised' && equalBytes(record.promise, statement));
    if (!kept) this.faults.push(`a promise that is not durable: ${container}, epoch ${epoch}`);
  }

  /** `entry`: its bytes, where they are known. */
  certified(certificate: Uint8Array, entry: Uint8Array | undefined): void {
    const { crypto } = this.#fixture;
    const { index, head } = verifyByAny(crypto, this.#configurations, certificate);
    const standing = this.#heads.get(index);
    if (standing !== undefined && !equalBytes(standing, head)) this.faults.push(`a fork at entry ${index}`);
    this.#heads.set(index, head);
    if (entry !== undefined) this.#entries.set(index, entry);
    const previous = this.#heads.get(index - 1);
    const bytes = this.#entries.get(index);
    if (previous !== undefined && bytes !== undefined && !equalBytes(headAfter(crypto, previous, bytes), head))
      this.faults.push(`entry ${index} does not follow entry ${index - 1}`);
  }

  /** Two logs with the same head must have led to the same ledger. */
  sameLedgers(ledgers: readonly { name: string; head: Uint8Array; root: Uint8Array }[]): void {
    const roots = new Map<string, { name: string; root: Uint8Array }>();
    for (const { name, head, root } of ledgers) {
      const other = roots.get(bytesKey(head));
      if (other === undefined) roots.set(bytesKey(head), { name, root });
      else if (!equalBytes(other.root, root)) this.faults.push(`${name} and ${other.name}: same log, other ledgers`);
    }
  }
}

/** Under the version that it names. @throws LicenseError */
export function verifyByAny(crypto: Crypto, versions: readonly Configuration[], certificate: Uint8Array): Accept {
  const decoded = decodeCertificate(certificate);
  const { configVersion } = decodeAccept(decoded.statement);
  const configuration = versions.find(({ version }) => version === configVersion) ?? versions[0];
  return verifyCertificate(crypto, configuration as Configuration, decoded);
}

function newestFirst(durable: readonly Uint8Array[], fits: (record: LogRecord) => boolean): boolean {
  return durable.findLast((bytes) => fits(decodeRecord(bytes))) !== undefined;
}
