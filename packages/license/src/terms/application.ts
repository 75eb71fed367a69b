import type { Scope } from './features.ts';
import { isAbove, isBelow, parseProductVersion } from './product-versions.ts';

/** Who doesn't say its version may be any: a license that names versions is not given to it. `downgrade`: older ones may use it, too. */
export function fitsVersion({ versions }: Scope, downgrade: boolean, said: string | undefined): boolean {
  if (versions === undefined) return true;
  const version = said === undefined ? undefined : parseProductVersion(said);
  return version !== undefined && !isAbove(version, versions) && (downgrade || !isBelow(version, versions));
}

/** Releases dated inside of the window may be used for ever, later ones not at all. `releasedAt`: ms since 1970. */
export function fitsRelease({ maintenance }: Scope, downgrade: boolean, releasedAt: number | undefined): boolean {
  if (maintenance === undefined) return true;
  const { from = 0, until } = maintenance;
  return releasedAt !== undefined && releasedAt < until && (downgrade || releasedAt >= from);
}
