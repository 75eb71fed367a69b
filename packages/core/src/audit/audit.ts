import {
  type Accept,
  type Command,
  decodeCommand,
  decodeOutcome,
  equalBytes,
  LicenseError,
  type Outcome,
} from '@trefoil/license';
import { decodeEntry, type Entry, headAfter } from '../entry.ts';
import { entryFault } from '../entry-fault.ts';
import { verifyAhead } from '../feed.ts';
import { openSnapshot } from '../ledger/snapshot.ts';
import type { Ledger, LedgerContext } from '../ledger/state.ts';
import type { Refusal } from '../messages.ts';
import { appendEntry, certify, emptyReplica, type Replica, type Tail } from '../replica.ts';

/** Entries as a log keeps them: one with its certificate, or several that were taken over with the certificate of the last. */
export interface CertifiedEntries {
  /** Index of the first. */
  readonly from: number;
  readonly entries: readonly Uint8Array[];
  readonly certificate: Uint8Array;
}

/** What does not fit, and where. */
export class AuditFault extends Error {
  override readonly name = 'AuditFault';
  readonly index: number;

  constructor(index: number, reason: string) {
    super(`entry ${index}: ${reason}`);
    this.index = index;
  }
}

/** One entry that was found right, and what came of it. */
export interface Audited {
  readonly entry: Entry;
  readonly commands: readonly Command[];
  /** Those of the commands first, in their order. */
  readonly outcomes: readonly Outcome[];
  /** Behind it. */
  readonly ledger: Ledger;
}

export interface AuditObserver {
  /** As the log that is there begins. */
  begin?(ledger: Ledger): void;
  observe(audited: Audited): void;
}

interface Counts {
  entries: number;
  /** Whose outcomes have two votes of their own; those of the others are in the next root. */
  certified: number;
  /** Ledger roots that were found to be those of the replay. */
  roots: number;
}

/**
 * Checks a log with public keys only (PROTOCOL §9.8): every certificate, the chain of heads, and that the shipped ledger, given the same
 * entries, comes to the outcomes and roots that were certified. Entry by entry: nothing of it is kept but the ledger.
 */
export class Audit {
  readonly counts: Counts = { entries: 0, certified: 0, roots: 0 };
  /** The first entry that was checked. */
  first: { readonly index: number; readonly utc: number } | undefined;
  /** It began at a snapshot, not with the log. */
  startsAtSnapshot = false;
  readonly #context: LedgerContext;
  readonly #replica: Replica;
  readonly #observers: readonly AuditObserver[];

  constructor(context: LedgerContext, observers: readonly AuditObserver[] = []) {
    this.#context = context;
    this.#replica = emptyReplica(context);
    this.#observers = observers;
  }

  get ledger(): Ledger {
    return this.#replica.ledger;
  }

  get last(): Accept | undefined {
    return this.#replica.certified;
  }

  /** Of a certified root; before any entry. @throws AuditFault */
  begin(snapshot: Uint8Array): void {
    const installed = guarded(0, 'the snapshot it begins with', () =>
      openSnapshot(this.#context, snapshot, Number.MAX_SAFE_INTEGER),
    );
    const { ledger, root, head, entryBytes, certificate, entry } = installed;
    Object.assign(this.#replica, {
      ledger,
      root,
      lastIndex: ledger.index,
      lastHead: head,
      certifiedIndex: ledger.index,
    });
    this.startsAtSnapshot = true;
    for (const observer of this.#observers) observer.begin?.(ledger);
    this.take({ from: entry.index, entries: [entryBytes], certificate });
  }

  /** @throws AuditFault */
  take({ from, entries, certificate }: CertifiedEntries): void {
    const replica = this.#replica;
    const last = from + entries.length - 1;
    if (from !== replica.lastIndex + 1)
      throw new AuditFault(replica.lastIndex + 1, `it is missing; the next one that is there is ${from}`);
    const { crypto } = this.#context;
    const accept = guarded(last, 'its certificate', () => verifyAhead(replica, entries, certificate));
    if (accept.index !== last) throw new AuditFault(last, `its certificate is of entry ${accept.index}`);
    let head = replica.lastHead;
    for (const bytes of entries) head = headAfter(crypto, head, bytes);
    if (!equalBytes(head, accept.head)) throw new AuditFault(last, this.#otherHead(from, last));
    entries.forEach((bytes, i) => this.#execute(from + i, bytes, accept, certificate));
  }

  #otherHead(from: number, last: number): string {
    const what = from === last ? 'it' : `it, or one of those from ${from} on,`;
    return `${what} is not what was certified, or does not follow on the one before`;
  }

  #execute(index: number, bytes: Uint8Array, accept: Accept, certificate: Uint8Array): void {
    const replica = this.#replica;
    const entry = guarded(index, 'its bytes', () => decodeEntry(bytes));
    const fault = entryFault(replica, entry, { ceilingMs: Infinity, wallMs: Infinity });
    if (fault !== undefined) throw new AuditFault(index, FAULTS[fault] ?? fault);
    if (entry.ledgerRoot !== undefined) this.counts.roots++;
    const tail = guarded(index, 'it can’t be executed', () => appendEntry(replica, bytes, entry));
    if (index === accept.index) {
      checkOutcomes(tail, accept);
      this.counts.certified++;
    }
    certify(replica, certificate, { ...accept, index });
    this.first ??= { index, utc: entry.utc };
    this.counts.entries++;
    if (this.#observers.length === 0) return;
    const commands = entry.commands.map(decodeCommand);
    const audited = { entry, commands, outcomes: tail.outcomes.map(decodeOutcome), ledger: replica.ledger };
    for (const observer of this.#observers) observer.observe(audited);
  }
}

const FAULTS: Partial<Record<Refusal, string>> = {
  malformed: 'it is of another container set, or stands at another place',
  'rules-version': 'it was made by another version of the program; check it with that one',
  'log-time': 'its log time is before that of the entry before',
  utc: 'its UTC leaves its course',
  'ledger-root': 'the root that it names is not that of the ledger that the entries before lead to',
};

function checkOutcomes({ entry, outcomes, tree }: Tail, accept: Accept): void {
  const { index, logTime, utc } = entry;
  if (!equalBytes(tree.root, accept.outcomesRoot) || outcomes.length !== accept.leafCount)
    throw new AuditFault(index, 'executed again, it has other outcomes than those that were certified');
  if (logTime !== accept.logTime || utc !== accept.utc)
    throw new AuditFault(index, 'it was certified with other times than it has');
}

function guarded<T>(index: number, what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof LicenseError) throw new AuditFault(index, `${what}: ${error.message}`);
    throw error;
  }
}
