import {
  bytesKey,
  type CountingMode,
  COUNTING_MODES,
  decodeUtf8,
  encodeUtf8,
  LIMITS as FORMAT,
  malformed,
  Reader,
  sessionHandleOf,
  verifyConstituent,
  verifyIssuingKey,
  verifyLicense,
  Writer,
} from '@trefoil/license';
import { countHold } from './seats.ts';
import { sizeOf } from './size.ts';
import {
  addLicense,
  type Answered,
  emptyLedger,
  emptyWindow,
  type HeldItem,
  type Hold,
  type Ledger,
  type LedgerContext,
  recordName,
  type RequestWindow,
  type Session,
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
      return new Writer().u64(ledger.index).u64(ledger.logTime).u64(ledger.utc).u64(ledger.utcLead).done();
    case 'S': {
      const session = ledger.sessions.get(key);
      return session === undefined ? undefined : encodeSession(session);
    }
    case 'L':
      return encodeLicense(ledger, key);
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
      throw new RangeError('no such record');
  }
}

export function recordNames(ledger: Ledger): string[] {
  return [
    META,
    ...[...ledger.sessions.values()].map((one) => recordName.session(one.id)),
    ...[...ledger.licenses.keys()].map(recordName.license),
    ...[...ledger.ended.keys()].map(recordName.ended),
    ...[...ledger.remembered.keys()].map(recordName.remembered),
  ].sort(); // UTF-16 units: one a byte for binary keys, ASCII for codes
}

function encodeLicense(ledger: Ledger, id: string): Uint8Array | undefined {
  const state = ledger.licenses.get(id);
  if (state === undefined) return undefined;
  const writer = new Writer()
    .u64(state.consumed)
    .bytes(encodeUtf8(state.issuingKey))
    .bytes(encodeUtf8(state.license.text))
    .u8(state.constituents.length);
  for (const constituent of state.constituents) writer.bytes(encodeUtf8(constituent.text));
  return writer.done();
}

function encodeSession(session: Session): Uint8Array {
  const writer = new Writer()
    .raw(session.id)
    .raw(session.key)
    .raw(session.closeHash)
    .text(session.user)
    .text(session.host)
    .text(session.program)
    .u64(session.openedUtc)
    .u64(session.deadline)
    .text(session.evicted)
    .u8(session.closed ? 1 : 0)
    .u32(session.holds.size);
  for (const id of ascending(session.holds)) writeHold(writer, session.holds.get(id) as Hold);
  writeWindow(writer, session.proven);
  writeWindow(writer, session.free);
  return writer.done();
}

function writeWindow(writer: Writer, { lowestUnanswered, answered }: RequestWindow): void {
  writer.u64(lowestUnanswered).u32(answered.size);
  for (const id of ascending(answered)) {
    const { commandHash, outcome, consume } = answered.get(id) as Answered;
    writer
      .u64(id)
      .raw(commandHash)
      .bytes(outcome)
      .u8(consume ? 1 : 0);
  }
}

function ascending(map: ReadonlyMap<number, unknown>): number[] {
  return [...map.keys()].sort((a, b) => a - b);
}

function writeHold(writer: Writer, hold: Hold): void {
  writer
    .u64(hold.id)
    .raw(hold.releaseHash)
    .u64(hold.sinceLogTime)
    .u64(hold.sinceUtc)
    .u32(hold.lifeMs)
    .u32(hold.timeoutMs)
    .u64(hold.issuedLogTime)
    .u64(hold.freeAt)
    .u8(hold.lingering ? 1 : 0)
    .u8(hold.items.length);
  for (const item of hold.items)
    writer.text(item.license).text(item.feature).u32(item.seats).u8(COUNTING_MODES.indexOf(item.mode));
}

/** Builds a ledger from the records of a snapshot. Its root still has to be compared with the certified one. */
export function ledgerFromRecords(context: LedgerContext, records: ReadonlyMap<string, Uint8Array>): Ledger {
  const ledger = emptyLedger(context);
  for (const [name, value] of records) restoreRecord(ledger, name, new Reader(value));
  for (const session of ledger.sessions.values()) {
    for (const hold of session.holds.values()) countHold(ledger, session, hold, 'take');
    ledger.deadlines.push(session);
  }
  ledger.bytes = sizeOf(ledger);
  ledger.journal.clear();
  ledger.dirty.clear();
  return ledger;
}

function restoreRecord(ledger: Ledger, name: string, reader: Reader): void {
  const key = name.slice(1);
  switch (name[0]) {
    case 'M':
      ledger.index = reader.u64();
      ledger.logTime = reader.u64();
      ledger.utc = reader.u64();
      ledger.utcLead = reader.u64();
      break;
    case 'S': {
      const session = readSession(ledger, reader);
      ledger.sessions.set(bytesKey(session.id), session);
      ledger.handles.set(bytesKey(session.handle), session);
      break;
    }
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
    default:
      throw malformed('unknown record');
  }
  reader.end();
}

/** The documents are verified again: a snapshot is as little trusted as any other file. */
function restoreLicense(ledger: Ledger, id: string, reader: Reader): void {
  const { crypto, vendorRoot } = ledger.context;
  const text = (): string => decodeUtf8(reader.bytes(FORMAT.documentBytes));
  const consumed = reader.u64();
  const issuing = verifyIssuingKey(crypto, vendorRoot, text());
  const license = verifyLicense(crypto, issuing, text());
  const constituents = [];
  for (let i = reader.u8(); i > 0; i--) constituents.push(verifyConstituent(crypto, issuing, text()));
  if (license.id !== id) throw malformed('a license under another name');
  addLicense(ledger, {
    license,
    licenseDigest: crypto.sha256(encodeUtf8(license.text)),
    constituents,
    issuingKey: issuing.text,
    replaced: [],
    consumed,
    used: 0,
    usedByFeature: new Map(),
    shares: new Map(),
    holders: [],
  });
}

function readSession({ context }: Ledger, reader: Reader): Session {
  const id = new Uint8Array(reader.raw(16));
  const session: Session = {
    id,
    handle: new Uint8Array(sessionHandleOf(context.crypto, id)),
    key: new Uint8Array(reader.raw(32)),
    closeHash: new Uint8Array(reader.raw(32)),
    user: reader.text(FORMAT.nameBytes),
    host: reader.text(FORMAT.nameBytes),
    program: reader.text(FORMAT.nameBytes),
    openedUtc: reader.u64(),
    deadline: reader.u64(),
    evicted: reader.text(FORMAT.reasonBytes),
    closed: reader.code(0, 1, 'flag') === 1,
    holds: new Map(),
    proven: emptyWindow(),
    free: emptyWindow(),
  };
  for (let i = reader.u32(); i > 0; i--) {
    const hold = readHold(reader);
    session.holds.set(hold.id, hold);
  }
  readWindow(reader, session.proven);
  readWindow(reader, session.free);
  return session;
}

function readWindow(reader: Reader, window: RequestWindow): void {
  window.lowestUnanswered = reader.u64();
  for (let i = reader.u32(); i > 0; i--)
    window.answered.set(reader.u64(), {
      commandHash: new Uint8Array(reader.raw(32)),
      outcome: new Uint8Array(reader.bytes(FORMAT.documentBytes)),
      consume: reader.code(0, 1, 'flag') === 1,
    });
}

function readHold(reader: Reader): Hold {
  const fields = {
    id: reader.u64(),
    releaseHash: new Uint8Array(reader.raw(32)),
    sinceLogTime: reader.u64(),
    sinceUtc: reader.u64(),
    lifeMs: reader.u32(),
    timeoutMs: reader.u32(),
    issuedLogTime: reader.u64(),
    freeAt: reader.u64(),
    lingering: reader.code(0, 1, 'flag') === 1,
  };
  const items: HeldItem[] = [];
  for (let i = reader.u8(); i > 0; i--)
    items.push({
      license: reader.text(FORMAT.codeBytes),
      feature: reader.text(FORMAT.codeBytes),
      seats: reader.u32(),
      mode: COUNTING_MODES[reader.code(0, COUNTING_MODES.length - 1, 'counting mode')] as CountingMode,
    });
  return { ...fields, items };
}
