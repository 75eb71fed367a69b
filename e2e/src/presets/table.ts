import { readFileSync } from 'node:fs';
import type { JsonObject } from '@trefoil/license';
import { PRESETS } from '@trefoil/vendor';
import { OPTION_STORIES } from './option-stories.ts';
import { type Form, FORMS, storiesOf } from './told.ts';

/** *Option × form × takeover × tested by*: read off the stories themselves, which are run in both forms. */
export function optionTable(): string {
  return [
    '# What works where',
    '',
    'Every option of a license, and whether it works in a group of five servers, on a single server, and through a takeover',
    '(on a single server: the restart of its only TMR server). A cell says yes because a story with real processes says so:',
    'this page is read off the stories in `e2e/src/presets`, and `npm run -s presets -- --all` tells them in both forms.',
    'An option that no story shows would have no row, and fails the test of this page.',
    '',
    '| option | what it is | five servers | single server | survives a takeover | shown by |',
    '| --- | --- | --- | --- | --- | --- |',
    ...options().map(([option, says]) => row(option, says)),
    '',
  ].join('\n');
}

/** Options that no story shows. */
export function notShown(): string[] {
  return options()
    .map(([option]) => option)
    .filter((option) => showing(option).length === 0);
}

function row(option: string, says: string): string {
  const stories = showing(option);
  const told = (form: Form): readonly string[] => stories.filter((name) => storiesOf(form).has(name));
  // Whoever calls for a takeover in its middle has to hold after it.
  const through = stories.filter((name) => /takeover\(\)/.test(String(storiesOf('five servers').get(name))));
  const cells = [...FORMS.map((form) => told(form).length > 0), through.length > 0].map((yes) => (yes ? 'yes' : 'no'));
  return `| ${[option, says, ...cells, stories.join(', ')].join(' | ')} |`;
}

function showing(option: string): string[] {
  const presets = PRESETS.filter(({ terms }) => has(terms, option)).map(({ name }) => name);
  const others = Object.entries(OPTION_STORIES).filter(([, { shows }]) => shows.includes(option));
  const known = storiesOf('five servers');
  return [...presets, ...others.map(([name]) => name)].filter((name) => known.has(name));
}

function has(terms: JsonObject, option: string): boolean {
  const [outer, inner] = option.split('.') as [string, string?];
  const value = terms[outer];
  if (inner === undefined) return value !== undefined;
  return Array.isArray(value) && (value as JsonObject[]).some((one) => one[inner] !== undefined);
}

interface Schema {
  readonly description?: string;
  readonly properties: Readonly<Record<string, Schema>>;
  readonly items: Schema;
}

/** As the schema of terms has them, and what admins do. */
function options(): (readonly [string, string])[] {
  const { properties } = JSON.parse(
    readFileSync(new URL('../../../docs/schemas/terms.json', import.meta.url), 'utf8'),
  ) as Schema;
  const { features, version: _v, critical: _c, ...terms } = properties;
  const says = ({ description = '' }: Schema): string => description.replaceAll('|', '/');
  const ofFeatures = Object.entries(features?.items.properties ?? {}).filter(([name]) => name !== 'name');
  return [
    ...Object.entries(terms).map(([name, schema]) => [name, says(schema)] as const),
    ...ofFeatures.map(([name, schema]) => [`features.${name}`, says(schema)] as const),
    ["the customer's rules: reserve, limit, deny, allow", 'Who may have which seats, by the admin.'],
    ["an admin's eviction", 'A session is ended; its seats are free when its last grant has run out.'],
  ];
}
