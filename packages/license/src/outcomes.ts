import { malformed, Reader, Writer } from './bytes.ts';
import { SESSION_ID_BYTES } from './commands.ts';
import { LIMITS } from './limits.ts';
import { COUNTING_MODES, type CountingMode } from './terms.ts';

/**
 * What the group decided (FORMATS §5.2). Fixed binary: codes and parameters; SDK and CLI make the sentences. Denials are
 * outcomes, not errors. `commandHash` ties an outcome to the very bytes that were asked.
 */
export type Outcome = Answer & {
  /** SHA-256 of the command; zero for what the log's clock alone brought about. */
  readonly commandHash: Uint8Array;
  /** Its handle; zero for commands outside a session. */
  readonly session: Uint8Array;
  readonly requestId: number;
};

export type Answer =
  | { readonly kind: 'opened'; readonly logTime: number; readonly utc: number; readonly timeoutMs: number }
  | { readonly kind: 'granted'; readonly grants: readonly Grant[] }
  | { readonly kind: 'renewed'; readonly logTime: number; readonly grants: readonly Grant[] }
  | { readonly kind: 'released'; readonly hold: number }
  | {
      readonly kind: 'consumed';
      readonly license: string;
      readonly version: number;
      readonly units: number;
      readonly remaining: number;
    }
  | { readonly kind: 'closed' }
  | {
      readonly kind: 'denied';
      readonly code: DenialCode;
      readonly product: string;
      readonly feature: string;
      readonly quantity: number;
      readonly free: number;
      readonly holders: readonly Holder[];
    }
  | { readonly kind: 'refused'; readonly code: RefusalCode; readonly detail: string }
  | { readonly kind: 'evicted'; readonly reason: string; readonly freeAtLogTime: number }
  | { readonly kind: 'updated'; readonly licenses: readonly InstalledLicense[] }
  | { readonly kind: 'expired'; readonly hold: number }
  | { readonly kind: 'ended'; readonly why: 'silent' | 'evicted' };

/** One seat, or several of one license, given to a session. With its certificate it can be checked by anyone. */
export interface Grant {
  readonly license: string;
  readonly version: number;
  /** SHA-256 of the license document's text. */
  readonly licenseDigest: Uint8Array;
  readonly tmrId: number;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly mode: CountingMode;
  readonly user: string;
  readonly host: string;
  readonly sessionKey: Uint8Array;
  readonly hold: number;
  readonly releaseHash: Uint8Array;
  readonly issuedLogTime: number;
  readonly issuedUtc: number;
  /** D: how long the client may use it, from its own first sending of the request. */
  readonly lifeMs: number;
  /** End of the license or feature, ms since 1970; 0 = none. */
  readonly notAfter: number;
}

export interface Holder {
  readonly user: string;
  readonly host: string;
  readonly sinceUtc: number;
  readonly seats: number;
}

export interface InstalledLicense {
  readonly license: string;
  readonly version: number;
  readonly product: string;
  readonly quantity: number;
}

/** In the order in which the ledger checks (PROTOCOL §5.8). */
export const DENIAL_CODES = [
  'unknown-product',
  'unknown-feature',
  'mode-not-allowed',
  'not-yet',
  'expired',
  'configuration-expired',
  'units',
  'seats',
] as const;
export type DenialCode = (typeof DENIAL_CODES)[number];

export const REFUSAL_CODES = [
  'unknown-session', // never opened, ended, or opened elsewhere
  'evicted',
  'forgotten', // an id below the window: what came of it isn't known any more, and it will not run
  'other-bytes', // the id was used for another command
  'bad-signature',
  'wrong-secret',
  'unknown-hold',
  'stale', // the certified time it names is more than ten minutes ago
  'too-many',
  'unknown-admin',
  'bad-document',
  'older-license',
  'wrong-group',
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

const KINDS = [
  'opened',
  'granted',
  'renewed',
  'released',
  'consumed',
  'closed',
  'denied',
  'refused',
  'evicted',
  'updated',
  'expired',
  'ended',
] as const satisfies readonly Outcome['kind'][];

export function encodeOutcome(outcome: Outcome): Uint8Array {
  const writer = new Writer()
    .u8(KINDS.indexOf(outcome.kind) + 1)
    .raw(outcome.commandHash)
    .raw(outcome.session)
    .u64(outcome.requestId);
  writeAnswer(writer, outcome);
  return writer.done();
}

function writeAnswer(writer: Writer, answer: Answer): void {
  switch (answer.kind) {
    case 'opened':
      writer.u64(answer.logTime).u64(answer.utc).u32(answer.timeoutMs);
      return;
    case 'granted':
      writeGrants(writer, answer.grants);
      return;
    case 'renewed':
      writer.u64(answer.logTime);
      writeGrants(writer, answer.grants);
      return;
    case 'released':
    case 'expired':
      writer.u64(answer.hold);
      return;
    case 'consumed':
      writer.text(answer.license).u32(answer.version).u64(answer.units).u64(answer.remaining);
      return;
    case 'closed':
      return;
    case 'denied':
      writer.u8(DENIAL_CODES.indexOf(answer.code)).text(answer.product).text(answer.feature);
      writer.u64(answer.quantity).u64(answer.free).u8(answer.holders.length);
      for (const holder of answer.holders)
        writer.text(holder.user).text(holder.host).u64(holder.sinceUtc).u32(holder.seats);
      return;
    case 'refused':
      writer.u8(REFUSAL_CODES.indexOf(answer.code)).text(answer.detail);
      return;
    case 'evicted':
      writer.text(answer.reason).u64(answer.freeAtLogTime);
      return;
    case 'updated':
      writer.u16(answer.licenses.length);
      for (const one of answer.licenses) writer.text(one.license).u32(one.version).text(one.product).u64(one.quantity);
      return;
    case 'ended':
      writer.u8(answer.why === 'silent' ? 0 : 1);
      return;
  }
}

function writeGrants(writer: Writer, grants: readonly Grant[]): void {
  writer.u16(grants.length);
  for (const grant of grants)
    writer
      .text(grant.license)
      .u32(grant.version)
      .raw(grant.licenseDigest)
      .u64(grant.tmrId)
      .text(grant.product)
      .text(grant.feature)
      .u32(grant.seats)
      .u8(COUNTING_MODES.indexOf(grant.mode))
      .text(grant.user)
      .text(grant.host)
      .raw(grant.sessionKey)
      .u64(grant.hold)
      .raw(grant.releaseHash)
      .u64(grant.issuedLogTime)
      .u64(grant.issuedUtc)
      .u32(grant.lifeMs)
      .u64(grant.notAfter);
}

export function decodeOutcome(bytes: Uint8Array): Outcome {
  const reader = new Reader(bytes);
  const kind = KINDS[reader.code(1, KINDS.length, 'outcome') - 1] as Outcome['kind'];
  const head = { commandHash: reader.raw(32), session: reader.raw(SESSION_ID_BYTES), requestId: reader.u64() };
  const outcome = { ...head, ...readAnswer(reader, kind) };
  reader.end();
  return outcome;
}

function readAnswer(reader: Reader, kind: Outcome['kind']): Answer {
  switch (kind) {
    case 'opened':
      return { kind, logTime: reader.u64(), utc: reader.u64(), timeoutMs: reader.u32() };
    case 'granted':
      return { kind, grants: readGrants(reader) };
    case 'renewed':
      return { kind, logTime: reader.u64(), grants: readGrants(reader) };
    case 'released':
    case 'expired':
      return { kind, hold: reader.u64() };
    case 'consumed':
      return {
        kind,
        license: reader.text(LIMITS.codeBytes),
        version: reader.u32(),
        units: reader.u64(),
        remaining: reader.u64(),
      };
    case 'closed':
      return { kind };
    case 'denied':
      return readDenied(reader);
    case 'refused':
      return { kind, code: readCode(reader, REFUSAL_CODES, 'refusal'), detail: reader.text(LIMITS.reasonBytes) };
    case 'evicted':
      return { kind, reason: reader.text(LIMITS.reasonBytes), freeAtLogTime: reader.u64() };
    case 'updated':
      return { kind, licenses: readList(reader, reader.u16(), readInstalled) };
    case 'ended':
      return { kind, why: reader.code(0, 1, 'end') === 0 ? 'silent' : 'evicted' };
  }
}

function readDenied(reader: Reader): Answer {
  return {
    kind: 'denied',
    code: readCode(reader, DENIAL_CODES, 'denial'),
    product: reader.text(LIMITS.codeBytes),
    feature: reader.text(LIMITS.codeBytes),
    quantity: reader.u64(),
    free: reader.u64(),
    holders: readList(reader, reader.u8(), () => ({
      user: reader.text(LIMITS.nameBytes),
      host: reader.text(LIMITS.nameBytes),
      sinceUtc: reader.u64(),
      seats: reader.u32(),
    })),
  };
}

function readInstalled(reader: Reader): InstalledLicense {
  return {
    license: reader.text(LIMITS.codeBytes),
    version: reader.u32(),
    product: reader.text(LIMITS.codeBytes),
    quantity: reader.u64(),
  };
}

function readGrants(reader: Reader): Grant[] {
  return readList(reader, reader.u16(), () => ({
    license: reader.text(LIMITS.codeBytes),
    version: reader.u32(),
    licenseDigest: reader.raw(32),
    tmrId: reader.u64(),
    product: reader.text(LIMITS.codeBytes),
    feature: reader.text(LIMITS.codeBytes),
    seats: reader.u32(),
    mode: readCode(reader, COUNTING_MODES, 'counting mode'),
    user: reader.text(LIMITS.nameBytes),
    host: reader.text(LIMITS.nameBytes),
    sessionKey: reader.raw(32),
    hold: reader.u64(),
    releaseHash: reader.raw(32),
    issuedLogTime: reader.u64(),
    issuedUtc: reader.u64(),
    lifeMs: reader.u32(),
    notAfter: reader.u64(),
  }));
}

function readCode<const T extends string>(reader: Reader, codes: readonly T[], what: string): T {
  const code = codes[reader.u8()];
  if (code === undefined) throw malformed(`unknown ${what}`);
  return code;
}

function readList<T>(reader: Reader, count: number, read: (reader: Reader) => T): T[] {
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(read(reader));
  return items;
}
