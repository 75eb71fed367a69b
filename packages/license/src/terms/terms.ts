import { malformed } from './bytes.ts';
import { LicenseError, quoted } from './errors.ts';
import { Fields } from './fields.ts';
import type { Json, JsonObject } from './json.ts';
import { LIMITS } from './limits.ts';

/** What one seat is (FORMATS §2.4). */
export const COUNTING_MODES = ['session', 'station', 'user', 'exclusive', 'uncounted'] as const;
export type CountingMode = (typeof COUNTING_MODES)[number];

export interface FeatureTerms {
  readonly name: string;
  /** Seats of this feature; undefined = the license's quantity rules alone. */
  readonly quantity?: number;
  /** ms since 1970; undefined = as the license. */
  readonly notAfter?: number;
}

/**
 * Terms version 1: the options of a license. Everything the ledger decides, it decides from these, never from a preset's
 * name. Times in ms; dates in ms since 1970.
 */
export interface Terms {
  /** Seats at once; 0 = protection only, nothing is counted. */
  readonly quantity: number;
  /** Allowed modes; the first is the default when the application doesn't ask. */
  readonly counting: readonly CountingMode[];
  readonly features: readonly FeatureTerms[];
  readonly notBefore?: number;
  readonly notAfter?: number;
  /** Prepaid units this document brings; the ledger's counter falls from here. */
  readonly units?: number;
  /** How long a silent client keeps its seat. */
  readonly sessionTimeoutMs: number;
  /** How long a client may go on without contact; at most sessionTimeoutMs, which includes it. */
  readonly offlineGraceMs: number;
  /** How long a seat stays taken after its release. */
  readonly lingerMs: number;
}

/**
 * Reads terms from a license. A field named in `critical` that this version doesn't know refuses the license: a server must
 * not grant what it doesn't understand. Other unknown fields are kept in the document and have no effect.
 */
export function parseTerms(value: Json | undefined): Terms {
  const fields = new Fields(value, 'terms');
  if (fields.integer('version', 1, 1_000) !== 1)
    throw new LicenseError('unknown-term', 'terms.version is above 1: this program is too old for the license');
  const quantity = fields.integer('quantity', 0, LIMITS.quantity);
  const sessionTimeoutMs = seconds(
    fields,
    'sessionTimeoutSeconds',
    LIMITS.sessionTimeoutMinMs,
    LIMITS.sessionTimeoutMaxMs,
    LIMITS.sessionTimeoutDefaultMs,
  );
  const dates = {
    ...optional('notBefore', fields.optionalTime('notBefore')),
    ...optional('notAfter', fields.optionalTime('notAfter')),
  };
  if (dates.notBefore !== undefined && dates.notAfter !== undefined && dates.notBefore >= dates.notAfter)
    throw malformed('terms.notAfter is not after terms.notBefore');
  const terms: Terms = {
    quantity,
    counting: counting(fields),
    features: features(fields, quantity),
    ...dates,
    ...optional('units', fields.optionalInteger('units', 0, LIMITS.units)),
    sessionTimeoutMs,
    offlineGraceMs: offlineGrace(fields, sessionTimeoutMs),
    lingerMs: seconds(fields, 'lingerSeconds', 0, LIMITS.lingerMaxMs, 0),
  };
  refuseUnknownCritical(fields);
  return terms;
}

/** The document form of terms; `parseTerms` reads it back. `undefined` fields are left out. */
export function termsJson(terms: JsonObject): JsonObject {
  const json = { version: 1, ...terms };
  parseTerms(json);
  return json;
}

function counting(fields: Fields): readonly CountingMode[] {
  if (!fields.has('counting')) return ['session'];
  const modes = fields.texts('counting', COUNTING_MODES.length, 16).map((text, i) => {
    const mode = COUNTING_MODES.find((one) => one === text);
    if (mode === undefined) throw malformed(`terms.counting[${i}] is not one of ${COUNTING_MODES.join(', ')}`);
    return mode;
  });
  if (modes.length === 0) throw malformed('terms.counting is empty');
  if (new Set(modes).size !== modes.length) throw malformed('terms.counting names a mode twice');
  return modes;
}

function features(fields: Fields, licenseQuantity: number): readonly FeatureTerms[] {
  if (!fields.has('features')) return [];
  const names = new Set<string>();
  return fields.list('features', LIMITS.featuresPerLicense).map((item, i) => {
    const feature = new Fields(item, `terms.features[${i}]`);
    const name = feature.code('name');
    if (names.has(name)) throw malformed(`${feature.at('name')} "${name}" is there twice`);
    names.add(name);
    const quantity = feature.optionalInteger('quantity', 0, LIMITS.quantity);
    if (quantity !== undefined && licenseQuantity > 0 && quantity > licenseQuantity)
      throw malformed(`${feature.at('quantity')} is above the license's quantity`);
    const notAfter = feature.optionalTime('notAfter');
    feature.end();
    return { name, ...optional('quantity', quantity), ...optional('notAfter', notAfter) };
  });
}

function seconds(fields: Fields, name: string, minMs: number, maxMs: number, defaultMs: number): number {
  const value = fields.optionalInteger(name, minMs / 1000, maxMs / 1000);
  return value === undefined ? defaultMs : value * 1000;
}

function offlineGrace(fields: Fields, sessionTimeoutMs: number): number {
  const graceMs = seconds(fields, 'offlineGraceSeconds', 1_000, LIMITS.sessionTimeoutMaxMs, sessionTimeoutMs);
  // A grant that outlives its seat would be a second seat for nothing.
  if (graceMs > sessionTimeoutMs) throw malformed('terms.offlineGraceSeconds is above terms.sessionTimeoutSeconds');
  return graceMs;
}

function refuseUnknownCritical(fields: Fields): void {
  const critical = fields.has('critical') ? fields.texts('critical', 100, LIMITS.codeBytes) : [];
  const unknown = new Set(fields.rest());
  for (const name of critical)
    if (unknown.has(name) || !KNOWN_TERMS.has(name))
      throw new LicenseError(
        'unknown-term',
        `the term ${quoted(name)} is critical and not known here: this program is too old for the license`,
      );
}

/** Names that this version doesn't know: kept by readers, but in a new license most likely a slip of the finger. */
export function unknownTerms(terms: JsonObject): string[] {
  return Object.keys(terms).filter((name) => !KNOWN_TERMS.has(name) && name !== 'critical');
}

const KNOWN_TERMS = new Set([
  'version',
  'quantity',
  'counting',
  'features',
  'notBefore',
  'notAfter',
  'units',
  'sessionTimeoutSeconds',
  'offlineGraceSeconds',
  'lingerSeconds',
]);

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}
