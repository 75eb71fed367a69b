import { type Accept, type Configuration, type Crypto, malformed, merkleTree, type MerkleTree } from '@trefoil/license';
import { checkRules, type Entry, decodeEntry, genesisHead, headAfter } from './entry.ts';
import { applyEntry } from './ledger/apply.ts';
import { configurationFor } from './ledger/configurations.ts';
import { parsed } from './signed.ts';
import { LedgerRoot } from './ledger/root.ts';
import { emptyLedger, type Ledger, type LedgerContext, newestRules } from './ledger/state.ts';

/** The newest entry while it has no certificate yet: the one step that may be taken back. */
export interface Tail {
  readonly entry: Entry;
  readonly bytes: Uint8Array;
  readonly previousHead: Uint8Array;
  readonly outcomes: readonly Uint8Array[];
  readonly tree: MerkleTree;
}

/**
 * A log's head and the ledger that follows from it; the same in license servers and TMR servers.
 * Invariant: lastIndex = certifiedIndex + (tail ? 1 : 0).
 */
export interface Replica {
  readonly crypto: Crypto;
  ledger: Ledger;
  root: LedgerRoot;
  lastIndex: number;
  lastHead: Uint8Array;
  certifiedIndex: number;
  /** Newest certificate; undefined before the first entry. */
  certificate: Uint8Array | undefined;
  certified: Accept | undefined;
  tail: Tail | undefined;
  /**
   * Of certified entries taken over, every n-th is compared with the certified outcomes: 1 in a license server, which will sign
   * on top of them; seldom in a TMR server, which compares its own with every entry that it leads.
   */
  readonly checkOutcomesEvery: number;
}

export function emptyReplica(
  context: LedgerContext,
  { checkOutcomesEvery = 1, makesSnapshots = false }: { checkOutcomesEvery?: number; makesSnapshots?: boolean } = {},
): Replica {
  const { configuration, group, crypto } = context;
  return {
    crypto,
    ledger: emptyLedger(context),
    root: new LedgerRoot(crypto, makesSnapshots),
    lastIndex: 0,
    lastHead: genesisHead(crypto, { set: configuration.set, configuration: configuration.text, group: group.text }),
    certifiedIndex: 0,
    certificate: undefined,
    certified: undefined,
    tail: undefined,
    checkOutcomesEvery,
  };
}

/** Under which the next entry is voted for: that of the newest certified entry (PROTOCOL §4.9). */
export function inForce({ ledger, certifiedIndex }: Replica): Configuration {
  return configurationFor(ledger, certifiedIndex + 1);
}

/** Changed records hashed per entry ahead of the next root: few, since those in use change again at once. */
const PREPARE_RECORDS = 4;

/** Executes the next entry. Throws `malformed`, OtherRules or TooMuchSaid, and leaves all as it was. */
export function appendEntry(replica: Replica, bytes: Uint8Array, entry: Entry = decodeEntry(bytes)): Tail {
  if (replica.tail !== undefined) throw new Error('an uncertified entry is in the way');
  checkRules(entry, newestRules(replica.ledger.context));
  if (entry.rulesVersion < replica.ledger.rulesVersion)
    throw malformed('an entry under older rules than the one before it');
  const outcomes = applyEntry(replica.ledger, entry);
  const { crypto, lastHead: previousHead } = replica;
  let tree: MerkleTree | undefined;
  const tail: Tail = {
    entry,
    bytes,
    previousHead,
    outcomes,
    // Half of an entry's hashing; who only follows doesn't need it.
    get tree() {
      tree ??= merkleTree(crypto, outcomes);
      return tree;
    },
  };
  replica.tail = tail;
  replica.lastHead = headAfter(replica.crypto, replica.lastHead, bytes);
  replica.lastIndex = entry.index;
  return tail;
}

/** Whether `appendEntry` would take it; nothing is left of it. */
export function canAppend(replica: Replica, bytes: Uint8Array): boolean {
  if (parsed((one) => appendEntry(replica, one), bytes) === undefined) return false;
  dropTail(replica);
  return true;
}

/** Takes the uncertified entry back. */
export function dropTail(replica: Replica): void {
  const { tail } = replica;
  if (tail === undefined) return;
  replica.ledger.journal.undoTo(0);
  replica.lastHead = tail.previousHead;
  replica.lastIndex = tail.entry.index - 1;
  replica.tail = undefined;
}

/** The tail (or an older prefix) is proved: what it changed can't be taken back any more. */
export function certify(replica: Replica, certificate: Uint8Array, accept: Accept): void {
  replica.certificate = certificate;
  replica.certified = accept;
  if (replica.tail === undefined || accept.index < replica.tail.entry.index) return;
  replica.tail = undefined;
  replica.certifiedIndex = replica.lastIndex;
  replica.ledger.journal.clear();
  replica.root.prepare(replica.ledger, PREPARE_RECORDS);
}
