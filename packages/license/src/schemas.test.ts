import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { decodeUtf8, encodeUtf8, fromBase64url } from './bytes.ts';
import { type Json, type JsonObject, parseStrictJson } from './json.ts';
import { LIMITS } from './limits.ts';

const root = join(import.meta.dirname, '../../..');
const readText = (path: string): string => readFileSync(join(root, path), 'utf8');
const schema = (name: string): JsonObject => JSON.parse(readText(`docs/schemas/${name}.json`)) as JsonObject;

/** What the vectors refuse and schemas cannot see: weak keys, signatures, and what ties fields to each other or to the calendar. */
const BEYOND_SCHEMAS = [
  ...[
    'issuing-key-dates',
    'configuration-two-of-two',
    'configuration-one-of-three',
    'configuration-order',
    'configuration-dates',
  ],
  ...['configuration-same-key', 'configuration-same-serial', 'license-feature-above-quantity', 'license-feature-twice'],
  ...[
    'license-grace-above-timeout',
    'license-dates',
    'license-name-too-long',
    'license-duplicate-key',
    'update-license-twice',
  ],
  ...['group-server-twice', 'group-member-twice', 'group-shared-key'],
];

/** The same of terms: how long a duration is, what ties one term to another, and which of them version 1 did not have. */
const TERMS_BEYOND_SCHEMAS = `
  borrowing-above-the-quantity borrowing-of-nothing borrowing-too-long borrowing-too-short borrowing-uncounted
  customer-too-long downgrade-below-no-version downgrade-of-nothing duration-above-ten-years
  duration-in-seconds-above-ten-years duration-of-nothing feature-above-one-around-uncounted feature-above-the-license
  feature-above-the-nearest-around feature-above-the-one-around feature-begins-at-its-end
  feature-begins-when-the-license-has-ended feature-begins-when-the-one-around-has-ended feature-chain-of-nine
  feature-circle feature-circle-beside feature-ends-before-the-license-begins feature-ends-before-the-one-around-begins
  feature-tokens-above-the-quantity feature-tokens-of-nothing feature-versions-from-above-to feature-within-an-unknown
  feature-within-itself grace-of-nothing maintenance-of-nothing metering-prepaid-without-units named-of-nothing
  named-too-short overdraft-of-nothing overdraft-uncounted seat-time-above-a-day seat-time-not-metered
  standby-cold-for-ever standby-hot-for-nothing transfer-wait vendor-data-spare-bits versions-from-above-to
  versions-from-above-to-in-the-second weight-not-metered weight-of-none-not-metered
`
  .trim()
  .split(/\s+/)
  .map((name) => `terms-${name}`);
const isOfVersion1 = (name: string): boolean => name.startsWith('terms-version-1-');

interface DocumentVector {
  readonly type: string;
  readonly document: string;
  readonly why?: string;
}

function vectors(folder: string): [string, DocumentVector][] {
  return globSync(`vectors/documents/${folder}/*.json`, { cwd: root }).map((path) => [
    basename(path, '.json'),
    JSON.parse(readText(path)) as DocumentVector,
  ]);
}

/** With the last of two equal keys, as other readers have it. */
function payloadOf(document: string): Json {
  return JSON.parse(decodeUtf8(fromBase64url(document.split('.')[1] ?? ''))) as Json;
}

const faultOf = ({ type, document }: DocumentVector): string | undefined =>
  fault(schema(type.replace('trefoil-', '')), payloadOf(document), 'document');

describe('the schemas say what the readers do', () => {
  test('they take every valid document and every valid grant', () => {
    for (const [name, vector] of vectors('valid')) assert.equal(faultOf(vector), undefined, name);
    for (const path of globSync('vectors/grants/valid/*.json', { cwd: root })) {
      const { bundle } = JSON.parse(readText(path)) as { bundle: string };
      const json = parseStrictJson(encodeUtf8(bundle), LIMITS.grantBundleBytes);
      assert.equal(fault(schema('grant'), json, 'grant'), undefined, path);
    }
  });

  test('they refuse what is malformed in one field', () => {
    const missed = vectors('invalid')
      .filter(([name, { why }]) => why === 'malformed' && name !== 'license-not-utf8')
      .filter(([, vector]) => faultOf(vector) === undefined)
      .map(([name]) => name);
    assert.deepEqual(
      missed.filter((name) => !isOfVersion1(name)).sort(),
      [...BEYOND_SCHEMAS, ...TERMS_BEYOND_SCHEMAS].sort(),
    );
  });
});

describe('the schema of terms helps whoever writes some', () => {
  const terms = schema('terms');

  test('it has every term, and no other', () => {
    const { document } = vectors('valid').find(([name]) => name === 'terms-every-option')?.[1] ?? assert.fail();
    const { terms: everything } = payloadOf(document) as { terms: JsonObject };
    assert.deepEqual(Object.keys(terms['properties'] as JsonObject).sort(), Object.keys(everything).sort());
  });

  test('it describes every field, and its defaults and examples fit', () => {
    const fields = fieldsOf(terms, 'terms');
    assert.ok(fields.length > 50);
    for (const [path, rules] of fields) {
      assert.match(JSON.stringify(rules['description'] ?? ''), /^.{8,}/, path);
      const shown = [rules['default'], ...((rules['examples'] ?? []) as Json[])].filter((one) => one !== undefined);
      for (const one of shown) assert.equal(fault(rules, one, path), undefined);
    }
  });
});

/** Each field with a name of its own, also inside others. */
function fieldsOf(rules: JsonObject, path: string): [string, JsonObject][] {
  const own = Object.entries((rules['properties'] ?? {}) as Record<string, JsonObject>);
  const items = rules['items'] === undefined ? [] : fieldsOf(rules['items'] as JsonObject, `${path}[]`);
  return [
    ...own.flatMap(([name, one]) => [
      [`${path}.${name}`, one] as [string, JsonObject],
      ...fieldsOf(one, `${path}.${name}`),
    ]),
    ...items,
  ];
}

/** What does not fit; JSON Schema 2020-12, as far as our schemas use it. A keyword that is not known here fails the test. */
function fault(rules: JsonObject, value: Json, path: string): string | undefined {
  for (const [keyword, rule] of Object.entries(rules)) {
    const check = KEYWORDS[keyword];
    assert.ok(check !== undefined, `${path}: the keyword ${keyword}`);
    const found = check(rule, value, path, rules);
    if (found !== undefined) return found;
  }
  return undefined;
}

type Check = (rule: Json, value: Json, path: string, rules: JsonObject) => string | undefined;

const unless = (fits: boolean, problem: string): string | undefined => (fits ? undefined : problem);
const isObject = (value: Json): value is JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const lengthOf = (value: Json): number => (typeof value === 'string' ? [...value].length : 0);
const sizeOf = (value: Json): number => (Array.isArray(value) ? value.length : 0);

const KEYWORDS: Readonly<Record<string, Check>> = {
  $schema: () => undefined,
  description: () => undefined,
  default: () => undefined,
  examples: () => undefined,
  $ref: (rule, value, path) => fault(schema((rule as string).replace('.json', '')), value, path),
  title: () => undefined,
  type: (rule, value, path) => unless(typeOf(value) === rule, `${path} is no ${JSON.stringify(rule)}`),
  const: (rule, value, path) => unless(value === rule, `${path} is not ${JSON.stringify(rule)}`),
  enum: (rule, value, path) => unless((rule as Json[]).includes(value), `${path} is none of its values`),
  minimum: (rule, value, path) => unless((value as number) >= (rule as number), `${path} is too small`),
  maximum: (rule, value, path) => unless((value as number) <= (rule as number), `${path} is too large`),
  minLength: (rule, value, path) => unless(lengthOf(value) >= (rule as number), `${path} is too short`),
  maxLength: (rule, value, path) => unless(lengthOf(value) <= (rule as number), `${path} is too long`),
  minItems: (rule, value, path) => unless(sizeOf(value) >= (rule as number), `${path} has too few`),
  maxItems: (rule, value, path) => unless(sizeOf(value) <= (rule as number), `${path} has too many`),
  uniqueItems: (_, value, path) => unless(new Set(value as Json[]).size === sizeOf(value), `${path} has one twice`),
  pattern: (rule, value, path) =>
    unless(new RegExp(rule as string, 'u').test(value as string), `${path} is misspelled`),
  items: (rule, value, path) =>
    (value as Json[])
      .map((item, i) => fault(rule as JsonObject, item, `${path}[${i}]`))
      .find((one) => one !== undefined),
  minProperties: (rule, value, path) =>
    unless(Object.keys(value as object).length >= (rule as number), `${path} has too few`),
  maxProperties: (rule, value, path) =>
    unless(Object.keys(value as object).length <= (rule as number), `${path} has too many`),
  propertyNames: (rule, value, path) =>
    Object.keys(isObject(value) ? value : {})
      .map((name) => fault(rule as JsonObject, name, `${path}: the name ${name}`))
      .find((one) => one !== undefined),
  required: (rule, value, path) =>
    (rule as string[])
      .filter((name) => !Object.hasOwn(value as object, name))
      .map((name) => `${path}.${name} is missing`)[0],
  properties: (rule, value, path) =>
    isObject(value)
      ? Object.entries(rule as JsonObject)
          .filter(([name]) => Object.hasOwn(value, name))
          .map(([name, one]) => fault(one as JsonObject, value[name] as Json, `${path}.${name}`))
          .find((one) => one !== undefined)
      : undefined,
  additionalProperties: (rule, value, path, rules) =>
    Object.entries(isObject(value) ? value : {})
      .filter(([name]) => !Object.hasOwn((rules['properties'] ?? {}) as object, name))
      .map(([name, one]) =>
        rule === false ? `${path}.${name} is not known` : fault(rule as JsonObject, one, `${path}.${name}`),
      )
      .find((one) => one !== undefined),
};

function typeOf(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}
