import {
  decodeToProposer,
  encodeEntry,
  encodeToProposer,
  headAfter,
  type Refusal,
  REFUSALS,
  OLDEST_RULES,
  RULES_VERSION,
  type Signed,
  type ToProposer,
} from '@trefoil/core';
import {
  ACCEPT_BYTES,
  concatBytes,
  decodeAccept,
  decodePromise,
  encodeAccept,
  encodeCommand,
  encodePromise,
  type Member,
  SESSION_ID_BYTES,
  SET_ID_BYTES,
} from '@trefoil/license';
import { EPOCH_UTC } from './machine.ts';
import type { LicenseServer } from './license-server.ts';
import { OTHER_RULES } from './lies.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

type Vote = Extract<ToProposer, { kind: 'vote' }>;
type Lie = (traitor: Traitor, message: ToProposer) => readonly ToProposer[];

/** A license server whose software was altered around a sound container: it signs what it is told to. One at most can be borne. */
export class Traitor {
  readonly world: World;
  readonly server: LicenseServer;
  readonly random: Random;
  readonly lies = new Set<string>();
  readonly votes: Vote[] = [];
  /** Epochs for which its promise was not of its log: with another failure, what was certified may be lost (PROTOCOL §11.5). */
  readonly denied: number[] = [];

  constructor(world: World, server: LicenseServer, random: Random) {
    this.world = world;
    this.server = server;
    this.random = random;
  }

  get member(): Member {
    return this.server.member;
  }

  tell(frame: Uint8Array): readonly Uint8Array[] {
    const set = frame.subarray(0, SET_ID_BYTES);
    let told: readonly ToProposer[] = [decodeToProposer(Uint8Array.from(frame.subarray(SET_ID_BYTES)))];
    for (const name of this.lies)
      if (this.random.chance(0.4)) told = told.flatMap((one) => TREASONS[name]?.(this, one) ?? [one]);
    return told.map((message) => concatBytes(set, encodeToProposer(message)));
  }

  sign(bytes: Uint8Array): Signed {
    const { member, generation } = this.server;
    return { bytes, signature: this.world.fixture.container(member, generation).sign(bytes) };
  }
}

export const TREASONS: Readonly<Record<string, Lie>> = {
  'other outcomes': (traitor, message) => (message.kind === 'vote' ? [otherVote(traitor, message)] : [message]),
  'two votes': (traitor, message) => (message.kind === 'vote' ? [otherVote(traitor, message), message] : [message]),
  'old votes': (traitor, message) => {
    if (message.kind !== 'vote') return [message];
    traitor.votes.push(message);
    return [message, traitor.random.pick(traitor.votes)];
  },
  'hides its last entry': (traitor, message) => {
    if (message.kind !== 'promise') return [message];
    const promise = decodePromise(message.promise.bytes);
    if (message.tail.length === 0 || promise.lastIndex === 0) return [message];
    const lastIndex = promise.lastIndex - 1;
    const lastHead = certifiedHead(message.certificate) ?? promise.lastHead;
    const signed = traitor.sign(encodePromise({ ...promise, lastIndex, lastHead }));
    traitor.world.evidence.promised(traitor.server, signed);
    traitor.denied.push(promise.epoch);
    return [{ ...message, promise: signed, tail: new Uint8Array(0) }];
  },
  'another log': (traitor, message) => {
    if (message.kind !== 'promise') return [message];
    const promise = decodePromise(message.promise.bytes);
    const signed = traitor.sign(encodePromise({ ...promise, lastHead: traitor.random.bytes(32) }));
    traitor.denied.push(promise.epoch);
    return [{ ...message, promise: signed }];
  },
  'invents its last entry': (traitor, message) => {
    if (message.kind !== 'promise') return [message];
    const { crypto } = traitor.world.fixture;
    const promise = decodePromise(message.promise.bytes);
    // On top of its log, or in the place of its last, uncertified entry; or far from there.
    const above = message.tail.length === 0;
    const previousHead = above ? promise.lastHead : certifiedHead(message.certificate);
    if (previousHead === undefined) return [message];
    const tail = inventedEntry(traitor, promise.lastIndex + (above ? 1 : 0));
    const lastIndex = promise.lastIndex + (above ? 1 : 0) + traitor.random.pick([0, 0, 0, 1, 1_000_000]);
    const log = { logEpoch: traitor.random.pick([promise.logEpoch, promise.epoch - 1]), lastIndex };
    const lastHead = headAfter(crypto, previousHead, tail);
    const signed = traitor.sign(encodePromise({ ...promise, ...log, lastHead }));
    traitor.denied.push(promise.epoch);
    traitor.world.count('an entry invented');
    return [{ ...message, promise: signed, tail }];
  },
  'another status': (traitor, message) =>
    message.kind === 'status'
      ? [
          {
            ...message,
            certifiedIndex: message.certifiedIndex + traitor.random.pick([-2, -1, 1, 2, 1_000_000]),
            lastIndex: message.lastIndex + traitor.random.below(5),
            logClock: message.logClock + traitor.random.pick([-5_000, 5_000, 86_400_000]),
            wallMs: message.wallMs + traitor.random.pick([-1, 1]) * 86_400_000,
            ownerSilentMs: traitor.random.pick([0, 10_000]),
            promised: traitor.random.pick([message.promised, 0, 1_000, 1_000_000, Number.MAX_SAFE_INTEGER]),
            logEpoch: traitor.random.pick([0, message.logEpoch, Number.MAX_SAFE_INTEGER]),
          },
        ].map((status) => ({
          ...status,
          certifiedIndex: Math.max(0, status.certifiedIndex),
          logClock: Math.max(0, status.logClock),
        }))
      : [message],
  'a far epoch': ({ random }, message) => {
    if (message.kind !== 'status') return [message];
    return [
      { ...message, promised: Math.min(Number.MAX_SAFE_INTEGER, message.promised + random.pick([1e6, 1e9, 1e16])) },
    ];
  },
  'no votes': (_traitor, message) => (message.kind === 'vote' ? [] : [message]),
  'refuses for no reason': (traitor, message) => {
    const refused = (what: 'prepare' | 'propose', epoch: number, reason: Refusal): ToProposer[] => [
      { kind: 'refused', what, epoch, reason },
      ...(traitor.random.chance(0.5) ? [message] : []),
    ];
    if (message.kind === 'vote')
      return refused('propose', decodeAccept(message.vote.bytes).epoch, traitor.random.pick(REFUSALS));
    if (message.kind !== 'promise') return [message];
    const epoch = traitor.random.pick([0, decodePromise(message.promise.bytes).epoch, 1_000_000]);
    return refused('prepare', epoch, traitor.random.pick(['active-lives', ...REFUSALS]));
  },
  'feeds nothing, or what is false': (traitor, message) => {
    if (message.kind === 'snapshot')
      return traitor.random.pick([[], [{ ...message, bytes: bent(traitor, message.bytes) }]]);
    if (message.kind !== 'entries') return [message];
    const entries = message.entries.map((entry) => (traitor.random.chance(0.5) ? bent(traitor, entry) : entry));
    return traitor.random.pick([[], [{ ...message, entries }], [{ ...message, entries: entries.slice(1) }]]);
  },
  'says what nobody asked': (traitor, message) => {
    if (message.kind !== 'status') return [message];
    const { random, world } = traitor;
    const signed = { bytes: random.bytes(100), signature: random.bytes(64) };
    const from = 1 + world.checks.newestCertified - random.below(5);
    const entries = [random.bytes(80), random.bytes(80)];
    const unasked: readonly ToProposer[] = [
      { kind: 'entries', from: Math.max(1, from), entries, certificate: random.bytes(300) },
      { kind: 'snapshot', bytes: random.bytes(500) },
      { kind: 'superseded', prepare: signed },
      { kind: 'asked', prepare: signed },
      { kind: 'handOver', prepare: signed },
      { kind: 'about', rules: 77, program: 'mine', tmrPrograms: ['', ''], alarms: [] },
    ];
    return [message, random.pick(unasked)];
  },
};

/** Of use only while somebody asks for an epoch. */
export const ABOUT_EPOCHS: readonly string[] = [
  'hides its last entry',
  'another log',
  'invents its last entry',
  'a far epoch',
];

/** Some can't be read, some not be executed, and some could be, but for their time. */
function inventedEntry({ world, random }: Traitor, index: number): Uint8Array {
  const { fixture, checks, agenda } = world;
  const numbered = { session: random.bytes(SESSION_ID_BYTES), requestId: 1, lowestUnanswered: 1 };
  const closes = encodeCommand({ kind: 'close', ...numbered, secret: random.bytes(32) });
  const rulesVersion = random.pick([OLDEST_RULES, RULES_VERSION, RULES_VERSION, 77]);
  // Where all know them, nobody has a reason to refuse what is invented under them.
  if (rulesVersion !== OLDEST_RULES && world.programs.isOldGroup) world.count(OTHER_RULES);
  const entry = {
    ...{ set: fixture.configuration.set, index: index + random.pick([0, 0, 0, 1, -1]) },
    logTime: Math.max(0, checks.newestLogTime + random.pick([-5_000, 0, 100, 3_600_000])),
    utc: Math.max(0, EPOCH_UTC + Math.floor(agenda.now) + random.pick([-86_400_000, 0, 3_600_000, 30 * 86_400_000])),
    rulesVersion,
    ledgerRoot: random.chance(0.3) ? random.bytes(32) : undefined,
    commands: random.pick([[], [closes], [random.bytes(40)]]),
  };
  return random.chance(0.2) ? random.bytes(50) : encodeEntry(entry);
}

function otherVote(traitor: Traitor, message: Vote): Vote {
  const accept = decodeAccept(message.vote.bytes);
  const vote = traitor.sign(encodeAccept({ ...accept, outcomesRoot: traitor.random.bytes(32) }));
  traitor.world.evidence.voted(traitor.server, vote);
  return { ...message, vote };
}

function bent({ random }: Traitor, bytes: Uint8Array): Uint8Array {
  const other = Uint8Array.from(bytes);
  const at = random.below(Math.max(1, other.length));
  other[at] = (other[at] ?? 0) ^ (1 << random.below(8));
  return other;
}

function certifiedHead(certificate: Uint8Array): Uint8Array | undefined {
  return certificate.length === 0 ? undefined : decodeAccept(certificate.subarray(0, ACCEPT_BYTES)).head;
}
