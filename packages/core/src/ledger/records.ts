import {
  bytesKey,
  decodeUtf8,
  encodeUtf8,
  LIMITS as FORMAT,
  malformed,
  parseAdminRules,
  Reader,
  verifyConstituent,
  verifyIssuingKey,
  verifyLicense,
  Writer,
} from '@trefoil/license';
import { encodeConfigurations, readConfigurations } from './configurations.ts';
import { policyOf } from './policy.ts';
import { enqueue } from './queue.ts';
import { countHold } from './seats.ts';
import { encodeSession, readSession } from './session-record.ts';
import { sizeOf } from './size.ts';
import { encodeUsageRecord, restoreUsageRecord, usageRecordNames } from './usage-records.ts';
import {
  addLicense,
  emptyLedger,
  type Ledger,
  type LedgerContext,
  type LicenseState,
  newLicense,
  recordName,
} from './state.ts';

/**
 * The ledger as named records with one canonical encoding each (PROTOCOL §8.1): what the ledger root is made of and what a
 * snapshot holds. Derived state is not in them.
 */
export const META = 'M';

/** undefined = there is no such record (any more). */
export function encodeRecord(ledger: Ledger, name: string): Uint8Array | undefined {
  const key = name.slice(1);
  switch (name[0]) {
    case 'M':
      return encodeMeta(ledger);
    case 'S': {
      const session = ledger.sessions.get(key);
      return session === undefined ? undefined : encodeSession(session);
    }
    case 'L':
      return encodeLicense(ledger, key);
    case 'C': {
      const state = ledger.licenses.get(key);
      return state === undefined ? undefined : encodeCounters(state);
    }
    case 'N':
      return encodeNames(ledger, key);
    case 'P':
      return encodePolicy(ledger);
    case 'K': {
      const bytes = encodeConfigurations(ledger);
      return bytes.length === 0 ? undefined : bytes;
    }
    case 'E': {
      const endedAt = ledger.ended.get(key);
      return endedAt === undefined ? undefined : new Writer().u64(endedAt).done();
    }
    case 'R': {
      const one = ledger.remembered.get(key);
      return one === undefined
        ? undefined
        : new Writer().raw(one.commandHash).bytes(one.outcome).u64(one.forgetAt).done();
    }
    default:
      return encodeUsageRecord(ledger, name);
  }
}

export function recordNames(ledger: Ledger): string[] {
  return [
    META,
    ...[...ledger.sessions.values()].map((one) => recordName.session(one.id)),
    ...[...ledger.licenses.keys()].flatMap((id) => [recordName.license(id), recordName.counters(id)]),
    ...[...ledger.licenses.values()].filter(hasNames).map(({ license }) => recordName.names(license.id)),
    ...(ledger.policy === undefined ? [] : [recordName.policy]),
    ...(ledger.configurations.length === 1 ? [] : [recordName.configurations]),
    ...[...ledger.ended.keys()].map(recordName.ended),
    ...[...ledger.remembered.keys()].map(recordName.remembered),
    ...usageRecordNames(ledger),
  ].sort(); // UTF-16 units: one a byte for binary keys, ASCII for codes
}

function encodeMeta({ index, logTime, utc, utcLead, stirred }: Ledger): Uint8Array {
  const writer = new Writer().u64(index).u64(logTime).u64(utc).u64(utcLead).u32(stirred.size);
  for (const product of [...stirred].sort()) writer.text(product); // codes: ASCII
  return writer.done();
}

function encodePolicy({ policy }: Ledger): Uint8Array | undefined {
  if (policy === undefined) return undefined;
  return new Writer().bytes(encodeUtf8(policy.text)).text(policy.admin).u64(policy.sinceUtc).done();
}

function encodeCounters({ consumed, firstUseUtc, writeOffs }: LicenseState): Uint8Array {
  const writer = new Writer().u64(consumed).u64(firstUseUtc).u32(writeOffs.length);
  for (const { utc, seats } of writeOffs) writer.u64(utc).u32(seats);
  return writer.done();
}

function hasNames({ names, nameChanges }: LicenseState): boolean {
  return names.size > 0 || nameChanges.length > 0;
}

function encodeNames(ledger: Ledger, id: string): Uint8Array | undefined {
  const state = ledger.licenses.get(id);
  if (state === undefined || !hasNames(state)) return undefined;
  const writer = new Writer().u32(state.names.size);
  for (const name of [...state.names.keys()].sort()) writer.text(name).u64(state.names.get(name) as number);
  writer.u32(state.nameChanges.length);
  for (const at of state.nameChanges) writer.u64(at);
  return writer.done();
}

function encodeLicense(ledger: Ledger, id: string): Uint8Array | undefined {
  const state = ledger.licenses.get(id);
  if (state === undefined) return undefined;
  const writer = new Writer()
    .bytes(encodeUtf8(state.issuingKey))
    .bytes(encodeUtf8(state.license.text))
    .u8(state.constituents.length);
  for (const constituent of state.constituents) writer.bytes(encodeUtf8(constituent.text));
  return writer.done();
}

/** Builds a ledger from the records of a snapshot. Its root still has to be compared with the certified one. */
export function ledgerFromRecords(context: LedgerContext, records: ReadonlyMap<string, Uint8Array>): Ledger {
  const ledger = emptyLedger(context);
  const order = ([a]: [string, Uint8Array], [b]: [string, Uint8Array]): number =>
    KINDS.indexOf(a.charAt(0)) - KINDS.indexOf(b.charAt(0));
  for (const [name, value] of [...records].sort(order)) restoreRecord(ledger, name, new Reader(value));
  // Before the queues: what is counted here is nothing new to who waits.
  for (const session of ledger.sessions.values())
    for (const hold of session.holds.values()) countHold(ledger, session, hold, 'take');
  const stirred = [...ledger.stirred];
  for (const session of ledger.sessions.values()) {
    for (const wait of session.waits.values()) enqueue(ledger, wait);
    ledger.deadlines.push(session);
  }
  ledger.stirred.clear();
  for (const product of stirred) ledger.stirred.add(product);
  ledger.bytes = sizeOf(ledger);
  ledger.journal.clear();
  ledger.dirty.clear();
  return ledger;
}

/** In the order in which they stand on each other: counters come to licenses. */
const KINDS = 'MKLCNPSERDUH';

function restoreRecord(ledger: Ledger, name: string, reader: Reader): void {
  const key = name.slice(1);
  switch (name[0]) {
    case 'M':
      ledger.index = reader.u64();
      ledger.logTime = reader.u64();
      ledger.utc = reader.u64();
      ledger.utcLead = reader.u64();
      for (let i = reader.u32(); i > 0; i--) ledger.stirred.add(reader.text(FORMAT.codeBytes));
      break;
    case 'S': {
      const session = readSession(ledger, reader);
      ledger.sessions.set(bytesKey(session.id), session);
      ledger.handles.set(bytesKey(session.handle), session);
      break;
    }
    case 'K':
      ledger.configurations = readConfigurations(ledger.context, reader);
      break;
    case 'L':
      restoreLicense(ledger, key, reader);
      break;
    case 'E':
      ledger.ended.set(key, reader.u64());
      break;
    case 'R':
      ledger.remembered.set(key, {
        commandHash: new Uint8Array(reader.raw(32)),
        outcome: new Uint8Array(reader.bytes(FORMAT.documentBytes)),
        forgetAt: reader.u64(),
      });
      break;
    case 'C': {
      const state = licenseOf(ledger, key);
      state.consumed = reader.u64();
      state.firstUseUtc = reader.u64();
      state.writeOffs = Array.from({ length: reader.u32() }, () => ({ utc: reader.u64(), seats: reader.u32() }));
      break;
    }
    case 'N':
      restoreNames(licenseOf(ledger, key), reader);
      break;
    case 'P': {
      const text = decodeUtf8(reader.bytes(FORMAT.rulesBytes));
      const signed = { text, admin: reader.text(FORMAT.nameBytes), sinceUtc: reader.u64() };
      ledger.policy = policyOf(ledger, { ...parseAdminRules(text), ...signed });
      break;
    }
    default:
      restoreUsageRecord(ledger, name, reader);
  }
  reader.end();
}

function licenseOf(ledger: Ledger, id: string): LicenseState {
  const state = ledger.licenses.get(id);
  if (state === undefined) throw malformed('counters of a license that is not there');
  return state;
}

function restoreNames(state: LicenseState, reader: Reader): void {
  for (let i = reader.u32(); i > 0; i--) state.names.set(reader.text(FORMAT.nameBytes), reader.u64());
  state.nameChanges = Array.from({ length: reader.u32() }, () => reader.u64());
}

/** The documents are verified again: a snapshot is as little trusted as any other file. */
function restoreLicense(ledger: Ledger, id: string, reader: Reader): void {
  const { crypto, vendorRoot } = ledger.context;
  const text = (): string => decodeUtf8(reader.bytes(FORMAT.documentBytes));
  const issuing = verifyIssuingKey(crypto, vendorRoot, text());
  const license = verifyLicense(crypto, issuing, text());
  const constituents = [];
  for (let i = reader.u8(); i > 0; i--) constituents.push(verifyConstituent(crypto, issuing, text()));
  if (license.id !== id) throw malformed('a license under another name');
  const licenseDigest = crypto.sha256(encodeUtf8(license.text));
  addLicense(ledger, newLicense({ license, licenseDigest, constituents, issuingKey: issuing.text }));
}
