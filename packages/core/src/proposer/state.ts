import {
  type Crypto,
  type GroupDocument,
  type LogPromise,
  type Member,
  type SigningKey,
  type TmrServer,
} from '@trefoil/license';
import { type AboutVoter, SILENT } from '../about.ts';
import { type LedgerContext, newestRules } from '../ledger/state.ts';
import { LIMITS } from '../limits.ts';
import type { ToProposer, ToVoter } from '../messages.ts';
import type { Signed } from '../signed.ts';
import type { VoterStatus } from '../voter-status.ts';
import { RecentEntries } from '../recent-entries.ts';
import { emptyReplica, inForce, type Replica, type Tail } from '../replica.ts';
import type { Now } from '../voter/state.ts';

/** Where a command came from, in the words of the runtime; handed back with the answer. */
export type Token = number;

/** Renewals first: they keep what people have; then what frees; then what is new (PROTOCOL §5.14). */
export const PRIORITIES = ['renew', 'release', 'acquire', 'other'] as const;
export type Priority = (typeof PRIORITIES)[number];

export type ProposerEvent =
  /** `hearsAbout`: by a link whose other end knows what ABOUT is (PROTOCOL §4.10). */
  | { readonly kind: 'linkUp'; readonly member: Member; readonly hearsAbout: boolean }
  | { readonly kind: 'linkDown'; readonly member: Member }
  | { readonly kind: 'message'; readonly member: Member; readonly message: ToProposer }
  | {
      readonly kind: 'command';
      readonly token: Token;
      readonly bytes: Uint8Array;
      readonly priority: Priority;
      /** Monotonic ms after which the client isn't interested any more. */
      readonly deadlineMs: number;
      /** The client can't reach the active TMR server. */
      readonly stuck: boolean;
    }
  /** How many clients are connected: what a peer with stranded clients is weighed against. */
  | { readonly kind: 'clients'; readonly count: number }
  /** Whether this host holds the virtual IP, as far as its system says. */
  | { readonly kind: 'virtualIp'; readonly held: boolean }
  /** A planned switch: the other one shall lead (PROTOCOL §4.8). */
  | { readonly kind: 'handOver' }
  | { readonly kind: 'tick' };

export type ProposerEffect =
  | { readonly kind: 'send'; readonly member: Member; readonly message: ToVoter }
  /** Certified: the outcome of each command, with what proves it. */
  | { readonly kind: 'answers'; readonly certificate: Uint8Array; readonly answers: readonly CertifiedAnswer[] }
  | { readonly kind: 'redirect'; readonly token: Token; readonly to: TmrServer }
  /** Not done and will not be by this server: the client may ask again after `retryAfterMs`. */
  | { readonly kind: 'unavailable'; readonly token: Token; readonly reason: Unavailable; readonly retryAfterMs: number }
  /** `why` is for those who read the log. */
  | { readonly kind: 'role'; readonly role: Role; readonly epoch: number; readonly why: string }
  /** For those who watch. `certificate` is empty where an entry was proved by a later one's. */
  | { readonly kind: 'certified'; readonly tail: Tail; readonly certificate: Uint8Array }
  | { readonly kind: 'alarm'; readonly alarm: string; readonly detail: string };

export interface CertifiedAnswer {
  readonly token: Token;
  readonly outcome: Uint8Array;
  readonly leafIndex: number;
  readonly path: readonly Uint8Array[];
}

export type Unavailable = 'overloaded' | 'no-quorum' | 'deadline';
export type Role = 'follower' | 'preparing' | 'leading';

export interface QueuedCommand {
  readonly token: Token;
  readonly bytes: Uint8Array;
  readonly priority: Priority;
  readonly deadlineMs: number;
}

export interface MemberLink {
  up: boolean;
  hearsAbout: boolean;
  status: VoterStatus | undefined;
  statusAt: number;
  /** As statusAt, but without the time in which this process itself stood still. */
  heardAt: number;
  /** Newest reading of its log clock. */
  logClock: number;
  logClockAt: number;
  /** Has voted in this epoch: needs no justification any more. */
  adopted: boolean;
  /** Newest vote and promise seen; shown to it when it comes back. */
  vote: Signed | undefined;
  votedEpoch: number;
  votedIndex: number;
  promise: Signed | undefined;
  promisedEpoch: number;
  /** Refused an entry for lack of what is before it: what it has at the end of its log may be another. */
  lacking: boolean;
  /** Highest index that was fed and when, so that the same isn't sent over and over. */
  fedTo: number;
  fedAt: number;
  /** Which others were asked for what it lacks from this entry on, in order. */
  donors: { readonly from: number; readonly asked: Member[]; readonly times: number };
  /** Said that it had entries, and gave none or false ones: the others are asked first. */
  gaveNone: boolean;
  /** On this link; undefined = nothing yet. */
  about: AboutVoter | undefined;
}

export interface Promised {
  readonly signed: Signed;
  readonly promise: LogPromise;
  /** Shown by the certificate beside it. */
  readonly certifiedIndex: number;
  /** The entry after its newest certified one; empty = none. Not signed: it has to fit the promise. */
  readonly tail: Uint8Array;
}

export interface Attempt {
  readonly prepare: Signed;
  readonly nonce: Uint8Array;
  readonly clientsWait: boolean;
  readonly promises: Map<Member, Promised>;
  /** Two promises are not enough: one shows a tail that nobody signs, or somebody has to be taken in. */
  readonly wantAll: boolean;
  /** What those had promised who were asked for an epoch on the way. */
  readonly helpedFrom: Map<Member, number>;
  /** Who says that it hears the active one. */
  readonly hearActive: Set<Member>;
}

export interface Proposal {
  readonly index: number;
  readonly head: Uint8Array;
  readonly signature: Uint8Array;
  readonly tail: Tail;
  /** What a license server should sign, by this server's own execution. */
  readonly expected: Uint8Array;
  readonly certificate: Uint8Array;
  readonly votes: Map<Member, Signed>;
  readonly commands: readonly QueuedCommand[];
  readonly startedAt: number;
  sentAt: number;
}

export interface Proposer {
  readonly context: LedgerContext;
  readonly crypto: Crypto;
  readonly group: GroupDocument;
  readonly id: TmrServer;
  readonly key: SigningKey;
  readonly random: (bytes: number) => Uint8Array;
  readonly snapshotEveryEntries: number;
  /** Most commands that wait; renewals may be as many again. */
  readonly queuedCommands: number;
  /** Its version, for people. */
  readonly program: string;
  readonly replica: Replica;
  readonly recent: RecentEntries;
  role: Role;
  epoch: number;
  /** The highest for which a license server has shown a TMR server's PREPARE. */
  askedEpoch: number;
  /** By how much the first epoch of this process is higher than it had to be: it may have proposed in that one before. */
  epochStretch: number;
  /** Heads of open entries that were refused for their time, newest last: a log that ends there is no good base (PROTOCOL §4.3). */
  refusedHeads: readonly string[];
  readonly members: Record<Member, MemberLink>;
  /** Of the witness file, what nobody who is known yet has signed. At most six. */
  readonly unplaced: { readonly member: Member; readonly statement: Signed }[];
  attempt: Attempt | undefined;
  /** Promises that this epoch stands on; empty once another version of the configuration is in force. */
  justification: readonly Signed[];
  proposal: Proposal | undefined;
  /** Commands of an entry whose fate is open, found again if a takeover keeps the entry. */
  orphans: { entry: Uint8Array; commands: readonly QueuedCommand[] } | undefined;
  readonly queue: Record<Priority, QueuedCommand[]>;
  queuedAt: number | undefined;
  /** Whose time was over by then has been told. */
  toldUntilMs: number;
  /** Commands of the last entry: about as many will come again, so it is worth waiting for them a moment. */
  lastBatch: number;
  lastEntryAt: number;
  bytesSinceRoot: number;
  nextBeatAt: number;
  nextAboutAt: number;
  lastTickAt: number;
  /** Not before: random, so that two TMR servers don't duel. */
  nextAttemptAt: number;
  wantAll: boolean;
  /** A fresh epoch for one that re-joins, not before: one that doesn't answer must not cost epoch after epoch. */
  nextRejoinAt: number;
  /** Twice as long each time in a row. */
  rejoinPauseMs: number;
  /** Since when a license server is known to have promised a higher epoch than this one's. */
  overtakenSince: number | undefined;
  /** Renewals said more than an entry may: those that wait behind them come first next time. */
  othersFirst: boolean;
  /** A command that fills an entry of its own was passed over: it comes next. */
  largeWaits: boolean;
  /** Clients wait that can't reach the active one; until then. */
  stuckUntil: number;
  clients: number;
  holdsVirtualIp: boolean;
  /** Proposes nothing more: it resigns when the open entry is certified. */
  handsOver: boolean;
  /** `behind`: it said that it had more, so its answer needs no waiting. */
  following: { member: Member; from: number; at: number; behind: boolean } | undefined;
  /** Rate of certified commands, per ms; for the retry hint. */
  ratePerMs: number;
}

/** Whose next one can still be written down. */
export const HIGHEST_EPOCH = Number.MAX_SAFE_INTEGER - 4;

const MEMBERS: readonly Member[] = [1, 2, 3];

function newLink(): MemberLink {
  return {
    up: false,
    hearsAbout: false,
    status: undefined,
    statusAt: -Infinity,
    heardAt: -Infinity,
    logClock: 0,
    logClockAt: -Infinity,
    adopted: false,
    vote: undefined,
    votedEpoch: 0,
    votedIndex: 0,
    promise: undefined,
    promisedEpoch: 0,
    lacking: false,
    fedTo: 0,
    fedAt: -Infinity,
    donors: { from: 0, asked: [], times: 0 },
    gaveNone: false,
    about: undefined,
  };
}

export function newProposer(
  options: {
    readonly context: LedgerContext;
    readonly id: TmrServer;
    readonly key: SigningKey;
    readonly random: (bytes: number) => Uint8Array;
    readonly snapshotEveryEntries?: number;
    readonly queuedCommands?: number;
    /** Random, below half of LIMITS.epochJump, at each start of a process; 0: it has never run before. */
    readonly epochStretch?: number;
    /** What is kept in memory to feed those who lag. */
    readonly recentBytes?: number;
    /** The program's version; default: none is told. */
    readonly program?: string;
  },
  now: Now,
): Proposer {
  const { context, id, key, random } = options;
  return {
    ...{ context, id, key, random },
    snapshotEveryEntries: options.snapshotEveryEntries ?? LIMITS.snapshotEveryEntries,
    queuedCommands: options.queuedCommands ?? LIMITS.queuedCommands,
    crypto: context.crypto,
    group: context.group,
    program: options.program ?? '',
    replica: emptyReplica(context, { checkOutcomesEvery: LIMITS.followerChecksEvery }),
    recent: new RecentEntries(options.recentBytes ?? LIMITS.recentBytes),
    role: 'follower',
    epoch: 0,
    askedEpoch: 0,
    epochStretch: options.epochStretch ?? 0,
    refusedHeads: [],
    members: { 1: newLink(), 2: newLink(), 3: newLink() },
    unplaced: [],
    attempt: undefined,
    justification: [],
    proposal: undefined,
    orphans: undefined,
    queue: { renew: [], release: [], acquire: [], other: [] },
    queuedAt: undefined,
    toldUntilMs: now.monotonicMs,
    lastBatch: 0,
    lastEntryAt: -Infinity,
    bytesSinceRoot: 0,
    nextBeatAt: now.monotonicMs,
    nextAboutAt: now.monotonicMs,
    lastTickAt: now.monotonicMs,
    nextAttemptAt: now.monotonicMs + jitter(random),
    wantAll: false,
    nextRejoinAt: -Infinity,
    rejoinPauseMs: LIMITS.idleEntryMs,
    overtakenSince: undefined,
    othersFirst: false,
    largeWaits: false,
    stuckUntil: -Infinity,
    clients: 0,
    holdsVirtualIp: false,
    handsOver: false,
    following: undefined,
    ratePerMs: 1,
  };
}

export function jitter(random: (bytes: number) => Uint8Array): number {
  const [byte] = random(1) as unknown as [number];
  return LIMITS.retryPrepareMinMs + ((LIMITS.retryPrepareMaxMs - LIMITS.retryPrepareMinMs) * byte) / 255;
}

export function upMembers(proposer: Proposer): Member[] {
  return MEMBERS.filter((member) => proposer.members[member].up);
}

/** Up, and heard of within the takeover time. */
export function heardMembers(proposer: Proposer, now: Now): Member[] {
  return upMembers(proposer).filter(
    (member) => now.monotonicMs - proposer.members[member].heardAt < LIMITS.takeoverAfterMs,
  );
}

/** Enough license servers hear the other TMR server: it can take over. */
export function otherIsHeard(proposer: Proposer, now: Now): boolean {
  const other = proposer.id === 'A' ? 'B' : 'A';
  const hear = heardMembers(proposer, now).filter((member) => proposer.members[member].status?.heard.includes(other));
  return hear.length >= inForce(proposer.replica).threshold;
}

/** Heard, and voting as far as it says. */
export function ableMembers(proposer: Proposer, now: Now): Member[] {
  return heardMembers(proposer, now).filter((member) => proposer.members[member].status?.withholding === '');
}

/**
 * Highest epoch that any license server has promised, as far as is to be believed: one that is alone with what it says, and far
 * above the others, has to show the PREPARE (PROTOCOL §4.1).
 */
export function highestPromised(proposer: Proposer): number {
  const { members, replica } = proposer;
  const said = MEMBERS.map((member) => members[member].status?.promised ?? 0);
  const [first = 0, second = 0] = said.sort((a, b) => b - a);
  // It has asked for what was promised to it, perhaps before it was restarted.
  const own = Math.max(proposer.epoch, ...MEMBERS.map((member) => members[member].promisedEpoch));
  const known = Math.max(own, proposer.askedEpoch, replica.certified?.epoch ?? 0, second);
  return first <= known + 2 * LIMITS.epochJump ? Math.max(known, first) : known;
}

/**
 * PROTOCOL §4.10: the newest that all five servers know, each heard of by a link of now; never older than those of the log. Who has
 * not said is of a program that says nothing.
 */
export function rulesToGoBy({ context, members, replica }: Proposer): number {
  const known = inForce(replica).containers.map(({ member }) => (members[member].about ?? SILENT).rules);
  return Math.max(replica.ledger.rulesVersion, Math.min(newestRules(context), ...known));
}

export function toAll(proposer: Proposer, message: ToVoter): ProposerEffect[] {
  return upMembers(proposer).map((member) => ({ kind: 'send', member, message }));
}

export function queueLength(proposer: Proposer): number {
  const { renew, release, acquire, other } = proposer.queue;
  return renew.length + release.length + acquire.length + other.length;
}
