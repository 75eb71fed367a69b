import type { Ask, Denial } from './ask.ts';

export function checkFeature({ scope }: Ask): Denial | undefined {
  return scope === undefined ? { code: 'unknown-feature' } : undefined;
}
