import { type Accept, type Configuration, decodeCertificate, equalBytes, verifyCertificate } from '@trefoil/license';
import { decodeEntry, headAfter } from './entry.ts';
import type { EntriesMessage } from './messages.ts';
import type { RecentEntries } from './recent-entries.ts';
import { appendEntry, certify, dropTail, type Replica, type Tail } from './replica.ts';

/** Certified entries that continue a log; proved as a whole before anything of them is applied (PROTOCOL §3.5). */
export interface Chunk {
  readonly start: number;
  readonly entries: readonly Uint8Array[];
  readonly certificate: Uint8Array;
  readonly accept: Accept;
}

export function checkCertificate(
  configuration: Configuration,
  replica: Replica,
  bytes: Uint8Array,
): Accept | undefined {
  try {
    return verifyCertificate(replica.crypto, configuration, decodeCertificate(bytes));
  } catch {
    return undefined;
  }
}

/** The part of the message that is new here; 'useless' = nothing new or not next; 'false' = it doesn't hash to what was certified. */
export function checkFeed(
  configuration: Configuration,
  replica: Replica,
  message: EntriesMessage,
): Chunk | 'useless' | 'false' {
  const last = message.from + message.entries.length - 1;
  if (message.from > replica.certifiedIndex + 1 || last <= replica.certifiedIndex) return 'useless';
  const accept = checkCertificate(configuration, replica, message.certificate);
  if (accept === undefined || accept.index !== last) return 'false';
  // Copies: the entries outlive the frame that they came in.
  const entries = message.entries
    .slice(replica.certifiedIndex + 1 - message.from)
    .map((entry) => new Uint8Array(entry));
  let head = replica.tail?.previousHead ?? replica.lastHead;
  for (const entry of entries) head = headAfter(replica.crypto, head, entry);
  if (!equalBytes(head, accept.head)) return 'false';
  return { start: replica.certifiedIndex + 1, entries, certificate: new Uint8Array(message.certificate), accept };
}

/** Drops an uncertified entry and appends the chunk. Throws if the outcomes differ from the certified ones: a broken program. */
export function applyFeed(replica: Replica, recent: RecentEntries, chunk: Chunk): Tail[] {
  const tails: Tail[] = [];
  dropTail(replica);
  const lastIndex = chunk.start + chunk.entries.length - 1;
  chunk.entries.forEach((bytes, i) => {
    const tail = appendEntry(replica, bytes, decodeEntry(bytes));
    const index = chunk.start + i;
    const proof = index === lastIndex ? chunk.certificate : undefined;
    if (
      proof !== undefined &&
      index % replica.checkOutcomesEvery === 0 &&
      !equalBytes(tail.tree.root, chunk.accept.outcomesRoot)
    )
      throw new Error(`entry ${index} has other outcomes here than those certified`);
    certify(replica, proof ?? replica.certificate ?? new Uint8Array(0), { ...chunk.accept, index });
    recent.push(index, bytes, proof);
    tails.push(tail);
  });
  return tails;
}
