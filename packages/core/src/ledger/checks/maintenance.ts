import { fitsRelease } from '@trefoil/license';
import type { Ask, Denial } from './ask.ts';

export function checkMaintenance({ state, item, scope }: Ask): Denial | undefined {
  const { releasedAt } = item;
  if (scope?.maintenance === undefined || fitsRelease(scope, state.license.terms.downgrade, releasedAt))
    return undefined;
  const { from, until } = scope.maintenance;
  const detail = [
    ...(releasedAt === undefined ? ['unsaid'] : []),
    ...(from === undefined ? [] : [new Date(from).toISOString().slice(0, 10)]),
  ].join(' ');
  return { code: 'maintenance', at: until, detail };
}
