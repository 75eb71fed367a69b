import {
  type AcquireItem,
  type ConsumeItem,
  COUNTING_MODES,
  LIMITS,
  nameFault,
  parseProductVersion,
} from '@trefoil/license';
import { ClientError } from './errors.ts';

/**
 * What an application passes in, checked where it is passed: a slip of the programmer gets a sentence at once, not a refusal by
 * a server far away. Programs without type checks call us too, so types are checked as well.
 */

export function checkedItems(items: readonly AcquireItem[]): readonly AcquireItem[] {
  if (!Array.isArray(items) || items.length === 0 || items.length > LIMITS.itemsPerAcquire)
    throw bad(`acquireAll takes a list of 1 to ${LIMITS.itemsPerAcquire} licenses`);
  return items.map((item: Partial<AcquireItem> | null) => {
    if (item === null || typeof item !== 'object') throw bad('each license to acquire is an object with a product');
    const { product, feature = '', seats = 1, mode, ...release } = item;
    if (mode !== undefined && !COUNTING_MODES.includes(mode))
      throw bad(`the counting mode has to be one of ${COUNTING_MODES.join(', ')}, not ${shown(mode)}`);
    const checked = {
      product: checkedCode('product', product),
      feature: feature === '' ? '' : checkedCode('feature', feature),
      seats: checkedCount('seats', seats, LIMITS.quantity),
      ...releaseOf(release),
    };
    return mode === undefined ? checked : { ...checked, mode };
  });
}

export function checkedUses(items: readonly ConsumeItem[]): readonly ConsumeItem[] {
  if (!Array.isArray(items) || items.length === 0 || items.length > LIMITS.itemsPerAcquire)
    throw bad(`consumeAll takes a list of 1 to ${LIMITS.itemsPerAcquire} items`);
  return items.map((item: Partial<ConsumeItem> | null) => {
    if (item === null || typeof item !== 'object') throw bad('each item to consume is an object with a product');
    const { product, feature = '', count, ...release } = item;
    return {
      product: checkedCode('product', product),
      feature: feature === '' ? '' : checkedCode('feature', feature),
      count: checkedCount('the number of units', count, LIMITS.units),
      ...releaseOf(release),
    };
  });
}

/** Which version of the application asks, and when it was released. */
export type Release = Pick<AcquireItem, 'version' | 'releasedAt'>;

/** As applications give it: with a date. */
export function checkedRelease({ version, releasedAt }: { version?: string; releasedAt?: Date }): Release {
  if (releasedAt !== undefined && (!(releasedAt instanceof Date) || Number.isNaN(releasedAt.getTime())))
    throw bad(`releasedAt has to be a Date, not ${shown(releasedAt)}`);
  return releaseOf({ version, releasedAt: releasedAt?.getTime() });
}

function releaseOf({ version, releasedAt }: { version?: unknown; releasedAt?: unknown }): Release {
  if (version !== undefined && (typeof version !== 'string' || parseProductVersion(version) === undefined))
    throw bad(`the version has to be like 7 or 7.2.1, not ${shown(version)}`);
  return {
    ...(typeof version === 'string' && { version }),
    ...(releasedAt !== undefined && { releasedAt: checkedCount('releasedAt', releasedAt, Number.MAX_SAFE_INTEGER) }),
  };
}

/** A product or feature. */
function checkedCode(what: string, value: unknown): string {
  if (value === '' || value === undefined) throw bad(`the ${what} is missing`);
  return checkedText(what, value, LIMITS.codeBytes);
}

export function checkedText(what: string, value: unknown, maxBytes: number): string {
  if (typeof value !== 'string') throw bad(`the ${what} has to be a text, not ${shown(value)}`);
  const fault = nameFault(value, maxBytes);
  if (fault !== undefined) throw bad(`the ${what} ${fault}`);
  return value;
}

export function checkedCount(what: string, value: unknown, max: number): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max) return value as number;
  throw bad(`${what} has to be a whole number from 1 to ${max}, not ${shown(value)}`);
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `"${value.slice(0, 40)}"` : String(value).slice(0, 40);
}

function bad(message: string): ClientError {
  return new ClientError('bad-request', message);
}
