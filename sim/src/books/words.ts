import type { DenialCode, Grant, Outcome } from '@trefoil/license';
import type { Held } from './books.ts';
import type { Part } from './units.ts';

/** Flags of a grant (FORMATS §5.1). */
const BEYOND = 2;
const AWAY = 8;

export function denialOf(code: DenialCode, { product, feature }: { product: string; feature: string }): string {
  return `denied: ${code} ${product}/${feature}`;
}

export function deniedInWords(outcome: Outcome): string {
  return outcome.kind === 'denied' ? denialOf(outcome.code, outcome) : outcome.kind;
}

export function partsInWords(parts: readonly Part[]): string {
  return parts.map(({ item, license, units, left }) => `${item}: ${units} of ${license}, ${left} left`).join('; ');
}

export function heldInWords(held: readonly Held[]): string {
  return inWords(
    held.map(({ item, license, feature, seats, beyond, awayMs }) => [item, license, feature, seats, beyond, awayMs]),
  );
}

export function grantsInWords(grants: readonly Grant[]): string {
  return inWords(
    grants.map(({ item, license, feature, seats, flags, lifeMs }) => {
      return [item, license, feature, seats, (flags & BEYOND) !== 0, (flags & AWAY) === 0 ? 0 : lifeMs];
    }),
  );
}

function inWords(all: readonly (readonly [number, string, string, number, boolean, number])[]): string {
  return all
    .map(([item, license, feature, seats, beyond, awayMs]) => {
      const how = `${beyond ? ' beyond the quantity' : ''}${awayMs === 0 ? '' : ` for ${awayMs} ms`}`;
      return `${item}: ${seats} of ${license}/${feature}${how}`;
    })
    .join('; ');
}

/** Of the hold, from session and request. */
export function numberOf(key: string): number {
  return Number(key.slice(key.lastIndexOf('/') + 1));
}
