import { type AcquireItem, COUNTING_MODES, LIMITS, nameFault } from '@trefoil/license';
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
    const { product, feature = '', seats = 1, mode } = item;
    if (mode !== undefined && !COUNTING_MODES.includes(mode))
      throw bad(`the counting mode has to be one of ${COUNTING_MODES.join(', ')}, not ${shown(mode)}`);
    const checked = {
      product: checkedCode('product', product),
      feature: feature === '' ? '' : checkedCode('feature', feature),
      seats: checkedCount('seats', seats, LIMITS.quantity),
    };
    return mode === undefined ? checked : { ...checked, mode };
  });
}

/** A product or feature. */
export function checkedCode(what: string, value: unknown): string {
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
