import { OPTION_STORIES } from './option-stories.ts';
import type { Plant } from './plant.ts';
import { STORIES } from './stories.ts';

export type Tell = (plant: Plant) => Promise<void>;
export const FORMS = ['five servers', 'single server'] as const;
export type Form = (typeof FORMS)[number];

/** What a single server has no part of. */
const FIVE_ONLY: ReadonlySet<string> = new Set(['high-availability']);

/** All stories that are told in this form, by their names. */
export function storiesOf(form: Form): ReadonlyMap<string, Tell> {
  const all = [
    ...Object.entries(STORIES),
    ...Object.entries(OPTION_STORIES).map(([name, { tell }]) => [name, tell] as const),
  ];
  return new Map(all.filter(([name]) => form === 'five servers' || !FIVE_ONLY.has(name)));
}
