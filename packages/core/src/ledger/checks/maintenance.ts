import type { Ask, Denial } from './ask.ts';

/** Releases dated inside of the window may be used for ever, later ones not at all. */
export function checkMaintenance({ state, item, scope }: Ask): Denial | undefined {
  const window = scope?.maintenance;
  if (window === undefined) return undefined;
  const { releasedAt } = item;
  const fits =
    releasedAt !== undefined &&
    releasedAt < window.until &&
    (state.license.terms.downgrade || releasedAt >= (window.from ?? 0));
  const { from, until } = window;
  const detail = from === undefined ? '' : new Date(from).toISOString().slice(0, 10);
  return fits ? undefined : { code: 'maintenance', at: until, detail };
}
