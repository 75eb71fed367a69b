import { DAY_MS } from '@trefoil/core';
import { DENIAL_CODES } from '@trefoil/license';
import { table } from '../terminal.ts';
import { csv } from './csv.ts';

/** What was used of one license in one UTC day, as people and programs get it. */
export interface DayRow {
  /** 2026-11-27 */
  readonly day: string;
  readonly license: string;
  readonly product: string;
  readonly quantity: number;
  readonly peak: number;
  /** Seats in use, on average, in the part of the day that is over. */
  readonly average: number;
  readonly seatHours: number;
  readonly seatMs: number;
  readonly overdraft: number;
  readonly grants: number;
  readonly denials: Readonly<Record<string, number>>;
  readonly queued: number;
  readonly unserved: number;
  readonly units: number;
}

type Counted = Pick<
  DayRow,
  | 'license'
  | 'product'
  | 'quantity'
  | 'peak'
  | 'seatMs'
  | 'overdraft'
  | 'grants'
  | 'denials'
  | 'queued'
  | 'unserved'
  | 'units'
>;

/** `utc`: as of when. */
export function dayRow(day: number, counted: Counted, utc: number): DayRow {
  const passedMs = Math.min(DAY_MS, Math.max(1, utc - day * DAY_MS));
  return {
    day: dayName(day),
    ...counted,
    average: rounded(counted.seatMs / passedMs),
    seatHours: rounded(counted.seatMs / 3_600_000),
  };
}

export function dayName(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

export function rounded(value: number): number {
  return Number(value.toFixed(3));
}

export function dayTable(rows: readonly DayRow[]): string {
  return table(
    [
      'day',
      'license',
      'product',
      'seats',
      'peak',
      'average',
      'seat hours',
      'beyond',
      'grants',
      'units',
      'waited',
      'denied',
    ],
    rows.map((one) => [
      ...[one.day, one.license, one.product],
      one.quantity === 0 ? 'not counted' : String(one.quantity),
      ...[one.peak, one.average, one.seatHours, one.overdraft, one.grants, one.units],
      one.queued === 0 ? '–' : `${one.queued}${one.unserved === 0 ? '' : `, ${one.unserved} in vain`}`,
      deniedInWords(one.denials),
    ]),
    'Nothing was used.',
  );
}

function deniedInWords(denials: DayRow['denials']): string {
  const words = Object.entries(denials).map(([code, count]) => `${code} ${count}`);
  return words.join(', ') || '–';
}

export function dayCsv(rows: readonly DayRow[]): string {
  const total = (denials: DayRow['denials']): number => Object.values(denials).reduce((sum, count) => sum + count, 0);
  return csv(
    [
      ...['day', 'license', 'product', 'quantity', 'peak', 'average', 'seat_hours', 'seat_ms', 'overdraft', 'grants'],
      ...[
        'queued',
        'unserved',
        'units',
        'denied',
        ...DENIAL_CODES.map((code) => `denied_${code.replaceAll('-', '_')}`),
      ],
    ],
    rows.map((one) => [
      ...[one.day, one.license, one.product, one.quantity, one.peak, one.average, one.seatHours, one.seatMs],
      ...[one.overdraft, one.grants, one.queued, one.unserved, one.units, total(one.denials)],
      ...DENIAL_CODES.map((code) => one.denials[code] ?? 0),
    ]),
  );
}

/** One JSON value a line. */
export function jsonLines(rows: readonly object[]): string {
  return rows.map((one) => `${JSON.stringify(one)}\n`).join('');
}
