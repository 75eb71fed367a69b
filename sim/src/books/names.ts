import { type Asker, type Books, nameOf } from './books.ts';
import type { Sold } from './sold.ts';

/** PROTOCOL §5.17: the seats belong to others, and there is no name left. */
export function isNobodyHere({ names }: Books, sold: Sold, asker: Asker): boolean {
  const taken = names.get(sold.license) ?? new Set();
  return sold.named !== undefined && !taken.has(nameOf(sold, asker)) && taken.size >= sold.quantity;
}

/** Why a name stays where it is: any of these is a true answer. */
export function whyItStays(books: Books, license: string, name: string): readonly string[] {
  const sold = books.sold.get(license);
  if (sold?.named === undefined || books.names.get(license)?.has(name) !== true) return ['unknown-name'];
  const { changes, withinMs } = sold.named;
  const recent = (books.changes.get(license) ?? []).filter((at) => at + withinMs > books.utc);
  const inUse = books.held.some((one) => one.license === license && nameOf(sold, one.asker) === name);
  return [...(inUse ? ['in-use'] : []), ...(recent.length >= changes ? ['too-soon'] : [])];
}

export function takeOff({ names, changes, utc }: Books, license: string, name: string): void {
  names.get(license)?.delete(name);
  changes.set(license, [...(changes.get(license) ?? []), utc]);
}
