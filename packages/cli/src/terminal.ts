import { styleText } from 'node:util';

/** 0 ok, 1 failure, 2 usage, 3 denied, 4 not reachable; `run` gives the child's code, 125 when it could not start it for want of a seat. */
export const EXIT = { ok: 0, failure: 1, usage: 2, denied: 3, notReachable: 4, runRefused: 125 } as const;

/** A failure that is one sentence for a person, with the exit code that scripts get. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  /** The same for programs, where JSON was asked for. */
  readonly json: object;

  constructor(exitCode: number, message: string, json: object = failure(exitCode, message)) {
    super(message);
    this.exitCode = exitCode;
    this.json = json;
  }
}

/** What programs get of a failure that says nothing more. */
export function failure(exitCode: number, reason: string): object {
  return { kind: 'failed', exitCode, reason };
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** One JSON value with bigint as number and bytes as base64url: the stable machine form of every command. */
export function printJson(value: unknown): void {
  print(
    JSON.stringify(
      value,
      function (this: Record<string, unknown>, key, one: unknown) {
        if (key === '$typeName' || key === '$unknown') return undefined;
        if (typeof one === 'bigint') return Number(one);
        const raw = this[key]; // a Buffer has become an array of numbers by now
        return raw instanceof Uint8Array ? Buffer.from(raw).toString('base64url') : one;
      },
      2,
    ),
  );
}

/** Columns that align; numbers to the right. An empty table says so in words. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly (string | number | bigint)[])[],
  empty: string,
): string {
  if (rows.length === 0) return empty;
  const cells = rows.map((row) => row.map(String));
  const widths = headings.map((heading, i) =>
    Math.max(heading.length, ...cells.map((row) => printable(row[i] ?? '').length)),
  );
  const numeric = headings.map((_, i) => rows.every((row) => typeof row[i] !== 'string'));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) =>
        numeric[i] ? printable(cell).padStart(widths[i] ?? 0) : printable(cell).padEnd(widths[i] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [styleText('bold', line(headings), { stream: process.stdout }), ...cells.map(line)].join('\n');
}

/** Names are claims of clients: control characters in them must not reach a terminal. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- that is what it is for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g, '·');
}

/** `1 unit`, `2 units`. */
export function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

export function time(ms: bigint | number): string {
  return ms === 0n || ms === 0 ? '–' : `${new Date(Number(ms)).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** What people mean by a number: digits only, no sign, no exponent. @throws CliError usage */
export function wholeNumber(text: string, what: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  const open = max === Number.MAX_SAFE_INTEGER && !/^[0-9]{16,}$/.test(text);
  const range = open ? `from ${min} on` : `from ${min} to ${max}`;
  throw new CliError(EXIT.usage, `${what} has to be a whole number ${range}, not "${printable(text.slice(0, 40))}"`);
}

const SPANS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `15m`, `2h`, `7d` → ms. @throws CliError usage */
export function timeSpan(text: string, what: string, maxMs: number): number {
  const [, digits = '', unit = ''] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? [];
  const ms = Number(digits) * (SPANS_MS[unit] ?? Number.NaN);
  if (ms >= 1 && ms <= maxMs) return ms;
  const most = `at most ${maxMs / 86_400_000} days`;
  throw new CliError(
    EXIT.usage,
    `${what} has to be like 90s, 15m or 2h, ${most}, not "${printable(text.slice(0, 40))}"`,
  );
}

/** `2026-10-01`, that day's beginning in UTC. @throws CliError usage */
export function date(text: string, what: string): Date {
  const found = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(`${text}T00:00:00Z`) : new Date(Number.NaN);
  if (!Number.isNaN(found.getTime()) && found.toISOString().startsWith(text)) return found;
  throw new CliError(EXIT.usage, `${what} has to be a day like 2026-10-01, not "${printable(text.slice(0, 40))}"`);
}

export function duration(ms: bigint | number): string {
  const seconds = Math.round(Number(ms) / 1_000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
