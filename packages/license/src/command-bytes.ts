import { concatBytes, decodeUtf8, encodeUtf8, malformed, Reader, Writer } from './bytes.ts';
import type {
  AcquireItem,
  Asked,
  ByAdmin,
  Command,
  ConsumeItem,
  EvictCommand,
  InSession,
  Unsigned,
} from './commands.ts';
import { SIGNATURE_BYTES } from './crypto.ts';
import { LIMITS } from './limits.ts';
import { COUNTING_MODES, type CountingMode, parseProductVersion } from './terms/index.ts';

export const SESSION_ID_BYTES = 16;
export const SECRET_BYTES = 32;

/** Commands as bytes (FORMATS §4). */
const KIND_CODE = {
  open: 1,
  renew: 2,
  acquire: 3,
  release: 4,
  consume: 5,
  close: 6,
  evict: 7,
  update: 8,
  rules: 9,
  unname: 10,
  borrow: 11,
  extend: 12,
  'write-off': 13,
  reconfigure: 14,
} as const;

export function encodeCommand(command: Command): Uint8Array {
  const unsigned = encodeUnsigned(command);
  return 'signature' in command ? concatBytes(unsigned, command.signature) : unsigned;
}

/** What a signature covers; see `signedCommandBytes`. */
export function encodeUnsigned(command: Unsigned<Command>): Uint8Array {
  const writer = new Writer().u8(KIND_CODE[command.kind]);
  switch (command.kind) {
    case 'open':
      return writer
        .raw(command.sessionKey)
        .raw(command.nonce)
        .raw(command.closeHash)
        .u64(command.atLogTime)
        .text(command.user)
        .text(command.host)
        .text(command.program)
        .text(command.address)
        .u16(command.client)
        .done();
    case 'renew':
      return inSession(writer, command).raw(command.nonce).u32(command.idleMs).done();
    case 'acquire':
      inSession(writer, command).raw(command.releaseHash).u32(command.waitMs);
      writeAcquireItems(writer, command.items);
      return writer.done();
    case 'release':
      return inSession(writer, command).u64(command.hold).raw(command.secret).done();
    case 'consume':
      inSession(writer, command).u8(command.items.length);
      for (const item of command.items) asked(writer, item).u64(item.count);
      return writer.done();
    case 'borrow':
      inSession(writer, command).raw(command.releaseHash).u64(command.forMs);
      writeAcquireItems(writer, command.items);
      return writer.done();
    case 'extend':
      return inSession(writer, command).u64(command.hold).u64(command.forMs).done();
    case 'close':
      return inSession(writer, command).raw(command.secret).done();
    case 'evict':
    case 'write-off':
      return byAdmin(writer, command).raw(command.session).text(command.reason).done();
    case 'rules':
      return byAdmin(writer, command).bytes(encodeUtf8(command.document)).done();
    case 'unname':
      return byAdmin(writer, command).text(command.license).text(command.name).done();
    case 'update':
    case 'reconfigure':
      return writer.bytes(encodeUtf8(command.document)).done();
  }
}

function byAdmin(writer: Writer, command: Omit<ByAdmin, 'signature'>): Writer {
  return writer.raw(command.admin).raw(command.nonce).u64(command.atLogTime);
}

function inSession(writer: Writer, command: InSession): Writer {
  return writer.raw(command.session).u64(command.requestId).u64(command.lowestUnanswered);
}

/** As in an acquire; ledgers write down those of who waits. */
export function writeAcquireItems(writer: Writer, items: readonly AcquireItem[]): void {
  writer.u8(items.length);
  for (const item of items) asked(writer, item).u32(item.seats).u8(modeCode(item.mode));
}

export function readAcquireItems(reader: Reader): AcquireItem[] {
  return readItems(reader, readAcquireItem);
}

function asked(writer: Writer, { product, feature, version = '', releasedAt = 0 }: Asked): Writer {
  return writer.text(product).text(feature).text(version).u64(releasedAt);
}

function modeCode(mode: CountingMode | undefined): number {
  return mode === undefined ? 0 : COUNTING_MODES.indexOf(mode) + 1;
}

/** Refuses anything that `encodeCommand` could not have written. */
export function decodeCommand(bytes: Uint8Array): Command {
  const reader = new Reader(bytes);
  const command = readCommand(reader);
  reader.end();
  return command;
}

function readCommand(reader: Reader): Command {
  const kind = reader.u8();
  switch (kind) {
    case KIND_CODE.open:
      return {
        kind: 'open',
        sessionKey: reader.raw(32),
        nonce: reader.raw(16),
        closeHash: reader.raw(32),
        atLogTime: reader.u64(),
        user: reader.name(LIMITS.nameBytes),
        host: reader.name(LIMITS.nameBytes),
        program: reader.name(LIMITS.nameBytes),
        address: reader.name(LIMITS.addressBytes),
        client: reader.u16(),
        signature: reader.raw(SIGNATURE_BYTES),
      };
    case KIND_CODE.renew:
      return { kind: 'renew', ...readInSession(reader), nonce: reader.raw(16), idleMs: reader.u32() };
    case KIND_CODE.acquire:
      return {
        kind: 'acquire',
        ...readInSession(reader),
        releaseHash: reader.raw(32),
        waitMs: readWait(reader),
        items: readAcquireItems(reader),
      };
    case KIND_CODE.release:
      return { kind: 'release', ...readInSession(reader), hold: reader.u64(), secret: reader.raw(SECRET_BYTES) };
    case KIND_CODE.consume:
      return {
        kind: 'consume',
        ...readInSession(reader),
        items: readItems(reader, readConsumeItem),
        signature: reader.raw(SIGNATURE_BYTES),
      };
    case KIND_CODE.borrow:
      return {
        kind: 'borrow',
        ...readInSession(reader),
        releaseHash: reader.raw(32),
        forMs: readBorrowed(reader),
        items: readAcquireItems(reader),
        signature: reader.raw(SIGNATURE_BYTES),
      };
    case KIND_CODE.extend:
      return {
        kind: 'extend',
        ...readInSession(reader),
        hold: reader.u64(),
        forMs: readBorrowed(reader),
        signature: reader.raw(SIGNATURE_BYTES),
      };
    case KIND_CODE.close:
      return { kind: 'close', ...readInSession(reader), secret: reader.raw(SECRET_BYTES) };
    case KIND_CODE.update:
      return { kind: 'update', document: decodeUtf8(reader.bytes(LIMITS.updateBytes)) };
    case KIND_CODE.reconfigure:
      return { kind: 'reconfigure', document: decodeUtf8(reader.bytes(LIMITS.updateBytes)) };
    default:
      return readAdminCommand(reader, kind);
  }
}

function readAdminCommand(reader: Reader, kind: number): Command {
  switch (kind) {
    case KIND_CODE.evict:
      return { kind: 'evict', ...readEnding(reader) };
    case KIND_CODE['write-off']:
      return { kind: 'write-off', ...readEnding(reader) };
    case KIND_CODE.rules:
      return {
        kind: 'rules',
        ...readByAdmin(reader),
        document: decodeUtf8(reader.bytes(LIMITS.rulesBytes)),
        signature: reader.raw(SIGNATURE_BYTES),
      };
    case KIND_CODE.unname:
      return {
        kind: 'unname',
        ...readByAdmin(reader),
        license: reader.name(LIMITS.codeBytes),
        name: reader.name(LIMITS.nameBytes),
        signature: reader.raw(SIGNATURE_BYTES),
      };
    default:
      throw malformed('unknown command');
  }
}

/** Of a session, by an admin. */
function readEnding(reader: Reader): Omit<EvictCommand, 'kind'> {
  return {
    ...readByAdmin(reader),
    session: reader.raw(SESSION_ID_BYTES),
    reason: reader.name(LIMITS.reasonBytes),
    signature: reader.raw(SIGNATURE_BYTES),
  };
}

function readByAdmin(reader: Reader): Omit<ByAdmin, 'signature'> {
  return { admin: reader.raw(16), nonce: reader.raw(16), atLogTime: reader.u64() };
}

function readInSession(reader: Reader): InSession {
  const fields = { session: reader.raw(SESSION_ID_BYTES), requestId: reader.u64(), lowestUnanswered: reader.u64() };
  if (fields.requestId === 0) throw malformed('request id 0');
  if (fields.lowestUnanswered > fields.requestId) throw malformed('lowestUnanswered is above the request id');
  return fields;
}

function readItems<T>(reader: Reader, read: (reader: Reader) => T): T[] {
  const count = reader.u8();
  if (count < 1 || count > LIMITS.itemsPerAcquire) throw malformed(`${count} licenses in one command`);
  return Array.from({ length: count }, () => read(reader));
}

function readAsked(reader: Reader): Asked {
  const [product, feature] = [reader.name(LIMITS.codeBytes), reader.name(LIMITS.codeBytes)];
  const [version, releasedAt] = [reader.name(LIMITS.versionBytes), reader.u64()];
  if (version !== '' && parseProductVersion(version) === undefined) throw malformed('a version that is none');
  return { product, feature, ...(version !== '' && { version }), ...(releasedAt !== 0 && { releasedAt }) };
}

function readAcquireItem(reader: Reader): AcquireItem {
  const item = { ...readAsked(reader), seats: reader.u32() };
  if (item.seats === 0) throw malformed('0 seats asked for');
  const mode = COUNTING_MODES[reader.code(0, COUNTING_MODES.length, 'counting mode') - 1];
  return mode === undefined ? item : { ...item, mode };
}

function readConsumeItem(reader: Reader): ConsumeItem {
  const item = { ...readAsked(reader), count: reader.u64() };
  if (item.count === 0) throw malformed('0 asked for');
  return item;
}

function readWait(reader: Reader): number {
  const waitMs = reader.u32();
  if (waitMs > LIMITS.waitMs) throw malformed(`a wait of ${waitMs} ms; at most ${LIMITS.waitMs}`);
  return waitMs;
}

function readBorrowed(reader: Reader): number {
  const forMs = reader.u64();
  if (forMs < 1 || forMs > LIMITS.borrowingMs)
    throw malformed(`${forMs} ms borrowed; allowed are 1 to ${LIMITS.borrowingMs}`);
  return forMs;
}
