import { malformed } from '../bytes.ts';
import { Fields } from '../fields.ts';
import { LIMITS } from '../limits.ts';
import { durationField, optionalDuration } from './durations.ts';

/** Options that have fields of their own; FORMATS §2.4 says what they mean. Durations in ms. */
export interface Borrowing {
  /** At once, within the quantity. */
  readonly seats: number;
  readonly longestMs: number;
  /** How often one borrowing may be extended before the seat comes back. */
  readonly extensions: number;
  /** How many seats of machines that are lost an admin may have back before their time. */
  readonly writeOffs?: { readonly count: number; readonly withinMs: number };
}

export interface Named {
  readonly who: 'user' | 'device';
  /** So many names may be taken off within that time. */
  readonly changes: number;
  readonly withinMs: number;
}

export interface SeatTime {
  readonly everyMs: number;
  /** For each seat and each such time that has begun. */
  readonly units: number;
}

export interface Minimum {
  /** Version of the rules (PROTOCOL §2.1). */
  readonly server: number;
  /** Version that the client names when it opens its session. */
  readonly client: number;
}

export interface Transfer {
  /** undefined = as often as they like. */
  readonly moves?: number;
  readonly returns?: number;
  readonly splits: boolean;
  /** Between two of them. */
  readonly waitMs: number;
}

function within(parent: Fields, name: string): Fields | undefined {
  return parent.has(name) ? new Fields(parent.take(name), parent.at(name)) : undefined;
}

/** → seats. A percentage is rounded up: one of five seats has a tenth of one. */
export function overdraft(parent: Fields, quantity: number): number {
  const fields = within(parent, 'overdraft');
  if (fields === undefined) return 0;
  const seats = fields.optionalInteger('seats', 1, LIMITS.quantity);
  const percent = fields.optionalInteger('percent', 1, 1_000);
  fields.end();
  if ((seats === undefined) === (percent === undefined))
    throw malformed(`${fields.path} has either "seats" or "percent"`);
  return seats ?? Math.ceil((quantity * (percent as number)) / 100);
}

export function borrowing(parent: Fields, quantity: number): Borrowing | undefined {
  const fields = within(parent, 'borrowing');
  if (fields === undefined) return undefined;
  const seats = fields.integer('seats', 1, LIMITS.quantity);
  if (quantity > 0 && seats > quantity) throw malformed(`${fields.at('seats')} is above the license's quantity`);
  const longestMs = durationField(fields, 'longest', 60_000, LIMITS.borrowingMs);
  const extensions = fields.optionalInteger('extensions', 0, 1_000) ?? 0;
  const off = within(fields, 'writeOffs');
  fields.end();
  if (off === undefined) return { seats, longestMs, extensions };
  const writeOffs = {
    count: off.integer('count', 1, 1_000),
    withinMs: durationField(off, 'within', 60_000, LIMITS.durationMs),
  };
  off.end();
  return { seats, longestMs, extensions, writeOffs };
}

export function named(parent: Fields): Named | undefined {
  const fields = within(parent, 'named');
  if (fields === undefined) return undefined;
  const result = {
    who: fields.oneOf('who', ['user', 'device']),
    changes: fields.integer('changes', 0, LIMITS.namedChanges),
    withinMs: durationField(fields, 'within', 60_000, LIMITS.durationMs),
  };
  fields.end();
  return result;
}

export function seatTime(parent: Fields, metering: 'prepaid' | 'postpaid' | undefined): SeatTime | undefined {
  const fields = within(parent, 'seatTime');
  if (fields === undefined) return undefined;
  if (metering === undefined)
    throw malformed('terms.seatTime uses up units: give terms.units, or terms.metering postpaid');
  const result = {
    everyMs: durationField(fields, 'every', 1_000, 86_400_000),
    units: fields.optionalInteger('units', 1, LIMITS.tokens) ?? 1,
  };
  fields.end();
  return result;
}

export function minimum(parent: Fields): Minimum {
  const fields = within(parent, 'minimum');
  if (fields === undefined) return { server: 0, client: 0 };
  const result = {
    server: fields.optionalInteger('server', 1, 0xffff) ?? 0,
    client: fields.optionalInteger('client', 1, 0xffff) ?? 0,
  };
  fields.end();
  return result;
}

export function transfer(parent: Fields): Transfer {
  const fields = within(parent, 'transfer');
  if (fields === undefined) return { splits: true, waitMs: 0 };
  const [moves, returns] = [fields.optionalInteger('moves', 0, 1_000), fields.optionalInteger('returns', 0, 1_000)];
  const result = {
    ...(moves !== undefined && { moves }),
    ...(returns !== undefined && { returns }),
    splits: !fields.has('splits') || fields.flag('splits'),
    waitMs: optionalDuration(fields, 'wait', 0, LIMITS.durationMs) ?? 0,
  };
  fields.end();
  return result;
}
