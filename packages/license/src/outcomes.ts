import { malformed, Reader, Writer } from './bytes.ts';
import { SESSION_ID_BYTES } from './command-bytes.ts';
import { LIMITS } from './limits.ts';
import { DENIAL_CODES, type DenialCode, REFUSAL_CODES, type RefusalCode } from './outcome-codes.ts';
import { type Waiting, type Consumed, type Grant, type Holder, type InstalledLicense } from './outcome-parts.ts';
import type { Member } from './statements.ts';
import { COUNTING_MODES } from './terms/index.ts';

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
  /** Others have the seats; it waits. Whoever waits renews at least this often, and is shown in a renewal what it got. */
  | {
      readonly kind: 'queued';
      /** 1 = the next. */
      readonly place: number;
      readonly untilLogTime: number;
      readonly renewWithinMs: number;
    }
  | {
      readonly kind: 'renewed';
      readonly logTime: number;
      readonly grants: readonly Grant[];
      readonly waiting: readonly Waiting[];
    }
  | { readonly kind: 'released'; readonly hold: number }
  | { readonly kind: 'consumed'; readonly parts: readonly Consumed[] }
  | { readonly kind: 'closed' }
  | {
      readonly kind: 'denied';
      readonly code: DenialCode;
      readonly product: string;
      readonly feature: string;
      readonly quantity: number;
      readonly free: number;
      /** How many wait for the same product. */
      readonly waiting: number;
      /** When that changes, or did (utc): its begin, its end, when a name may be given away again; 0 = nobody knows. */
      readonly at: number;
      /** What would do, by the code: the versions, the way of counting, the rule. */
      readonly detail: string;
      readonly holders: readonly Holder[];
    }
  | { readonly kind: 'refused'; readonly code: RefusalCode; readonly detail: string }
  | { readonly kind: 'evicted'; readonly reason: string; readonly freeAtLogTime: number }
  | { readonly kind: 'updated'; readonly licenses: readonly InstalledLicense[] }
  /** The version in force from the next entry on, and which container is new; 0 = none. */
  | { readonly kind: 'reconfigured'; readonly version: number; readonly member: 0 | Member }
  | { readonly kind: 'expired'; readonly hold: number }
  | { readonly kind: 'ended'; readonly why: 'silent' | 'evicted' }
  /** A wait is over, and there was no seat for it. */
  | { readonly kind: 'unserved'; readonly hold: number }
  /** An admin's rules are in force. */
  | { readonly kind: 'ruled'; readonly version: number; readonly rules: number }
  /** A seat belongs to this user or device no more. */
  | { readonly kind: 'unnamed'; readonly license: string; readonly name: string };

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
  'queued',
  'unserved',
  'ruled',
  'unnamed',
  'reconfigured',
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
      writer.u16(answer.waiting.length);
      for (const { hold, place } of answer.waiting) writer.u64(hold).u32(place);
      return;
    case 'ruled':
      writer.u32(answer.version).u32(answer.rules);
      return;
    case 'unnamed':
      writer.text(answer.license).text(answer.name);
      return;
    case 'reconfigured':
      writer.u32(answer.version).u8(answer.member);
      return;
    case 'queued':
      writer.u32(answer.place).u64(answer.untilLogTime).u32(answer.renewWithinMs);
      return;
    case 'released':
    case 'expired':
    case 'unserved':
      writer.u64(answer.hold);
      return;
    case 'consumed':
      writer.u8(answer.parts.length);
      for (const part of answer.parts)
        writer.u8(part.item).text(part.license).u32(part.version).u64(part.units).u64(part.left);
      return;
    case 'closed':
      return;
    case 'denied':
      writer.u8(DENIAL_CODES.indexOf(answer.code)).text(answer.product).text(answer.feature);
      writer.u64(answer.quantity).u64(answer.free).u32(answer.waiting).u64(answer.at).text(answer.detail);
      writer.u8(answer.holders.length);
      for (const holder of answer.holders)
        writer
          .text(holder.user)
          .text(holder.host)
          .u64(holder.sinceUtc)
          .u32(holder.seats)
          .u32(holder.idleMs)
          .u64(holder.untilUtc);
      return;
    case 'refused':
      writer.u8(REFUSAL_CODES.indexOf(answer.code)).text(answer.detail);
      return;
    case 'evicted':
      writer.text(answer.reason).u64(answer.freeAtLogTime);
      return;
    case 'updated':
      writer.u16(answer.licenses.length);
      for (const one of answer.licenses) {
        writer.text(one.license).u32(one.version).text(one.product).u64(one.quantity);
        writer.u64(one.used).u64(one.borrowed).u64(one.unitsUsed).u64(one.firstUseUtc);
      }
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
      .u8(grant.item)
      .u8(grant.flags)
      .raw(grant.releaseHash)
      .u64(grant.issuedLogTime)
      .u64(grant.issuedUtc)
      .u64(grant.lifeMs)
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
      return { kind, logTime: reader.u64(), grants: readGrants(reader), waiting: readWaiting(reader) };
    case 'ruled':
      return { kind, version: reader.u32(), rules: reader.u32() };
    case 'unnamed':
      return { kind, license: reader.text(LIMITS.codeBytes), name: reader.text(LIMITS.nameBytes) };
    case 'reconfigured':
      return { kind, version: reader.u32(), member: reader.code(0, 3, 'member') as 0 | Member };
    case 'queued':
      return { kind, place: readPlace(reader), untilLogTime: reader.u64(), renewWithinMs: reader.u32() };
    case 'released':
    case 'expired':
    case 'unserved':
      return { kind, hold: reader.u64() };
    case 'consumed':
      return { kind, parts: readList(reader, reader.u8(), readConsumed) };
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
    waiting: reader.u32(),
    at: reader.u64(),
    detail: reader.text(LIMITS.reasonBytes),
    holders: readList(reader, reader.u8(), () => ({
      user: reader.text(LIMITS.nameBytes),
      host: reader.text(LIMITS.nameBytes),
      sinceUtc: reader.u64(),
      seats: reader.u32(),
      idleMs: reader.u32(),
      untilUtc: reader.u64(),
    })),
  };
}

function readWaiting(reader: Reader): Waiting[] {
  return readList(reader, reader.u16(), () => ({ hold: reader.u64(), place: readPlace(reader) }));
}

function readPlace(reader: Reader): number {
  const place = reader.u32();
  if (place === 0) throw malformed('place 0');
  return place;
}

function readConsumed(reader: Reader): Consumed {
  return {
    item: readItem(reader),
    license: reader.text(LIMITS.codeBytes),
    version: reader.u32(),
    units: reader.u64(),
    left: reader.u64(),
  };
}

/** Its place in the command. */
function readItem(reader: Reader): number {
  return reader.code(0, LIMITS.itemsPerAcquire - 1, 'item');
}

function readInstalled(reader: Reader): InstalledLicense {
  return {
    license: reader.text(LIMITS.codeBytes),
    version: reader.u32(),
    product: reader.text(LIMITS.codeBytes),
    quantity: reader.u64(),
    used: reader.u64(),
    borrowed: reader.u64(),
    unitsUsed: reader.u64(),
    firstUseUtc: reader.u64(),
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
    item: readItem(reader),
    flags: reader.code(0, 15, 'flags'),
    releaseHash: reader.raw(32),
    issuedLogTime: reader.u64(),
    issuedUtc: reader.u64(),
    lifeMs: reader.u64(),
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
