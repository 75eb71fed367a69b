import { malformed } from '../bytes.ts';
import { Fields } from '../fields.ts';
import { LIMITS } from '../limits.ts';
import { type VersionRange, versionRange } from './product-versions.ts';

/** What holds for a seat of the product itself or of one feature: its own terms, and what it inherits. */
export interface Scope {
  /** The latest of its own and of all around it; ms since 1970. */
  readonly notBefore?: number;
  /** The earliest. */
  readonly notAfter?: number;
  readonly versions?: VersionRange;
  readonly maintenance?: Maintenance;
  /** So many seats of the license's quantity one seat of it takes. */
  readonly tokens: number;
  /** So many units one of it uses up. */
  readonly weight: number;
}

/** Releases of this time may be used for ever; ms since 1970. */
export interface Maintenance {
  readonly from?: number;
  /** Not included. */
  readonly until: number;
}

export interface FeatureTerms extends Scope {
  readonly name: string;
  /** Seats of this feature; undefined = what is around it alone limits them. */
  readonly quantity?: number;
  /** Its own name and those of the features around it, from the inside out: a seat of it is one of each. */
  readonly chain: readonly string[];
}

type OwnScope = Omit<Scope, 'tokens' | 'weight'>;

/** The scope's own fields, of a license or a feature. */
export function ownScope(fields: Fields): OwnScope {
  const [notBefore, notAfter] = [fields.optionalTime('notBefore'), fields.optionalTime('notAfter')];
  if (notBefore !== undefined && notAfter !== undefined && notBefore >= notAfter)
    throw malformed(`${fields.at('notAfter')} is not after ${fields.at('notBefore')}`);
  return {
    ...(notBefore !== undefined && { notBefore }),
    ...(notAfter !== undefined && { notAfter }),
    ...(fields.has('versions') && {
      versions: versionRange(new Fields(fields.take('versions'), fields.at('versions'))),
    }),
    ...(fields.has('maintenance') && { maintenance: maintenance(fields) }),
  };
}

function maintenance(parent: Fields): Maintenance {
  const fields = new Fields(parent.take('maintenance'), parent.at('maintenance'));
  const [from, until] = [fields.optionalTime('from'), fields.time('until')];
  fields.end();
  if (from !== undefined && from >= until) throw malformed(`${fields.at('until')} is not after ${fields.at('from')}`);
  return from === undefined ? { until } : { from, until };
}

interface Own {
  readonly fields: Fields;
  readonly name: string;
  readonly within: string | undefined;
  readonly quantity: number | undefined;
  readonly scope: Partial<Scope>;
}

/** By name, in the order of the license. */
export function features(fields: Fields, licenseQuantity: number, whole: Scope): ReadonlyMap<string, FeatureTerms> {
  const own = new Map<string, Own>();
  const list = fields.has('features') ? fields.list('features', LIMITS.featuresPerLicense) : [];
  list.forEach((item, i) => {
    const feature = readOwn(new Fields(item, `terms.features[${i}]`), licenseQuantity);
    const { name, fields: at } = feature;
    if (own.has(name)) throw malformed(`${at.at('name')} "${name}" is there twice`);
    own.set(name, feature);
  });
  return new Map([...own.values()].map((feature) => [feature.name, resolve(feature, own, whole)]));
}

function readOwn(fields: Fields, licenseQuantity: number): Own {
  const name = fields.code('name');
  const quantity = fields.optionalInteger('quantity', 0, LIMITS.quantity);
  if (quantity !== undefined && licenseQuantity > 0 && quantity > licenseQuantity)
    throw malformed(`${fields.at('quantity')} is above the license's quantity`);
  const within = fields.has('within') ? fields.code('within') : undefined;
  const [tokens, weight] = [
    fields.optionalInteger('tokens', 1, LIMITS.tokens),
    fields.optionalInteger('weight', 0, LIMITS.tokens),
  ];
  if (tokens !== undefined && licenseQuantity === 0)
    throw malformed(`${fields.at('tokens')} has no meaning where nothing is counted`);
  if (tokens !== undefined && tokens > licenseQuantity)
    throw malformed(`${fields.at('tokens')} is above the license's quantity: nobody could have a seat`);
  const scope = {
    ...ownScope(fields),
    ...(tokens !== undefined && { tokens }),
    ...(weight !== undefined && { weight }),
  };
  fields.end();
  return { fields, name, within, quantity, scope };
}

/** From the outside in. Chains are short: a longer one is a circle or a slip. */
function resolve(feature: Own, all: ReadonlyMap<string, Own>, whole: Scope): FeatureTerms {
  const chain = [feature];
  for (let outer = around(feature, all); outer !== undefined; outer = around(outer, all)) {
    if (chain.length >= LIMITS.featureDepth)
      throw malformed(
        `${feature.fields.at('within')} leads through more than ${LIMITS.featureDepth} features, or in a circle`,
      );
    chain.push(outer);
  }
  let terms = whole;
  let limit: Own | undefined; // the nearest with a quantity
  for (const one of chain.toReversed()) {
    terms = inherited(terms, one.scope);
    if (one.quantity === undefined) continue;
    if (limit?.quantity !== undefined && one.quantity > limit.quantity)
      throw malformed(`${one.fields.at('quantity')} is above that of the feature ${limit.name}`);
    limit = one;
  }
  const { name, fields } = feature;
  if (terms.notBefore !== undefined && terms.notAfter !== undefined && terms.notBefore >= terms.notAfter)
    throw malformed(`${fields.path} "${name}" would begin after it, or what is around it, has ended`);
  return {
    ...terms,
    name,
    ...(feature.quantity !== undefined && { quantity: feature.quantity }),
    chain: chain.map((one) => one.name),
  };
}

function around({ within, fields }: Own, all: ReadonlyMap<string, Own>): Own | undefined {
  if (within === undefined) return undefined;
  const outer = all.get(within);
  if (outer === undefined) throw malformed(`${fields.at('within')} "${within}" is not a feature of this license`);
  return outer;
}

/** Nothing begins before what is around it, and nothing outlives it; the rest is what was set nearest. */
function inherited(outer: Scope, own: Partial<Scope>): Scope {
  const notBefore = Math.max(outer.notBefore ?? -Infinity, own.notBefore ?? -Infinity);
  const notAfter = Math.min(outer.notAfter ?? Infinity, own.notAfter ?? Infinity);
  return {
    ...outer,
    ...own,
    ...(notBefore > -Infinity && { notBefore }),
    ...(notAfter < Infinity && { notAfter }),
  };
}
