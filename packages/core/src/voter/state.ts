import {
  type Crypto,
  type GroupDocument,
  INCARNATION_BYTES,
  type Member,
  type TmrServer,
  type Accept,
} from '@trefoil/license';
import { type ProgramInfo, SILENT } from '../about.ts';
import type { LedgerContext } from '../ledger/state.ts';
import { LIMITS } from '../limits.ts';
import { type LogClock, startLogClock } from '../log-clock.ts';
import type { Refusal, ToProposer, ToVoter } from '../messages.ts';
import type { Signed } from '../signed.ts';
import { RecentEntries } from '../recent-entries.ts';
import type { LogRecord } from '../records.ts';
import { emptyReplica, type Replica } from '../replica.ts';
import { isMember, NOT_YET } from './membership.ts';

/** Both clocks at the moment of an event, ms. The core never reads one itself. */
export interface Now {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export type VoterEvent =
  /** `hearsAbout`: by a link whose other end knows what ABOUT is (PROTOCOL §4.10). */
  | { readonly kind: 'linkUp'; readonly from: TmrServer; readonly hearsAbout: boolean }
  | { readonly kind: 'linkDown'; readonly from: TmrServer }
  | { readonly kind: 'message'; readonly from: TmrServer; readonly message: ToVoter }
  /** The records of the persist effect with this ticket are durable. */
  | { readonly kind: 'persisted'; readonly ticket: number }
  | { readonly kind: 'signed'; readonly ticket: number; readonly signature: Uint8Array }
  /** The snapshot of the writeSnapshot effect is durable. */
  | { readonly kind: 'snapshotWritten'; readonly index: number }
  /** What this server alarms by itself, all of it. */
  | { readonly kind: 'alarms'; readonly alarms: readonly string[] }
  | { readonly kind: 'tick' };

/** To be carried out in order. */
export type VoterEffect =
  /** Append and make durable; answer with `persisted`. */
  | { readonly kind: 'persist'; readonly ticket: number; readonly records: readonly LogRecord[] }
  /** Append; durable at the latest with the next persist. */
  | { readonly kind: 'note'; readonly records: readonly LogRecord[] }
  /** Sign inside the container; answer with `signed`. `mark` raises the container's watermark first. */
  | {
      readonly kind: 'sign';
      readonly ticket: number;
      readonly statement: Uint8Array;
      readonly mark: { readonly epoch: number; readonly index: number } | undefined;
    }
  | { readonly kind: 'send'; readonly to: TmrServer; readonly message: ToProposer }
  /** Make it durable, its parts one after the other, whole or not at all; answer with `snapshotWritten`. The log goes on meanwhile. */
  | { readonly kind: 'writeSnapshot'; readonly index: number; readonly parts: readonly Uint8Array[] }
  /** Begin a new log file with these records; when they are durable, drop the older files and snapshots. */
  | { readonly kind: 'rotate'; readonly snapshotIndex: number; readonly records: readonly LogRecord[] }
  /** Draw 128 random bits and call `startRejoin`. */
  | { readonly kind: 'needIncarnation'; readonly why: string }
  | { readonly kind: 'alarm'; readonly alarm: string; readonly detail: string }
  /** A state that must not be: stop the process. */
  | { readonly kind: 'stop'; readonly reason: string };

/** What is being made durable and signed. One at a time, so that the order of PROTOCOL §3.3 holds by construction. */
export interface Pending {
  readonly ticket: number;
  readonly what: 'vote' | 'promise' | 'rejoin';
  readonly statement: Uint8Array;
  readonly to: TmrServer | undefined;
}

export interface Peer {
  up: boolean;
  heardAt: number;
  /** From its beat: which license servers it hears (bit m − 1), and how many clients it has. */
  heard: number;
  clients: number;
  /** Its last beat, whether it leads or not. */
  beatAt: number;
  holdsVirtualIp: boolean;
  /** A fetch that waits for this index to be certified. */
  waitingFetch: number | undefined;
  hearsAbout: boolean;
  about: ProgramInfo;
}

export interface Rejoining {
  readonly incarnation: Uint8Array;
  readonly startedAt: number;
  /** One for each incarnation by which a peer knew it, newest last. */
  signed: readonly Signed[];
  /** When each TMR server asked last. */
  readonly askedAt: Record<TmrServer, number>;
}

/** A license server's whole state. Durable part: what `records` say. */
export interface Voter {
  readonly context: LedgerContext;
  readonly crypto: Crypto;
  readonly group: GroupDocument;
  readonly member: Member;
  /** Of its container: whether it is this one that has a vote, the configuration says. */
  readonly serial: Uint8Array;
  replica: Replica;
  readonly recent: RecentEntries;
  clock: LogClock;
  /** promised ≥ logEpoch. Nothing of a lower epoch is ever signed again. */
  promised: number;
  /** Of the version in force; 0 = nothing was signed or certified under it yet (PROTOCOL §4.9). */
  logEpoch: number;
  storedPromise: { promise: Uint8Array; signature: Uint8Array | undefined; prepare: Signed } | undefined;
  /** The last signed vote: the answer to a repeated PROPOSE. Its signature is made again after a restart. */
  signedHigh: { statement: Uint8Array; accept: Accept; signature: Uint8Array | undefined } | undefined;
  readonly incarnations: [Uint8Array, Uint8Array, Uint8Array];
  /** Of this start; shown to the peers for ever, so that one who missed it learns of it (PROTOCOL §7.3). */
  rejoin: Rejoining | undefined;
  /** Why it neither votes nor promises; '' = it does. */
  withholding: string;
  /** Votes although its peers have not both taken it in: a copied-back store would not have been noticed. */
  unanchored: boolean;
  /** Two certificates contradict each other: no re-join ends this. */
  frozen: boolean;
  pending: Pending | undefined;
  ticket: number;
  readonly deferred: { from: TmrServer; message: ToVoter }[];
  readonly peers: Record<TmrServer, Peer>;
  lastCertificateAt: number;
  /** PROTOCOL §4.6: since when a PREPARE is held back, and until when that isn't done again. */
  reluctance: { since: number | undefined; askedAt: number; notBefore: number; pauseMs: number };
  /** Records of the ledger before a root entry, until that entry is certified. */
  pendingSnapshot:
    | {
        index: number;
        head: Uint8Array;
        entry: Uint8Array;
        configurations: Uint8Array;
        records: readonly Uint8Array[];
      }
    | undefined;
  /** The newest; what its parts are one after the other. */
  snapshot: { index: number; parts: readonly Uint8Array[] } | undefined;
  /** Its version, for people. */
  readonly program: string;
  alarms: readonly string[];
  /** A snapshot taken over from a peer is not durable yet: what is appended now would stand behind a gap. */
  installing: boolean;
  nextStatusAt: number;
  nextAboutAt: number;
  lastTickAt: number;
}

export interface VoterOptions {
  /** What is kept in memory to feed those who lag. */
  readonly recentBytes?: number | undefined;
  /** Of its container; that of the set's first configuration, unless it comes in another's place. */
  readonly serial?: Uint8Array | undefined;
  /** The program's version; default: none is told. */
  readonly program?: string | undefined;
}

export function newVoter(
  context: LedgerContext,
  member: Member,
  now: Now,
  { recentBytes = LIMITS.logBytesInMemory, serial = firstSerial(context, member), program = '' }: VoterOptions = {},
): Voter {
  const peer = (): Peer => ({
    ...{ up: false, heardAt: -Infinity, heard: 0, clients: 0 },
    ...{ beatAt: -Infinity, holdsVirtualIp: false, waitingFetch: undefined, hearsAbout: false, about: SILENT },
  });
  const nobody = (): Uint8Array => new Uint8Array(INCARNATION_BYTES);
  const replica = emptyReplica(context, { makesSnapshots: true });
  return {
    context,
    crypto: context.crypto,
    group: context.group,
    member,
    serial,
    replica,
    recent: new RecentEntries(recentBytes),
    clock: startLogClock(0, now.monotonicMs),
    promised: 0,
    logEpoch: 0,
    storedPromise: undefined,
    signedHigh: undefined,
    incarnations: [nobody(), nobody(), nobody()],
    rejoin: undefined,
    withholding: isMember(replica, { member, serial }) ? '' : NOT_YET,
    unanchored: false,
    frozen: false,
    pending: undefined,
    ticket: 0,
    deferred: [],
    peers: { A: peer(), B: peer() },
    lastCertificateAt: -Infinity,
    reluctance: { since: undefined, askedAt: -Infinity, notBefore: -Infinity, pauseMs: LIMITS.reluctanceMinMs },
    pendingSnapshot: undefined,
    snapshot: undefined,
    program,
    alarms: [],
    installing: false,
    nextStatusAt: now.monotonicMs,
    nextAboutAt: now.monotonicMs,
    lastTickAt: now.monotonicMs,
  };
}

function firstSerial({ configuration }: LedgerContext, member: Member): Uint8Array {
  return configuration.containers.find((one) => one.member === member)?.serial ?? new Uint8Array(0);
}

/** Neither votes nor promises, but takes the way back in: a vote in an epoch that both peers promised to its new incarnation. */
export function isRejoining(voter: Voter): boolean {
  return voter.rejoin !== undefined && voter.withholding !== '' && !voter.frozen;
}

export function refuse(to: TmrServer, what: 'prepare' | 'propose', epoch: number, reason: Refusal): VoterEffect {
  return { kind: 'send', to, message: { kind: 'refused', what, epoch, reason } };
}
