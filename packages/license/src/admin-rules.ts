import { encodeUtf8, malformed, nameFault } from './bytes.ts';
import { quoted } from './errors.ts';
import { Fields } from './fields.ts';
import { type Json, parseStrictJson } from './json.ts';
import { LIMITS } from './limits.ts';
import { isWithinOne, parseSubnet, type Subnet } from './subnets.ts';

/** The customer's own rules: who may have which seats (FORMATS §2.9). They only ever take away from what a license gives. */
export interface AdminRules {
  readonly version: number;
  readonly rules: readonly AdminRule[];
}

export type AdminRule = {
  /** `*` = every product. */
  readonly product: string;
  /** '' = the product and all its features. */
  readonly feature: string;
  /** undefined = everybody. */
  readonly who: Who | undefined;
  /** As its author would say it. */
  readonly words: string;
} & (
  | { readonly kind: 'allow' | 'deny' }
  /** So many seats that only they may have. */
  | { readonly kind: 'reserve'; readonly seats: number }
  /** At most so many for all of them together, or for each user or host. */
  | { readonly kind: 'limit'; readonly seats: number; readonly each: 'user' | 'host' | undefined }
);

/** Whoever is named by one of these. */
export interface Who {
  readonly users: Names;
  readonly hosts: Names;
  readonly subnets: readonly Subnet[];
  readonly groups: readonly Who[];
}

/** As they are, and how they may begin. */
interface Names {
  readonly exact: ReadonlySet<string>;
  readonly beginnings: readonly string[];
}

/** What a session says of itself. */
export interface Claimed {
  readonly user: string;
  readonly host: string;
  readonly address: string;
}

/** `known`: what was found of this session before; many rules name the same groups. undefined = everybody. */
export function isMeant(who: Who | undefined, claimed: Claimed, known: Map<Who, boolean> = new Map()): boolean {
  if (who === undefined) return true;
  let meant = known.get(who);
  if (meant === undefined) {
    meant =
      fits(claimed.user, who.users) ||
      fits(claimed.host, who.hosts) ||
      isWithinOne(claimed.address, who.subnets) ||
      who.groups.some((group) => isMeant(group, claimed, known));
    known.set(who, meant);
  }
  return meant;
}

function fits(name: string, { exact, beginnings }: Names): boolean {
  return exact.has(name) || beginnings.some((beginning) => name.startsWith(beginning));
}

function namesOf(patterns: readonly string[]): Names {
  const isBeginning = (pattern: string): boolean => pattern.endsWith('*');
  return {
    exact: new Set(patterns.filter((pattern) => !isBeginning(pattern))),
    beginnings: patterns.filter(isBeginning).map((pattern) => pattern.slice(0, -1)),
  };
}

/** @throws LicenseError that names the place */
export function parseAdminRules(text: string): AdminRules {
  const fields = new Fields(parseStrictJson(encodeUtf8(text), LIMITS.rulesBytes), '');
  fields.integer('format', 1, 1);
  const version = fields.integer('version', 1, 0xffff_ffff);
  const groups = readGroups(fields);
  const rules = fields.list('rules', LIMITS.adminRules).map((item, i) => readRule(item, i, groups));
  fields.end();
  return { version, rules };
}

function readGroups(parent: Fields): ReadonlyMap<string, Who> {
  const groups = new Map<string, Who>();
  if (!parent.has('groups')) return groups;
  const fields = new Fields(parent.take('groups'), 'groups');
  const names = fields.names();
  if (names.length > LIMITS.adminRules)
    throw malformed(`groups has ${names.length} groups, ${LIMITS.adminRules} allowed`);
  for (const name of names) {
    // By a letter: other readers would have the order of the document, ours puts numbers first.
    if (!/^[a-z][a-z0-9._-]{0,63}$/.test(name))
      throw malformed('groups has a name that does not begin with a letter, or is no code');
    const group = new Fields(fields.take(name), fields.at(name));
    groups.set(name, readWho(group, groups));
    group.end();
  }
  return groups;
}

/** Groups may name groups before them. */
function readWho(fields: Fields, groups: ReadonlyMap<string, Who>): Who {
  let count = 0;
  const names = (name: string): readonly string[] => {
    const list = fields.has(name) ? fields.texts(name, LIMITS.namesInRule, LIMITS.nameBytes) : [];
    count += list.length;
    list.forEach((text, i) => {
      const fault = nameFault(text, LIMITS.nameBytes);
      if (fault !== undefined) throw malformed(`${fields.at(name)}[${i}] ${fault}`);
    });
    return list;
  };
  const who = {
    users: namesOf(names('users')),
    hosts: namesOf(names('hosts')),
    subnets: names('subnets').map((text, i) => {
      const subnet = parseSubnet(text);
      if (subnet === undefined) throw malformed(`${fields.at('subnets')}[${i}] is not a subnet like 10.1.0.0/16`);
      return subnet;
    }),
    groups: names('groups').map((name, i) => {
      const group = groups.get(name);
      if (group === undefined)
        throw malformed(`${fields.at('groups')}[${i}] ${quoted(name)} is not a group of these rules`);
      return group;
    }),
  };
  if (count === 0) throw malformed(`${fields.path} names nobody: give users, hosts, subnets or groups`);
  if (count > LIMITS.namesInRule) throw malformed(`${fields.path} names more than ${LIMITS.namesInRule}`);
  return who;
}

const KINDS = ['allow', 'deny', 'reserve', 'limit'] as const;

function readRule(item: Json, i: number, groups: ReadonlyMap<string, Who>): AdminRule {
  const fields = new Fields(item, `rules[${i}]`);
  const kind = fields.oneOf('rule', KINDS);
  const product = fields.text('product', LIMITS.codeBytes) === '*' ? '*' : fields.code('product');
  const feature = fields.has('feature') ? fields.code('feature') : '';
  if (product === '*' && feature !== '') throw malformed(`${fields.at('feature')} needs a product of its own`);
  const said = fields.has('for') ? fields.take('for') : undefined;
  const who = said === undefined ? undefined : whoOf(new Fields(said, fields.at('for')), groups);
  const each = kind === 'limit' && fields.has('each') ? fields.oneOf('each', ['user', 'host']) : undefined;
  const counts = kind === 'limit' || kind === 'reserve';
  const seats = counts ? fields.integer('seats', kind === 'limit' ? 0 : 1, LIMITS.quantity) : undefined;
  if (kind === 'reserve' && who === undefined) throw malformed(`${fields.at('for')} is missing: reserved for whom?`);
  if (kind === 'reserve' && product === '*') throw malformed(`${fields.at('product')} has to be one product`);
  fields.end();
  const common = { product, feature, who, words: wordsOf({ kind, product, feature, seats, each, who: said }) };
  if (kind === 'limit') return { ...common, kind, seats: seats ?? 0, each };
  return kind === 'reserve' ? { ...common, kind, seats: seats ?? 0 } : { ...common, kind };
}

function whoOf(fields: Fields, groups: ReadonlyMap<string, Who>): Who {
  const who = readWho(fields, groups);
  fields.end();
  return who;
}

/** `limit 2 cad per user for group interns`; what somebody is shown whom it denies. */
function wordsOf(rule: {
  readonly kind: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number | undefined;
  readonly each: string | undefined;
  /** Read before: lists of names. */
  readonly who: Json | undefined;
}): string {
  const who = Object.entries((rule.who ?? {}) as Record<string, readonly string[]>).map(
    ([kind, names]) => `${kind.slice(0, -1)} ${names.slice(0, 3).join(', ')}${names.length > 3 ? ' …' : ''}`,
  );
  const parts = [
    rule.kind,
    rule.seats === undefined ? '' : String(rule.seats),
    rule.product === '*' ? 'every product' : rule.product,
    rule.feature === '' ? '' : `feature ${rule.feature}`,
    rule.each === undefined ? '' : `per ${rule.each}`,
    who.length === 0 ? '' : `for ${who.join(', ')}`,
  ];
  let words = parts.filter((part) => part !== '').join(' ');
  while (encodeUtf8(words).length > LIMITS.reasonBytes) words = [...words].slice(0, -1).join('');
  return words;
}
