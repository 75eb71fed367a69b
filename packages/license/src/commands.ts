import { concatBytes, decodeUtf8, encodeUtf8, malformed, Reader, Writer } from './bytes.ts';
import { type Crypto, SIGNATURE_BYTES, type SigningKey } from './crypto.ts';
import { LIMITS } from './limits.ts';
import { taggedHash } from './merkle.ts';
import { TAGS } from './statements.ts';
import { COUNTING_MODES, type CountingMode, parseProductVersion } from './terms/index.ts';

/**
 * What clients and admins ask of the virtual container (FORMATS §4). Each carries its own authority, because the TMR server
 * that passes it on is not trusted: a signature of the session key, a revealed secret, an admin's or the vendor's signature.
 */
export type Command =
  | OpenCommand
  | RenewCommand
  | AcquireCommand
  | ReleaseCommand
  | ConsumeCommand
  | CloseCommand
  | EvictCommand
  | UpdateCommand
  | RulesCommand
  | UnnameCommand;

export const SESSION_ID_BYTES = 16;
export const SECRET_BYTES = 32;

export interface OpenCommand {
  readonly kind: 'open';
  /** Ed25519, 32 bytes. */
  readonly sessionKey: Uint8Array;
  readonly nonce: Uint8Array;
  /** SHA-256 of the secret that closes the session. */
  readonly closeHash: Uint8Array;
  /** A certified logTime, at most ten minutes old when it is executed: an ended session can't be opened again. */
  readonly atLogTime: number;
  /** Claims; shown to admins and in denials. */
  readonly user: string;
  readonly host: string;
  readonly program: string;
  /** Of the machine, as it sees itself; '' = not said. A claim as well, for an admin's rules. */
  readonly address: string;
  /** Version of the client's side of this protocol, CLIENT_VERSION. */
  readonly client: number;
  readonly signature: Uint8Array;
}

/** What a license may demand of a client (FORMATS §2.4, minimum). */
export const CLIENT_VERSION = 2;

/** Every later command of a session. */
interface InSession {
  readonly session: Uint8Array;
  /** 1, 2, 3 …, each for one command; the same id again asks for the same outcome. */
  readonly requestId: number;
  /** Lowest id whose answer the client still lacks: what is below may be forgotten. */
  readonly lowestUnanswered: number;
}

export interface RenewCommand extends InSession {
  readonly kind: 'renew';
  /** 16 random bytes: an answer to a renewal that somebody foretold would be older than the question. */
  readonly nonce: Uint8Array;
  /** How long nobody has used the application, ms; a hint for admins and for who waits. */
  readonly idleMs: number;
}

/** What an application wants to use. */
export interface Asked {
  readonly product: string;
  /** '' = the product itself. */
  readonly feature: string;
  /** Its version, like 7.2.1; absent = not said. A license that names versions is not given to it then. */
  readonly version?: string;
  /** When that version was released, ms since 1970; absent = not said. */
  readonly releasedAt?: number;
}

export interface AcquireItem extends Asked {
  readonly seats: number;
  /** undefined = the license's first mode. */
  readonly mode?: CountingMode;
}

export interface AcquireCommand extends InSession {
  readonly kind: 'acquire';
  /** SHA-256 of the secret that gives the seats back. */
  readonly releaseHash: Uint8Array;
  /** For so long it waits if others have the seats; 0 = not at all. */
  readonly waitMs: number;
  /** All or none. */
  readonly items: readonly AcquireItem[];
}

export interface ReleaseCommand extends InSession {
  readonly kind: 'release';
  /** The request id of the acquire. */
  readonly hold: number;
  readonly secret: Uint8Array;
}

export interface ConsumeCommand extends InSession {
  readonly kind: 'consume';
  /** All or none. */
  readonly items: readonly ConsumeItem[];
  readonly signature: Uint8Array;
}

export interface ConsumeItem extends Asked {
  /** How often: each takes as many units as its feature weighs. */
  readonly count: number;
}

export interface CloseCommand extends InSession {
  readonly kind: 'close';
  readonly secret: Uint8Array;
}

/** Of an admin, signed by his key. */
interface ByAdmin {
  /** Key id of the admin key, 16 bytes. */
  readonly admin: Uint8Array;
  readonly nonce: Uint8Array;
  /** A certified logTime, at most ten minutes old when it is executed. */
  readonly atLogTime: number;
  readonly signature: Uint8Array;
}

export interface EvictCommand extends ByAdmin {
  readonly kind: 'evict';
  /** Its handle. */
  readonly session: Uint8Array;
  readonly reason: string;
}

/** The customer's own rules, in place of all that stood before. */
export interface RulesCommand extends ByAdmin {
  readonly kind: 'rules';
  /** JSON, FORMATS §2.9. */
  readonly document: string;
}

/** Takes a user or device off a license whose seats belong to names. */
export interface UnnameCommand extends ByAdmin {
  readonly kind: 'unname';
  readonly license: string;
  readonly name: string;
}

export interface UpdateCommand {
  readonly kind: 'update';
  /** A signed update document. */
  readonly document: string;
}

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
} as const;

export function encodeCommand(command: Command): Uint8Array {
  const unsigned = encodeUnsigned(command);
  return 'signature' in command ? concatBytes(unsigned, command.signature) : unsigned;
}

function encodeUnsigned(command: Unsigned<Command>): Uint8Array {
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
    case 'close':
      return inSession(writer, command).raw(command.secret).done();
    case 'evict':
      return byAdmin(writer, command).raw(command.session).text(command.reason).done();
    case 'rules':
      return byAdmin(writer, command).bytes(encodeUtf8(command.document)).done();
    case 'unname':
      return byAdmin(writer, command).text(command.license).text(command.name).done();
    case 'update':
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
  switch (reader.u8()) {
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
    case KIND_CODE.close:
      return { kind: 'close', ...readInSession(reader), secret: reader.raw(SECRET_BYTES) };
    case KIND_CODE.evict:
      return {
        kind: 'evict',
        ...readByAdmin(reader),
        session: reader.raw(SESSION_ID_BYTES),
        reason: reader.name(LIMITS.reasonBytes),
        signature: reader.raw(SIGNATURE_BYTES),
      };
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
    case KIND_CODE.update:
      return { kind: 'update', document: decodeUtf8(reader.bytes(LIMITS.updateBytes)) };
    default:
      throw malformed('unknown command');
  }
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

/** By an admin. */
export type AdminCommand = EvictCommand | RulesCommand | UnnameCommand;
type Signed = OpenCommand | ConsumeCommand | AdminCommand;
type Unsigned<C> = C extends unknown ? Omit<C, 'signature'> : never;

const SIGN_TAG = {
  open: TAGS.open,
  consume: TAGS.consume,
  evict: TAGS.evict,
  rules: TAGS.rules,
  unname: TAGS.unname,
} as const;

/** The signature covers the container set too: a command for one virtual container is nothing to another. */
function signedBytes(set: Uint8Array, command: Unsigned<Signed>): Uint8Array {
  return concatBytes(SIGN_TAG[command.kind], set, encodeUnsigned(command));
}

export function signCommand<C extends Signed>(set: Uint8Array, command: Unsigned<C>, key: SigningKey): C {
  return { ...command, signature: key.sign(signedBytes(set, command)) } as unknown as C;
}

/** What has to be verified: the bytes that the signature of this command must cover. */
export function signedCommandBytes(set: Uint8Array, command: Signed): Uint8Array {
  return signedBytes(set, command);
}

/**
 * A session's id follows from its `open`: nobody can open another one under the same id. Only who has seen the `open` or a later
 * command knows it: it is shown to nobody, for whoever knows it may ask in that session.
 */
export function sessionIdOf(crypto: Crypto, set: Uint8Array, open: Unsigned<OpenCommand>): Uint8Array {
  return taggedHash(crypto, TAGS.session, set, encodeUnsigned(open)).subarray(0, SESSION_ID_BYTES);
}

/** By which a session is shown and named to others: in outcomes, lists and evictions. */
export function sessionHandleOf(crypto: Crypto, id: Uint8Array): Uint8Array {
  return taggedHash(crypto, TAGS.handle, id).subarray(0, SESSION_ID_BYTES);
}
