import { fitsRelease } from '@trefoil/license';
import type { Ask, Denial } from './ask.ts';

export function checkMaintenance({ state, item, scope }: Ask): Denial | undefined {
  if (scope?.maintenance === undefined || fitsRelease(scope, state.license.terms.downgrade, item.releasedAt))
    return undefined;
  const { from, until } = scope.maintenance;
  const detail = from === undefined ? '' : new Date(from).toISOString().slice(0, 10);
  return { code: 'maintenance', at: until, detail };
}
