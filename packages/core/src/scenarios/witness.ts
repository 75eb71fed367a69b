import {
  bytesKey,
  decodeAccept,
  decodeCertificate,
  decodePromise,
  equalBytes,
  type Member,
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
  readonly #votes = new Map<string, Uint8Array>();
  readonly #promised: Record<Member, number> = { 1: 0, 2: 0, 3: 0 };
  readonly lastVote: Partial<Record<Member, Uint8Array>> = {};
  readonly lastPromise: Partial<Record<Member, Uint8Array>> = {};
  readonly #heads = new Map<number, Uint8Array>();
  readonly #entries = new Map<number, Uint8Array>();

  constructor(fixture: Fixture) {
    this.#fixture = fixture;
  }

  signs(member: Member, statement: Uint8Array, durable: readonly Uint8Array[]): void {
    const tag = statement.subarray(0, 16);
    if (equalBytes(tag, TAGS.accept)) this.#vote(member, statement, durable);
    else if (equalBytes(tag, TAGS.promise)) this.#promise(member, statement, durable);
  }

  #vote(member: Member, statement: Uint8Array, durable: readonly Uint8Array[]): void {
    const { epoch, index } = decodeAccept(statement);
    const where = `L${member}, epoch ${epoch}, entry ${index}`;
    const key = `${member}/${epoch}/${index}`;
    const before = this.#votes.get(key);
    if (before !== undefined && !equalBytes(before, statement)) this.faults.push(`two votes: ${where}`);
    this.#votes.set(key, statement);
    this.lastVote[member] = statement;
    if (epoch < this.#promised[member]) this.faults.push(`a vote below a promise: ${where}`);
    const kept = newestFirst(
      durable,
      (record) => (record.kind === 'voted' || record.kind === 'signedHigh') && equalBytes(record.statement, statement),
    );
    if (!kept) this.faults.push(`a vote that is not durable: ${where}`);
  }

  #promise(member: Member, statement: Uint8Array, durable: readonly Uint8Array[]): void {
    const { epoch } = decodePromise(statement);
    if (epoch < this.#promised[member]) this.faults.push(`a promise below a promise: L${member}, epoch ${epoch}`);
    this.#promised[member] = epoch;
    this.lastPromise[member] = statement;
    const kept = newestFirst(durable, (record) => record.kind === 'promised' && equalBytes(record.promise, statement));
    if (!kept) this.faults.push(`a promise that is not durable: L${member}, epoch ${epoch}`);
  }

  /** `entry`: its bytes, where they are known. */
  certified(certificate: Uint8Array, entry: Uint8Array | undefined): void {
    const { crypto, configuration } = this.#fixture;
    const { index, head } = verifyCertificate(crypto, configuration, decodeCertificate(certificate));
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

function newestFirst(durable: readonly Uint8Array[], fits: (record: LogRecord) => boolean): boolean {
  return durable.findLast((bytes) => fits(decodeRecord(bytes))) !== undefined;
}
