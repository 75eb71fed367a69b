import { malformed } from '../bytes.ts';
import { LicenseError, quoted } from '../errors.ts';
import { Fields } from '../fields.ts';
import type { Json, JsonObject } from '../json.ts';
import { LIMITS } from '../limits.ts';
import { optionalDuration } from './durations.ts';
import { type FeatureTerms, features, ownScope, type Scope } from './features.ts';
import { checkInformation } from './information.ts';
import {
  type Borrowing,
  borrowing,
  minimum,
  type Minimum,
  named,
  type Named,
  overdraft,
  seatTime,
  type SeatTime,
  transfer,
  type Transfer,
} from './options.ts';

/** What one seat is (FORMATS §2.4). */
export const COUNTING_MODES = ['session', 'station', 'user', 'exclusive', 'uncounted'] as const;
export type CountingMode = (typeof COUNTING_MODES)[number];

/**
 * The options of a license. Everything the ledger decides, it decides from these, never from a preset's name. Times in ms; dates
 * in ms since 1970.
 */
export interface Terms {
  /** Seats at once; 0 = protection only, nothing is counted. */
  readonly quantity: number;
  /** Allowed modes; the first is the default when the application doesn't ask. */
  readonly counting: readonly CountingMode[];
  /** What holds for a seat of the product itself. */
  readonly whole: Scope;
  readonly features: ReadonlyMap<string, FeatureTerms>;
  /** For so long after its end it is still granted, and that is said. */
  readonly graceMs: number;
  /** It ends so long after its first use. */
  readonly usagePeriodMs?: number;
  /** Older versions and earlier releases than those named count against the same quantity. */
  readonly downgrade: boolean;
  /** Units that may be used up; undefined = none, or without a limit where it is paid for afterwards. */
  readonly units?: number;
  /** undefined = nothing is metered. */
  readonly metering?: 'prepaid' | 'postpaid';
  readonly seatTime?: SeatTime;
  /** Seats beyond the quantity. */
  readonly overdraft: number;
  /** How long a silent client keeps its seat. */
  readonly sessionTimeoutMs: number;
  /** How long a client may go on without contact; at most sessionTimeoutMs, which includes it. */
  readonly offlineGraceMs: number;
  /** How long a seat stays taken after its release. */
  readonly lingerMs: number;
  readonly borrowing?: Borrowing;
  readonly named?: Named;
  /** Clients may wait for a seat. */
  readonly queue: boolean;
  readonly minimum: Minimum;
  readonly standby?: 'cold' | 'hot';
  readonly transfer: Transfer;
  /** The vendor has taken it back: nothing is granted any more, and what is left is certified (PROTOCOL §5.10). */
  readonly returned: boolean;
}

/**
 * Reads terms from a license. A field named in `critical` that this version doesn't know refuses the license: a server must
 * not grant what it doesn't understand. Other unknown fields are kept in the document and have no effect.
 */
export function parseTerms(value: Json | undefined): Terms {
  const fields = new Fields(value, 'terms');
  const version = fields.integer('version', 1, 1_000);
  if (version > 2)
    throw new LicenseError('unknown-term', 'terms.version is above 2: this program is too old for the license');
  refuseUnknownCritical(fields);
  if (version === 1) refuseLater(value as JsonObject);
  const quantity = fields.integer('quantity', 0, LIMITS.quantity);
  const { whole, featureTerms } = scopes(fields, quantity);
  const terms: Terms = {
    quantity,
    counting: counting(fields),
    whole,
    features: featureTerms,
    ...lifetimes(fields),
    ...metered(fields),
    overdraft: overdraft(fields, quantity),
    ...timeouts(fields),
    ...optional('borrowing', borrowing(fields, quantity)),
    ...optional('named', named(fields)),
    queue: fields.has('queue') ? fields.flag('queue') : true,
    minimum: minimum(fields),
    ...optional('standby', fields.has('standby') ? fields.oneOf('standby', ['cold', 'hot']) : undefined),
    transfer: transfer(fields),
    returned: fields.has('returned') && fields.flag('returned'),
    downgrade: fields.has('downgrade') && fields.flag('downgrade'),
  };
  checkInformation(fields);
  refuseContradictions(fields, terms);
  return terms;
}

/** What holds for a seat of this feature, '' = of the product itself; undefined = the license has no such feature. */
export function scopeOf(terms: Terms, feature: string): Scope | undefined {
  return feature === '' ? terms.whole : terms.features.get(feature);
}

/** The document form of terms; `parseTerms` reads it back. `undefined` fields are left out. */
export function termsJson(terms: JsonObject): JsonObject {
  const json = { version: ofVersion2(terms) === undefined ? 1 : 2, ...terms };
  parseTerms(json);
  return json;
}

function scopes(fields: Fields, quantity: number): { whole: Scope; featureTerms: ReadonlyMap<string, FeatureTerms> } {
  const whole = { tokens: 1, weight: 1, ...ownScope(fields) };
  return { whole, featureTerms: features(fields, quantity, whole) };
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

function lifetimes(fields: Fields): Pick<Terms, 'graceMs' | 'usagePeriodMs'> {
  return {
    graceMs: optionalDuration(fields, 'grace', 1_000, LIMITS.durationMs) ?? 0,
    ...optional('usagePeriodMs', optionalDuration(fields, 'usagePeriod', 1_000, LIMITS.durationMs)),
  };
}

function metered(fields: Fields): Pick<Terms, 'units' | 'metering' | 'seatTime'> {
  const units = fields.optionalInteger('units', 0, LIMITS.units);
  const said = fields.has('metering') ? fields.oneOf('metering', ['prepaid', 'postpaid']) : undefined;
  const metering = said ?? (units === undefined ? undefined : 'prepaid');
  if (metering === 'prepaid' && units === undefined) throw malformed('terms.metering is prepaid without terms.units');
  return {
    ...optional('units', units),
    ...optional('metering', metering),
    ...optional('seatTime', seatTime(fields, metering)),
  };
}

function timeouts(fields: Fields): Pick<Terms, 'sessionTimeoutMs' | 'offlineGraceMs' | 'lingerMs'> {
  const { sessionTimeoutMinMs, sessionTimeoutMaxMs, sessionTimeoutDefaultMs, lingerMaxMs } = LIMITS;
  const sessionTimeoutMs = seconds(
    fields,
    'sessionTimeoutSeconds',
    sessionTimeoutMinMs,
    sessionTimeoutMaxMs,
    sessionTimeoutDefaultMs,
  );
  const offlineGraceMs = seconds(fields, 'offlineGraceSeconds', 1_000, sessionTimeoutMaxMs, sessionTimeoutMs);
  // A grant that outlives its seat would be a second seat for nothing.
  if (offlineGraceMs > sessionTimeoutMs)
    throw malformed('terms.offlineGraceSeconds is above terms.sessionTimeoutSeconds');
  return { sessionTimeoutMs, offlineGraceMs, lingerMs: seconds(fields, 'lingerSeconds', 0, lingerMaxMs, 0) };
}

function seconds(fields: Fields, name: string, minMs: number, maxMs: number, defaultMs: number): number {
  const value = fields.optionalInteger(name, minMs / 1000, maxMs / 1000);
  return value === undefined ? defaultMs : value * 1000;
}

/** An older program would give them no effect, and grant what the vendor has not sold. */
function refuseLater(terms: JsonObject): void {
  const found = ofVersion2(terms);
  if (found !== undefined) throw malformed(`${found} needs terms.version 2`);
}

/** The path of the first term that version 1 did not have. */
function ofVersion2(terms: JsonObject): string | undefined {
  const found = Object.keys(terms).find((name) => TERMS_OF_VERSION_2.has(name));
  if (found !== undefined) return `terms.${found}`;
  const list = terms['features'];
  for (const [i, feature] of Array.isArray(list) ? list.entries() : []) {
    const names = feature === null || typeof feature !== 'object' ? [] : Object.keys(feature as object);
    const inner = names.find((name) => FEATURES_OF_VERSION_2.has(name));
    if (inner !== undefined) return `terms.features[${i}].${inner}`;
  }
  return undefined;
}

/** Before all else: what a later version has in its terms may be malformed here, and is no fault of the license. */
function refuseUnknownCritical(fields: Fields): void {
  const critical = fields.has('critical') ? fields.texts('critical', 100, LIMITS.codeBytes) : [];
  for (const name of critical)
    if (!TERMS_OF_VERSION_1.has(name) && !TERMS_OF_VERSION_2.has(name))
      throw new LicenseError(
        'unknown-term',
        `the term ${quoted(name)} is critical and not known here: this program is too old for the license`,
      );
}

/** Terms of which one takes back what another gives; who wrote them meant something else. */
function refuseContradictions(fields: Fields, terms: Terms): void {
  const { quantity, whole, features: ofFeatures, metering } = terms;
  const isCounted = quantity > 0 && terms.counting.some((mode) => mode !== 'uncounted');
  const scopesThere = [whole, ...ofFeatures.values()];
  const weighted = [...ofFeatures.values()].find((one) => one.weight !== 1);
  const has = (name: string): boolean => fields.has(name);
  const rules: readonly (readonly [boolean, string])[] = [
    [has('overdraft') && !isCounted, 'terms.overdraft has no meaning where nothing is counted'],
    [has('borrowing') && !isCounted, 'terms.borrowing has no meaning where nothing is counted'],
    [has('named') && quantity === 0, 'terms.named needs a quantity: so many names there can be'],
    [
      terms.graceMs > 0 && terms.usagePeriodMs === undefined && scopesThere.every((one) => one.notAfter === undefined),
      'terms.grace has no meaning without an end: give terms.notAfter or terms.usagePeriod',
    ],
    [
      terms.downgrade &&
        scopesThere.every(({ versions, maintenance }) => (versions?.from ?? maintenance?.from) === undefined),
      'terms.downgrade has no meaning without a "from": give terms.versions.from or terms.maintenance.from',
    ],
    [
      metering === undefined && weighted !== undefined,
      `the feature ${weighted?.name} has a weight where nothing is metered: give terms.units or terms.metering`,
    ],
    [
      terms.standby === 'cold' && terms.usagePeriodMs === undefined,
      'terms.standby cold needs terms.usagePeriod: so long it may replace the first license',
    ],
    [
      terms.standby === 'hot' && terms.seatTime === undefined,
      'terms.standby hot needs terms.seatTime: its use is counted by time',
    ],
  ];
  for (const [contradicts, message] of rules) if (contradicts) throw malformed(message);
}

/** Names that this version doesn't know: kept by readers, but in a new license most likely a slip of the finger. */
export function unknownTerms(terms: JsonObject): string[] {
  return Object.keys(terms).filter(
    (name) => !TERMS_OF_VERSION_1.has(name) && !TERMS_OF_VERSION_2.has(name) && name !== 'critical',
  );
}

const TERMS_OF_VERSION_1: ReadonlySet<string> = new Set([
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

const TERMS_OF_VERSION_2: ReadonlySet<string> = new Set([
  'versions',
  'maintenance',
  'downgrade',
  'grace',
  'usagePeriod',
  'metering',
  'seatTime',
  'overdraft',
  'borrowing',
  'named',
  'queue',
  'minimum',
  'standby',
  'transfer',
  'returned',
  'texts',
  'customer',
  'vendorData',
]);

const FEATURES_OF_VERSION_2: ReadonlySet<string> = new Set([
  'within',
  'notBefore',
  'versions',
  'maintenance',
  'tokens',
  'weight',
]);

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}
