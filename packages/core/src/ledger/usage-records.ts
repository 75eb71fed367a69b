import { DENIAL_CODES, malformed, type Reader, Writer } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import type { Ledger, LicenseState } from './state.ts';

/** What was used of a license in one UTC day (PROTOCOL §5.19). */
export interface DayUsage {
  /** Since 1970. */
  readonly day: number;
  /** Of the license, as it was last in this day. */
  readonly quantity: number;
  /** Most seats in use at once. */
  readonly peak: number;
  /** Most seats in use at once beyond the quantity. */
  readonly overdraft: number;
  /** Σ seats in use × ms of log time. */
  readonly seatMs: number;
  readonly grants: number;
  /** Who had to wait for its product, and who did so in vain. */
  readonly queued: number;
  readonly unserved: number;
  readonly units: number;
  /** By the place of their code in DENIAL_CODES. */
  readonly denials: readonly number[];
}

/** Of the day of the last change. */
export interface Usage extends DayUsage {
  /** In use since that change. */
  readonly seats: number;
  /** logTime up to which `seatMs` is counted. */
  readonly countedTo: number;
}

/** When a UTC day began. */
export interface DayStart {
  readonly day: number;
  readonly logTime: number;
}

export const NOTHING_USED = {
  ...{ peak: 0, overdraft: 0, seatMs: 0, grants: 0, queued: 0, unserved: 0, units: 0 },
  denials: DENIAL_CODES.map(() => 0) as readonly number[],
} as const;

/** Of a license that was never used. */
export const NO_USAGE: Usage = { ...NOTHING_USED, day: 0, quantity: 0, seats: 0, countedTo: 0 };

/** `D`: the days; `U` and `H`: a license's last day, and those before. undefined = there is no such record. */
export function encodeUsageRecord(ledger: Ledger, name: string): Uint8Array | undefined {
  const state = ledger.licenses.get(name.slice(1));
  const writer = new Writer();
  switch (name[0]) {
    case 'D':
      if (ledger.days.length === 0) return undefined;
      writer.u8(ledger.days.length);
      for (const { day, logTime } of ledger.days) writer.u32(day).u64(logTime);
      return writer.done();
    case 'U':
      if (state === undefined || state.usage.day === 0) return undefined;
      writeDay(writer, state.usage);
      return writer.u64(state.usage.seats).u64(state.usage.countedTo).done();
    case 'H':
      if (state === undefined || state.usageBefore.length === 0) return undefined;
      writer.u8(state.usageBefore.length);
      for (const day of state.usageBefore) writeDay(writer, day);
      return writer.done();
    default:
      throw new RangeError('no such record');
  }
}

export function usageRecordNames(ledger: Ledger): string[] {
  return ['D', ...[...ledger.licenses.keys()].flatMap((id) => [`U${id}`, `H${id}`])].filter(
    (name) => encodeUsageRecord(ledger, name) !== undefined,
  );
}

export function restoreUsageRecord(ledger: Ledger, name: string, reader: Reader): void {
  if (name === 'D') {
    ledger.days = list(reader, () => ({ day: reader.u32(), logTime: reader.u64() }));
    return;
  }
  const state: LicenseState | undefined = ledger.licenses.get(name.slice(1));
  if (state === undefined || (name[0] !== 'U' && name[0] !== 'H')) throw malformed('unknown record');
  if (name[0] === 'H') state.usageBefore = list(reader, () => readDay(reader));
  else state.usage = { ...readDay(reader), seats: reader.u64(), countedTo: reader.u64() };
}

function list<T>(reader: Reader, read: () => T): T[] {
  return Array.from({ length: reader.code(1, LIMITS.usageDays + 1, 'number of days') }, read);
}

function writeDay(writer: Writer, day: DayUsage): void {
  writer.u32(day.day).u64(day.quantity).u64(day.peak).u64(day.overdraft).u64(day.seatMs);
  writer.u64(day.grants).u64(day.queued).u64(day.unserved).u64(day.units);
  const counts = [...day.denials.entries()].filter(([, count]) => count > 0);
  writer.u8(counts.length);
  for (const [code, count] of counts) writer.u8(code).u64(count);
}

function readDay(reader: Reader): DayUsage {
  const [day, quantity, peak, overdraft] = [reader.u32(), reader.u64(), reader.u64(), reader.u64()];
  const [seatMs, grants, queued, unserved, units] = [
    reader.u64(),
    reader.u64(),
    reader.u64(),
    reader.u64(),
    reader.u64(),
  ];
  const denials = [...NOTHING_USED.denials];
  for (let i = reader.u8(); i > 0; i--) denials[reader.code(0, denials.length - 1, 'denial')] = reader.u64();
  return { day, quantity, peak, overdraft, seatMs, grants, queued, unserved, units, denials };
}
