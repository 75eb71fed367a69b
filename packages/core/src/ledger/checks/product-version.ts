import { fitsVersion, type VersionRange } from '@trefoil/license';
import type { Ask, Denial } from './ask.ts';

export function checkProductVersion({ state, item, scope }: Ask): Denial | undefined {
  if (scope?.versions === undefined || fitsVersion(scope, state.license.terms.downgrade, item.version))
    return undefined;
  return { code: 'version', detail: `${item.version === undefined ? 'unsaid ' : ''}${inWords(scope.versions)}` };
}

function inWords({ from, to }: VersionRange): string {
  return `${from?.join('.') ?? ''}-${to?.join('.') ?? ''}`;
}
