import {
  concatBytes,
  type Crypto,
  LicenseError,
  malformed,
  Reader,
  SET_ID_BYTES,
  TAGS,
  taggedHash,
  Writer,
} from '@trefoil/license';
import { LIMITS } from './limits.ts';

/** One step of the log (PROTOCOL §2.1). */
export interface Entry {
  readonly set: Uint8Array;
  readonly index: number;
  readonly logTime: number;
  readonly utc: number;
  /** Which rules execute it. */
  readonly rulesVersion: number;
  /** Root of the ledger before this entry; only every so often (PROTOCOL §8.2). */
  readonly ledgerRoot: Uint8Array | undefined;
  readonly commands: readonly Uint8Array[];
}

/**
 * 2: a renewal has a nonce, a session two windows of requests (decisions 12 and 13). 3: what clients make the group remember has
 * bounds (decision 14). 4: terms of version 2, waits, the customer's rules. 5: borrowing. 6: it is counted what is used of each
 * license. 7: the first that a running group rises to (decision 23); a license may ask for it. No program of versions 1 and 2 was ever
 * given away.
 */
export const RULES_VERSION = 7;
/** This program still executes what was made under it. */
export const OLDEST_RULES = 6;

/** Made by another version of the program: no damage, and nothing that could be executed here. */
export class OtherRules extends LicenseError {
  constructor({ index, rulesVersion }: Entry, newest: number) {
    const made = `entry ${index} was made under version ${rulesVersion} of the rules, and this program`;
    const older = `${made} begins with version ${OLDEST_RULES}: use the program that made it`;
    const newer = `${made} knows no later one than ${newest}: install the newer program, as on the other servers`;
    super('malformed', rulesVersion > newest ? newer : older);
  }
}

/** @throws OtherRules `newest`: the last version that this program knows. */
export function checkRules(entry: Entry, newest: number): void {
  if (entry.rulesVersion < OLDEST_RULES || entry.rulesVersion > newest) throw new OtherRules(entry, newest);
}

export function encodeEntry(entry: Entry): Uint8Array {
  const writer = new Writer()
    .raw(TAGS.entry)
    .raw(entry.set)
    .u64(entry.index)
    .u64(entry.logTime)
    .u64(entry.utc)
    .u16(entry.rulesVersion)
    .u8(entry.ledgerRoot === undefined ? 0 : 1);
  if (entry.ledgerRoot !== undefined) writer.raw(entry.ledgerRoot);
  writer.u32(entry.commands.length);
  for (const command of entry.commands) writer.bytes(command);
  return writer.done();
}

export function decodeEntry(bytes: Uint8Array): Entry {
  if (bytes.length > LIMITS.entryBytes) throw malformed('an entry above the limit');
  const reader = new Reader(bytes);
  reader.expect(TAGS.entry, 'tag');
  const head = {
    set: reader.raw(SET_ID_BYTES),
    index: reader.u64(),
    logTime: reader.u64(),
    utc: reader.u64(),
    rulesVersion: reader.u16(),
    ledgerRoot: reader.code(0, 1, 'flag') === 1 ? reader.raw(32) : undefined,
  };
  const count = reader.u32();
  if (count > LIMITS.batchCommands) throw malformed(`${count} commands in an entry`);
  const commands: Uint8Array[] = [];
  for (let i = 0; i < count; i++) commands.push(reader.bytes(LIMITS.entryBytes));
  reader.end();
  return { ...head, commands };
}

/** head(i) = H(tag ‖ head(i−1) ‖ H(entry bytes as received)) (PROTOCOL §2.2). */
export function headAfter(crypto: Crypto, previous: Uint8Array, entryBytes: Uint8Array): Uint8Array {
  return headAfterHash(crypto, previous, crypto.sha256(entryBytes));
}

/** The same, where the entry itself must not be seen. */
export function headAfterHash(crypto: Crypto, previous: Uint8Array, entryHash: Uint8Array): Uint8Array {
  return taggedHash(crypto, TAGS.head, previous, entryHash);
}

/** head(0) ties the log to the set, its first configuration and the group document (or what is known of it: its hash). */
export function genesisHead(
  crypto: Crypto,
  genesis: { set: Uint8Array; configuration: string; group: string | Uint8Array },
): Uint8Array {
  const digest = (text: string | Uint8Array): Uint8Array =>
    text instanceof Uint8Array ? text : crypto.sha256(new TextEncoder().encode(text));
  return taggedHash(
    crypto,
    TAGS.genesis,
    genesis.set,
    concatBytes(digest(genesis.configuration), digest(genesis.group)),
  );
}
