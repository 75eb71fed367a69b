import type { ConsumeResult } from '@trefoil/client';
import { counted, printable } from '../terminal.ts';

type Used = Pick<ConsumeResult & { kind: 'consumed' }, 'units' | 'remaining' | 'parts'>;

/** What is left is said of the licenses that were used: others of the product may have units, too. */
export function consumedLine(product: string, { units, remaining, parts }: Used): string {
  const licenses = [...new Set(parts.map(({ license }) => license))];
  const of = `license${licenses.length === 1 ? '' : 's'} ${licenses.join(', ')}`;
  const left =
    remaining === Infinity
      ? `there is no limit in ${of}`
      : `${remaining} ${remaining === 1 ? 'is' : 'are'} left in ${of}`;
  return printable(`consumed ${counted(units, 'unit')} of ${product}; ${left}`);
}
