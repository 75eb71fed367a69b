import { concatBytes } from './bytes.ts';
import { encodeUnsigned, SESSION_ID_BYTES } from './command-bytes.ts';
import type { Crypto, SigningKey } from './crypto.ts';
import { taggedHash } from './merkle.ts';
import { TAGS } from './statements.ts';
import type { CountingMode } from './terms/index.ts';

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
  | BorrowCommand
  | ExtendCommand
  | CloseCommand
  | EvictCommand
  | UpdateCommand
  | ReconfigureCommand
  | RulesCommand
  | UnnameCommand
  | WriteOffCommand;

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
export interface InSession {
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

/** Seats that leave the group for that long: nobody renews them, and nothing but their secret brings them back before. */
export interface BorrowCommand extends InSession {
  readonly kind: 'borrow';
  readonly releaseHash: Uint8Array;
  readonly forMs: number;
  /** All or none. */
  readonly items: readonly AcquireItem[];
  readonly signature: Uint8Array;
}

/** Borrowed seats, for that long from now. */
export interface ExtendCommand extends InSession {
  readonly kind: 'extend';
  /** The request id of the borrow. */
  readonly hold: number;
  readonly forMs: number;
  readonly signature: Uint8Array;
}

export interface CloseCommand extends InSession {
  readonly kind: 'close';
  readonly secret: Uint8Array;
}

/** Of an admin, signed by his key. */
export interface ByAdmin {
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

/** Ends a session whose machine is lost, with what it has borrowed: so often as the licenses allow. */
export interface WriteOffCommand extends ByAdmin {
  readonly kind: 'write-off';
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

/** One container in the place of another, or the same ones for longer. */
export interface ReconfigureCommand {
  readonly kind: 'reconfigure';
  /** A signed reconfiguration. */
  readonly document: string;
}

/** By an admin. */
export type AdminCommand = EvictCommand | RulesCommand | UnnameCommand | WriteOffCommand;
/** By the session's key. */
export type SessionSigned = ConsumeCommand | BorrowCommand | ExtendCommand;
type Signed = OpenCommand | SessionSigned | AdminCommand;
export type Unsigned<C> = C extends unknown ? Omit<C, 'signature'> : never;

const SIGN_TAG = {
  open: TAGS.open,
  consume: TAGS.consume,
  borrow: TAGS.borrow,
  extend: TAGS.extend,
  evict: TAGS.evict,
  rules: TAGS.rules,
  unname: TAGS.unname,
  'write-off': TAGS.writeOff,
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
