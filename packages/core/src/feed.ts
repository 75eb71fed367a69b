import {
  type Accept,
  type Configuration,
  decodeAccept,
  decodeCertificate,
  decodeCommand,
  equalBytes,
  verifyCertificate,
  verifyReconfiguration,
} from '@trefoil/license';
import { decodeEntry, headAfter, OtherRules } from './entry.ts';
import { configurationFor, newestConfiguration } from './ledger/configurations.ts';
import { type LedgerContext, newestRules } from './ledger/state.ts';
import type { EntriesMessage } from './messages.ts';
import type { RecentEntries } from './recent-entries.ts';
import { appendEntry, certify, dropTail, type Replica, type Tail } from './replica.ts';
import { parsed } from './signed.ts';

/** Certified entries that continue a log; proved as a whole before anything of them is applied (PROTOCOL §3.5). */
export interface Chunk {
  readonly start: number;
  readonly entries: readonly Uint8Array[];
  readonly certificate: Uint8Array;
  readonly accept: Accept;
}

/** Under the configuration that is in force at its index, as far as this log knows; undefined = it proves nothing here. */
export function checkCertificate(replica: Replica, bytes: Uint8Array): Accept | undefined {
  return parsed((one) => verifyAhead(replica, [], one), bytes);
}

/**
 * The same, for the last of `entries`: it may be under a version of the configuration that one of these very entries brings. The
 * vendor has signed it, and its containers vote only behind the entry that does (PROTOCOL §4.9). @throws LicenseError
 */
export function verifyAhead({ crypto, ledger }: Replica, entries: readonly Uint8Array[], bytes: Uint8Array): Accept {
  const certificate = decodeCertificate(bytes);
  const { configVersion, index } = decodeAccept(certificate.statement);
  const known = configurationFor(ledger, index);
  const isAhead = configVersion > newestConfiguration(ledger).version;
  const configuration = isAhead ? broughtBy(ledger.context, entries, configVersion) : known;
  return verifyCertificate(crypto, configuration ?? known, certificate);
}

function broughtBy(
  { crypto, vendorRoot, issuingKey, configuration }: LedgerContext,
  entries: readonly Uint8Array[],
  version: number,
): Configuration | undefined {
  for (const bytes of entries.flatMap((entry) => parsed(decodeEntry, entry)?.commands ?? [])) {
    const command = parsed(decodeCommand, bytes);
    if (command?.kind !== 'reconfigure') continue;
    const change = parsed((text: string) => verifyReconfiguration(crypto, vendorRoot, text), command.document);
    if (change?.configuration.version !== version || change.issuingKey.text !== issuingKey) continue;
    if (equalBytes(change.configuration.set, configuration.set)) return change.configuration;
  }
  return undefined;
}

/**
 * The part of the message that is new here; 'useless' = nothing new or not next; 'false' = it doesn't hash to what was certified;
 * OtherRules = certified, and for a newer program.
 */
export function checkFeed(replica: Replica, message: EntriesMessage): Chunk | 'useless' | 'false' | OtherRules {
  const last = message.from + message.entries.length - 1;
  if (message.from > replica.certifiedIndex + 1 || last <= replica.certifiedIndex) return 'useless';
  // Copies: the entries outlive the frame that they came in.
  const entries = message.entries
    .slice(replica.certifiedIndex + 1 - message.from)
    .map((entry) => new Uint8Array(entry));
  const accept = parsed((one) => verifyAhead(replica, entries, one), message.certificate);
  if (accept === undefined || accept.index !== last) return 'false';
  let head = replica.tail?.previousHead ?? replica.lastHead;
  for (const entry of entries) head = headAfter(replica.crypto, head, entry);
  if (!equalBytes(head, accept.head)) return 'false';
  const newest = newestRules(replica.ledger.context);
  const isUnknown = (bytes: Uint8Array): boolean => (parsed(decodeEntry, bytes)?.rulesVersion ?? 0) > newest;
  // Rules never fall: those of the last one are the newest.
  if (entries.slice(-1).some(isUnknown))
    return new OtherRules(decodeEntry(entries.find(isUnknown) as Uint8Array), newest);
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
