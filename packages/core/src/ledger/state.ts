import {
  type AcquireItem,
  bytesKey,
  type Configuration,
  type Constituent,
  type CountingMode,
  type Crypto,
  type GroupDocument,
  type License,
  type PublicKey,
} from '@trefoil/license';
import { OLDEST_RULES, RULES_VERSION } from '../entry.ts';
import { freeAt, LIMITS } from '../limits.ts';
import { Journal } from '../journal.ts';
import type { ConfigurationSince } from './configurations.ts';
import { Deadlines } from './deadlines.ts';
import type { Policy } from './policy.ts';
import { type DayStart, type DayUsage, NO_USAGE, type Usage } from './usage-records.ts';

/** What the rules need to know besides the log: the same for the whole life of a replica. */
export interface LedgerContext {
  readonly crypto: Crypto;
  readonly vendorRoot: PublicKey;
  /** The set's first: what is in force stands in the ledger. */
  readonly configuration: Configuration;
  /** Those that are at hand beside it: only to know one's own container before the log leads to it. */
  readonly laterConfigurations?: readonly Configuration[];
  readonly group: GroupDocument;
  /** The issuing key's document, for clients that verify. */
  readonly issuingKey: string;
  /** The newest version of the rules that this program knows; default: RULES_VERSION. For tests of programs side by side. */
  readonly rules?: number;
}

/** The state that the log's commands change. Only rules write to it, and only through `journal`. */
export interface Ledger {
  readonly context: LedgerContext;
  readonly journal: Journal;
  index: number;
  logTime: number;
  utc: number;
  /** By how much utc has run ahead of log time since the first entry; ≤ LIMITS.utcLeadMs. */
  utcLead: number;
  /** Under which its newest entry was executed: never falls (PROTOCOL §4.10). Part of no record: it stands in the entry. */
  rulesVersion: number;
  readonly licenses: Map<string, LicenseState>;
  /** Derived: product → its licenses by id. A license never changes its product. */
  readonly products: Map<string, Map<string, LicenseState>>;
  readonly sessions: Map<string, Session>;
  /** Derived: the same by their handles. */
  readonly handles: Map<string, Session>;
  /** Ids of ended sessions → logTime of their end; kept for LIMITS.openWindowMs. */
  readonly ended: Map<string, number>;
  /** Outcomes outside a living session: consumes of ended sessions (24 h), admin and vendor commands (10 min). */
  readonly remembered: Map<string, Remembered>;
  readonly deadlines: Deadlines;
  /** Derived: product → who waits for it, in the order in which they will be served. */
  readonly queues: Map<string, Wait[]>;
  /** Derived: product → how many of them wait for others, too. */
  readonly together: Map<string, number>;
  /** Products of which something may have become free; empty between entries, unless more can be served than fits one. */
  readonly stirred: Set<string>;
  /** When UTC days began, as far back as usage is known; the last is today. */
  days: readonly DayStart[];
  /** Its versions, oldest first; the first stands in no record. */
  configurations: readonly ConfigurationSince[];
  /** The customer's own rules; undefined = there are none. */
  policy: Policy | undefined;
  /** Derived: how large it is by what clients asked for; see size.ts. */
  bytes: number;
  /** Names of records that changed since the last root (PROTOCOL §8.2). */
  readonly dirty: Set<string>;
}

export interface LicenseState {
  license: License;
  licenseDigest: Uint8Array;
  constituents: readonly Constituent[];
  issuingKey: string;
  /** What it was before, newest last, for those whose outcome is older than an update. In memory only: lost with a restart. */
  replaced: readonly { readonly digest: Uint8Array; readonly text: string }[];
  /** Units used so far; `terms.units` − consumed = left. Never falls. */
  consumed: number;
  /** utc; 0 = it was never used. */
  firstUseUtc: number;
  /** Whose seats they are, where they belong to users or devices → since when (utc). */
  readonly names: Map<string, number>;
  /** When names were taken off, utc, ascending; as many as the terms look back on. */
  nameChanges: readonly number[];
  /** Seats of lost machines that came back before their time, oldest first; as many as the terms look back on. */
  writeOffs: readonly WriteOff[];
  /** Derived: seats of holders that left the group. */
  borrowed: number;
  /** Of the day of the last change; and of those before, oldest first (PROTOCOL §5.19). */
  usage: Usage;
  usageBefore: readonly DayUsage[];
  /** Derived: Σ seats of holders, shared seats once. used ≤ quantity at the time of each grant. */
  used: number;
  readonly usedByFeature: Map<string, number>;
  /** Derived: seats shared by station or user: share key → what its holders have. */
  readonly shares: Map<string, Map<string, Share>>;
  /** Derived: who holds, in order of (since, session, hold). */
  readonly holders: HolderRef[];
}

export interface WriteOff {
  readonly utc: number;
  readonly seats: number;
}

export interface Share {
  readonly seats: number;
  /** Of the license's quantity. */
  readonly cost: number;
  /** The features that it counts for. */
  readonly chain: readonly string[];
}

export interface HolderRef {
  readonly sinceLogTime: number;
  readonly session: Session;
  readonly hold: Hold;
  readonly item: HeldItem;
}

export interface Session {
  /** Whoever knows it may ask in this session: others are told the handle. */
  readonly id: Uint8Array;
  /** Derived. */
  readonly handle: Uint8Array;
  readonly key: Uint8Array;
  readonly closeHash: Uint8Array;
  readonly user: string;
  readonly host: string;
  readonly program: string;
  readonly address: string;
  readonly client: number;
  readonly openedUtc: number;
  /** Since when nobody has used the application, as it says itself; logTime; 0 = somebody does. */
  idleSince: number;
  /** It ends at this logTime unless renewed: ≥ freeAt of every hold. */
  deadline: number;
  /** '' = living; else why it gets no more than to give back. */
  evicted: string;
  closed: boolean;
  readonly holds: Map<number, Hold>;
  readonly waits: Map<number, Wait>;
  /** Of open, consume and close; and of what carries no authority (PROTOCOL §5.12): what anybody may send ends nothing of the former. */
  readonly proven: RequestWindow;
  readonly free: RequestWindow;
}

/** Which of its requests a client still may ask again. */
export interface RequestWindow {
  lowestUnanswered: number;
  /** Request id → what was answered; ids ≥ lowestUnanswered only. */
  readonly answered: Map<number, Answered>;
}

export function emptyWindow(): RequestWindow {
  return { lowestUnanswered: 0, answered: new Map() };
}

export interface Answered {
  readonly commandHash: Uint8Array;
  /** Empty = a renewal: it is done again (PROTOCOL §5.11). */
  readonly outcome: Uint8Array;
  readonly consume: boolean;
}

export interface Remembered {
  readonly commandHash: Uint8Array;
  readonly outcome: Uint8Array;
  readonly forgetAt: number;
}

export interface Hold {
  readonly id: number;
  readonly releaseHash: Uint8Array;
  readonly sinceLogTime: number;
  readonly sinceUtc: number;
  readonly items: readonly HeldItem[];
  /** D and the time-out behind it: the least and the most of the licenses in it; of borrowed ones, for how long they were. */
  lifeMs: number;
  timeoutMs: number;
  issuedLogTime: number;
  /** Its seats are free from this logTime on, unless renewed: its last grant has run out by any clock (PROTOCOL §6.7). */
  freeAt: number;
  /** Given back, but its license lets the seat linger. */
  lingering: boolean;
  /** It came of a wait. */
  readonly waited: boolean;
  /** It left the group (PROTOCOL §5.18): nobody renews it. */
  readonly borrowed: boolean;
  /** How often it was extended. */
  extended: number;
}

/** An acquire that others stand before. */
export interface Wait {
  /** The request id of the acquire; its hold's, when it is served. */
  readonly id: number;
  readonly session: Session;
  /** Place in the log: who came first is served first. */
  readonly seq: number;
  readonly commandHash: Uint8Array;
  readonly releaseHash: Uint8Array;
  readonly items: readonly AcquireItem[];
  /** So long the client wants to wait. */
  readonly untilLogTime: number;
  /** So long it is kept without a renewal: who is gone shall keep nobody waiting. The longest of the licenses in it, and stretched. */
  readonly timeoutMs: number;
  keptUntil: number;
  /** Derived: what it asks for, whatever the number of seats: two alike have the same. */
  readonly shape: string;
}

export interface HeldItem {
  /** Which item of the acquire it answers. */
  readonly item: number;
  readonly license: string;
  readonly feature: string;
  /** The feature and those around it, as it was when they were taken; so they are given back. */
  readonly chain: readonly string[];
  readonly seats: number;
  readonly mode: CountingMode;
  /** What each took of the quantity. */
  readonly tokens: number;
  /** Taken beyond the quantity. */
  readonly overdraft: boolean;
  /** Times of its use that were paid for in units; 0 = they are not. */
  times: number;
}

export function emptyLedger(context: LedgerContext): Ledger {
  return {
    context,
    journal: new Journal(),
    index: 0,
    logTime: 0,
    utc: 0,
    utcLead: 0,
    rulesVersion: OLDEST_RULES,
    licenses: new Map(),
    products: new Map(),
    sessions: new Map(),
    handles: new Map(),
    ended: new Map(),
    remembered: new Map(),
    deadlines: new Deadlines(),
    queues: new Map(),
    together: new Map(),
    stirred: new Set(),
    days: [],
    configurations: [{ configuration: context.configuration, since: 0 }],
    policy: undefined,
    bytes: 0,
    dirty: new Set(),
  };
}

/** The newest rules that this program can execute. */
export function newestRules({ rules = RULES_VERSION }: LedgerContext): number {
  return rules;
}

/** A license that is new to the ledger. */
export function addLicense(ledger: Ledger, state: LicenseState): void {
  const { id, product } = state.license;
  let same = ledger.products.get(product);
  if (same === undefined) {
    same = new Map();
    ledger.journal.put(ledger.products, product, same);
  }
  ledger.journal.put(same, id, state);
  ledger.journal.put(ledger.licenses, id, state);
}

/** The licenses that add up to what there is of a product. */
export function licensesOf(ledger: Ledger, product: string): Iterable<LicenseState> {
  return ledger.products.get(product)?.values() ?? [];
}

/** Something of it may be free for who waits. */
export function stir(ledger: Ledger, { license: { product } }: LicenseState): void {
  if (ledger.queues.has(product)) ledger.journal.add(ledger.stirred, product);
}

export function newLicense(
  documents: Pick<LicenseState, 'license' | 'licenseDigest' | 'constituents' | 'issuingKey'>,
): LicenseState {
  return {
    ...documents,
    replaced: [],
    consumed: 0,
    firstUseUtc: 0,
    names: new Map(),
    nameChanges: [],
    writeOffs: [],
    borrowed: 0,
    usage: NO_USAGE,
    usageBefore: [],
    used: 0,
    usedByFeature: new Map(),
    shares: new Map(),
    holders: [],
  };
}

export const recordName = {
  session: (id: Uint8Array): string => `S${bytesKey(id)}`,
  license: (id: string): string => `L${id}`,
  counters: (id: string): string => `C${id}`,
  names: (id: string): string => `N${id}`,
  policy: 'P',
  configurations: 'K',
  days: 'D',
  usage: (id: string): string => `U${id}`,
  usageBefore: (id: string): string => `H${id}`,
  ended: (key: string): string => `E${key}`,
  remembered: (key: string): string => `R${key}`,
} as const;

export function touchSession(ledger: Ledger, session: Session): void {
  ledger.dirty.add(recordName.session(session.id));
}

/** What a session holds or waits for: a renewal has to name all of it. */
export function itemsHeld(session: Session): number {
  let items = 0;
  for (const hold of session.holds.values()) items += hold.items.length;
  for (const wait of session.waits.values()) items += wait.items.length;
  return items;
}

/** It got a hold without having said anything: that is no sign of life. */
export function keepWith(ledger: Ledger, session: Session, hold: Hold): void {
  ledger.journal.set(session, 'deadline', Math.max(session.deadline, hold.freeAt));
  ledger.deadlines.push(session);
}

/** A session outlives its holds: as long as a client may believe in a seat, the group knows whose it is. */
export function scheduleSession(ledger: Ledger, session: Session): void {
  const living = session.evicted === '' && !session.closed;
  let deadline = living ? freeAt(ledger.logTime, LIMITS.sessionTimeoutMs) : ledger.logTime;
  if (session.closed) deadline += LIMITS.closedMemoryMs;
  for (const hold of session.holds.values()) deadline = Math.max(deadline, hold.freeAt);
  ledger.journal.set(session, 'deadline', deadline);
  ledger.deadlines.push(session);
}
