import { malformed } from '../bytes.ts';
import type { Fields } from '../fields.ts';

const DURATION = /^P(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?$/;
const PARTS_MS = [86_400_000, 3_600_000, 60_000, 1_000] as const;

/** ISO 8601, days to seconds: `P30D`, `PT8H`, `P1DT12H`. Months and years have no length. → ms; undefined = not one. */
export function parseDuration(text: string): number | undefined {
  const parts = DURATION.exec(text)?.slice(1);
  if (parts === undefined || parts.every((part) => part === undefined)) return undefined;
  return parts.reduce((sum, part, i) => sum + Number(part ?? 0) * (PARTS_MS[i] as number), 0);
}

/** @throws LicenseError that names the field */
export function durationField(fields: Fields, name: string, minMs: number, maxMs: number): number {
  const text = fields.text(name);
  const ms = parseDuration(text);
  if (ms === undefined) throw malformed(`${fields.at(name)} is not a duration like P30D (30 days) or PT8H (8 hours)`);
  if (ms < minMs || ms > maxMs)
    throw malformed(`${fields.at(name)} is ${text}, allowed are ${inWords(minMs)} to ${inWords(maxMs)}`);
  return ms;
}

export function optionalDuration(fields: Fields, name: string, minMs: number, maxMs: number): number | undefined {
  return fields.has(name) ? durationField(fields, name, minMs, maxMs) : undefined;
}

function inWords(ms: number): string {
  const at = PARTS_MS.findIndex((part) => ms % part === 0 && ms >= part);
  if (at < 0) return '0 seconds';
  const count = ms / (PARTS_MS[at] as number);
  return `${count} ${['day', 'hour', 'minute', 'second'][at]}${count === 1 ? '' : 's'}`;
}
