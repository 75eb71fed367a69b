import { malformed } from '../bytes.ts';
import type { Fields } from '../fields.ts';

/** Up to four numbers, the weightiest first; of a range's end the missing ones are any. */
export type ProductVersion = readonly number[];

export interface VersionRange {
  readonly from?: ProductVersion;
  /** Included, with all that begins like it: `7` includes 7.99. */
  readonly to?: ProductVersion;
}

const VERSION = /^(?:0|[1-9]\d{0,8})(?:\.(?:0|[1-9]\d{0,8})){0,3}$/;

/** `7.2.1` → [7, 2, 1]; undefined = not one. */
export function parseProductVersion(text: string): ProductVersion | undefined {
  return VERSION.test(text) ? text.split('.').map(Number) : undefined;
}

export function isBelow(version: ProductVersion, range: VersionRange): boolean {
  return range.from !== undefined && compare(version, range.from, 0) < 0;
}

export function isAbove(version: ProductVersion, range: VersionRange): boolean {
  return range.to !== undefined && compare(version, range.to, Infinity) > 0;
}

function compare(version: ProductVersion, bound: ProductVersion, missing: number): number {
  for (let i = 0; i < 4; i++) {
    const [a, b] = [version[i] ?? 0, bound[i] ?? missing];
    if (a !== b) return a < b ? -1 : 1;
  }
  return 0;
}

export function versionField(fields: Fields, name: string): ProductVersion {
  const version = parseProductVersion(fields.text(name));
  if (version === undefined) throw malformed(`${fields.at(name)} is not a version like 7 or 7.2.1`);
  return version;
}

/** @throws LicenseError that names the field */
export function versionRange(fields: Fields): VersionRange {
  const range = {
    ...(fields.has('from') && { from: versionField(fields, 'from') }),
    ...(fields.has('to') && { to: versionField(fields, 'to') }),
  };
  fields.end();
  if (range.from === undefined && range.to === undefined) throw malformed(`${fields.path} has neither "from" nor "to"`);
  if (range.from !== undefined && isAbove(range.from, range))
    throw malformed(`${fields.at('to')} is below ${fields.at('from')}`);
  return range;
}
