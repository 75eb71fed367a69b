import { concatBytes, decodeUtf8, encodeUtf8, malformed, Reader, Writer } from './bytes.ts';
import { type Crypto, SIGNATURE_BYTES, type SigningKey } from './crypto.ts';
import { LIMITS } from './limits.ts';
import { taggedHash } from './merkle.ts';
import { TAGS } from './statements.ts';
import { COUNTING_MODES, type CountingMode } from './terms.ts';

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
  | UpdateCommand;

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
  readonly signature: Uint8Array;
}

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
}

export interface AcquireItem {
  readonly product: string;
  /** '' = the product itself. */
  readonly feature: string;
  readonly seats: number;
  /** undefined = the license's first mode. */
  readonly mode?: CountingMode;
}

export interface AcquireCommand extends InSession {
  readonly kind: 'acquire';
  /** SHA-256 of the secret that gives the seats back. */
  readonly releaseHash: Uint8Array;
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
  readonly product: string;
  readonly feature: string;
  readonly units: number;
  readonly signature: Uint8Array;
}

export interface CloseCommand extends InSession {
  readonly kind: 'close';
  readonly secret: Uint8Array;
}

export interface EvictCommand {
  readonly kind: 'evict';
  /** Key id of the admin key, 16 bytes. */
  readonly admin: Uint8Array;
  readonly nonce: Uint8Array;
  readonly atLogTime: number;
  /** Its handle. */
  readonly session: Uint8Array;
  readonly reason: string;
  readonly signature: Uint8Array;
}

export interface UpdateCommand {
  readonly kind: 'update';
  /** A signed update document. */
  readonly document: string;
}

const KIND_CODE = { open: 1, renew: 2, acquire: 3, release: 4, consume: 5, close: 6, evict: 7, update: 8 } as const;

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
        .done();
    case 'renew':
      return inSession(writer, command).raw(command.nonce).done();
    case 'acquire':
      inSession(writer, command).raw(command.releaseHash).u8(command.items.length);
      for (const item of command.items)
        writer.text(item.product).text(item.feature).u32(item.seats).u8(modeCode(item.mode));
      return writer.done();
    case 'release':
      return inSession(writer, command).u64(command.hold).raw(command.secret).done();
    case 'consume':
      return inSession(writer, command).text(command.product).text(command.feature).u64(command.units).done();
    case 'close':
      return inSession(writer, command).raw(command.secret).done();
    case 'evict':
      return writer
        .raw(command.admin)
        .raw(command.nonce)
        .u64(command.atLogTime)
        .raw(command.session)
        .text(command.reason)
        .done();
    case 'update':
      return writer.bytes(encodeUtf8(command.document)).done();
  }
}

function inSession(writer: Writer, command: InSession): Writer {
  return writer.raw(command.session).u64(command.requestId).u64(command.lowestUnanswered);
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
        signature: reader.raw(SIGNATURE_BYTES),
      };
    case KIND_CODE.renew:
      return { kind: 'renew', ...readInSession(reader), nonce: reader.raw(16) };
    case KIND_CODE.acquire:
      return { kind: 'acquire', ...readInSession(reader), releaseHash: reader.raw(32), items: readItems(reader) };
    case KIND_CODE.release:
      return { kind: 'release', ...readInSession(reader), hold: reader.u64(), secret: reader.raw(SECRET_BYTES) };
    case KIND_CODE.consume:
      return {
        kind: 'consume',
        ...readInSession(reader),
        product: reader.name(LIMITS.codeBytes),
        feature: reader.name(LIMITS.codeBytes),
        units: reader.u64(),
        signature: reader.raw(SIGNATURE_BYTES),
      };
    case KIND_CODE.close:
      return { kind: 'close', ...readInSession(reader), secret: reader.raw(SECRET_BYTES) };
    case KIND_CODE.evict:
      return {
        kind: 'evict',
        admin: reader.raw(16),
        nonce: reader.raw(16),
        atLogTime: reader.u64(),
        session: reader.raw(SESSION_ID_BYTES),
        reason: reader.name(LIMITS.reasonBytes),
        signature: reader.raw(SIGNATURE_BYTES),
      };
    case KIND_CODE.update:
      return { kind: 'update', document: decodeUtf8(reader.bytes(LIMITS.updateBytes)) };
    default:
      throw malformed('unknown command');
  }
}

function readInSession(reader: Reader): InSession {
  const fields = { session: reader.raw(SESSION_ID_BYTES), requestId: reader.u64(), lowestUnanswered: reader.u64() };
  if (fields.requestId === 0) throw malformed('request id 0');
  if (fields.lowestUnanswered > fields.requestId) throw malformed('lowestUnanswered is above the request id');
  return fields;
}

function readItems(reader: Reader): AcquireItem[] {
  const count = reader.u8();
  if (count < 1 || count > LIMITS.itemsPerAcquire) throw malformed(`${count} licenses in one acquire`);
  const items: AcquireItem[] = [];
  for (let i = 0; i < count; i++) {
    const item = {
      product: reader.name(LIMITS.codeBytes),
      feature: reader.name(LIMITS.codeBytes),
      seats: reader.u32(),
    };
    if (item.seats === 0) throw malformed('0 seats asked for');
    const mode = COUNTING_MODES[reader.code(0, COUNTING_MODES.length, 'counting mode') - 1];
    items.push(mode === undefined ? item : { ...item, mode });
  }
  return items;
}

type Signed = OpenCommand | ConsumeCommand | EvictCommand;
type Unsigned<C> = C extends unknown ? Omit<C, 'signature'> : never;

const SIGN_TAG = { open: TAGS.open, consume: TAGS.consume, evict: TAGS.evict } as const;

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
