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
    assert.deepEqual(missed.sort(), BEYOND_SCHEMAS.toSorted());
  });
});

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
  additionalProperties: (_, value, path, rules) =>
    Object.keys(value as object)
      .filter((name) => !Object.hasOwn(rules['properties'] as object, name))
      .map((name) => `${path}.${name} is not known`)[0],
};

function typeOf(value: Json): string {
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}
