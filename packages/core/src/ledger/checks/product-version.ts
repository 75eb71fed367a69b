import { isAbove, isBelow, parseProductVersion, type VersionRange } from '@trefoil/license';
import type { Ask, Denial } from './ask.ts';

/** Who doesn't say its version may be any: a license that names versions is not given to it. */
export function checkProductVersion({ state, item, scope }: Ask): Denial | undefined {
  const range = scope?.versions;
  if (range === undefined) return undefined;
  const version = item.version === undefined ? undefined : parseProductVersion(item.version);
  const fits =
    version !== undefined && !isAbove(version, range) && (state.license.terms.downgrade || !isBelow(version, range));
  return fits ? undefined : { code: 'version', detail: inWords(range) };
}

function inWords({ from, to }: VersionRange): string {
  return `${from?.join('.') ?? ''}-${to?.join('.') ?? ''}`;
}
