import {
  decodeEntry,
  encodeEntry,
  type Entry,
  headAfter,
  LIMITS,
  OLDEST_RULES,
  RULES_VERSION,
  type Signed,
  type ToProposer,
  type ToVoter,
} from '@trefoil/core';
import { CALL_HEADER_BYTES, decodeCallFrame, encodeSubmitCall, fromBinary, SubmitRequestSchema } from '@trefoil/api';
import type { FrameConnection } from '@trefoil/link';
import {
  concatBytes,
  decodeCommand,
  decodePromise,
  encodeCommand,
  encodePrepare,
  encodePropose,
  epochCounter,
  epochOf,
  type Member,
  NONCE_BYTES,
  type TmrServer as Id,
} from '@trefoil/license';
import { forged } from './forgery.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

type Propose = Extract<ToVoter, { kind: 'propose' }>;

/** What a lie makes of a message to a license server: others, several, none. */
type Lie = (liar: Liar, message: ToVoter, member: Member) => readonly ToVoter[];

/**
 * A TMR server whose owner has altered it: the shipped server, and in between somebody who changes what it says. Its key signs
 * whatever he likes; he has no other key. He may know all that ever came in.
 */
export class Liar {
  readonly world: World;
  readonly id: Id;
  readonly random: Random;
  readonly lies = new Set<string>();
  readonly promises: Signed[] = [];
  readonly rejoins: Signed[] = [];
  readonly shown: Signed[] = [];
  /** Where the one place is at which it tells another entry. */
  forkAt: number | undefined;
  onceForked: () => void = () => undefined;
  #told: { place: string; propose: Propose } | undefined;
  /** Of what is under way when it begins to lie, the truth may have been told already. */
  #liesFrom: number | undefined;

  constructor(world: World, id: Id, random: Random) {
    this.world = world;
    this.id = id;
    this.random = random;
  }

  /** The last epoch that it led under the configuration before. */
  before: Pick<Propose, 'epoch' | 'configVersion' | 'justification'> | undefined;

  begin(lie: string): void {
    const { lastIndex = 0 } = this.world.tmrServers[this.id].runtime?.proposer.replica ?? {};
    this.#liesFrom ??= lastIndex + 1;
    this.forkAt = undefined;
    this.lies.add(lie);
  }

  get hasLied(): boolean {
    return this.#liesFrom !== undefined;
  }

  tell(message: ToVoter, member: Member): readonly ToVoter[] {
    if (message.kind === 'beat' && this.lies.has(REQUESTS_OF_OTHERS) && this.random.chance(0.3)) this.#ask();
    const told = this.#asItWishes(message, member);
    for (const one of told) if (one.kind === 'propose') this.world.evidence.proposed(one);
    return told;
  }

  /** As if clients had asked it; so its own, honest part goes along. */
  #ask(): void {
    const { runtime } = this.world.tmrServers[this.id];
    for (const bytes of forged(this.world, this.id, this.random))
      runtime?.submit({ bytes, priority: 'renew', patienceMs: 1_000, stuck: false }, () => undefined);
  }

  #asItWishes(message: ToVoter, member: Member): readonly ToVoter[] {
    if (this.world.burden === 'a server lies') return this.#lie(message, member);
    // Two logs of one epoch need the third server, which may have forgotten its own: one entry at one place, whatever it is.
    if (message.kind === 'propose' && message.index < (this.#liesFrom ?? 0)) return [message];
    return this.#lie(message, member).map((one) => (one.kind === 'propose' ? this.#asToldFirst(one) : one));
  }

  #asToldFirst(propose: Propose): Propose {
    const place = `${propose.epoch}/${propose.index}`;
    if (this.#told?.place !== place) this.#told = { place, propose };
    return { ...propose, ...pick(this.#told.propose) };
  }

  #lie(message: ToVoter, member: Member): readonly ToVoter[] {
    let told: readonly ToVoter[] = [message];
    for (const name of this.lies) {
      if (!PLANS.includes(name) && !this.random.chance(0.5)) continue;
      told = told.flatMap((one) => LIES[name]?.(this, one, member) ?? [one]);
    }
    return told;
  }

  /** Everything that comes in may be of use later. */
  hears(message: ToProposer): ToProposer {
    if (message.kind === 'promise') this.remember(this.promises, message.promise);
    if (message.kind === 'promise') this.remember(this.shown, message.promise);
    if (message.kind === 'vote' && this.random.chance(0.1)) this.remember(this.shown, message.vote);
    if (message.kind === 'status' && this.random.chance(0.1))
      for (const rejoin of message.rejoins) this.remember(this.rejoins, rejoin);
    return this.#asHeard(message);
  }

  remember(list: Signed[], signed: Signed): void {
    list.push({ bytes: Uint8Array.from(signed.bytes), signature: Uint8Array.from(signed.signature) });
    if (list.length > 40) list.splice(this.random.below(list.length), 1);
  }

  /** One lie for all who hear it: what two of them sign is certified. */
  withSameEntry(propose: Propose, change: (entry: Entry) => Partial<Entry>): Propose {
    const isNew = this.#told?.place !== `${propose.epoch}/${propose.index}`;
    return this.#asToldFirst(isNew ? this.withEntry(propose, change) : propose);
  }

  /** The same proposal with another entry in it, properly hashed and signed. */
  withEntry(propose: Propose, change: (entry: Entry) => Partial<Entry>): Propose {
    const { crypto } = this.world.fixture;
    const tail = this.world.tmrServers[this.id].runtime?.proposer.replica.tail;
    if (tail === undefined || tail.entry.index !== propose.index) return propose;
    const before = decodeEntry(propose.entry);
    const entry = encodeEntry({ ...before, ...change(before) });
    const head = headAfter(crypto, tail.previousHead, entry);
    return this.signed({ ...propose, entry, head });
  }

  signed(propose: Propose): Propose {
    const { set, tmrKeys } = this.world.fixture;
    return { ...propose, signature: tmrKeys[this.id].sign(encodePropose({ set, ...propose })) };
  }

  /** What its own, honest part is told: so it proposes, and stands by, what another time brings about. */
  #asHeard(message: ToProposer): ToProposer {
    if (message.kind !== 'status' && message.kind !== 'vote') return message;
    const { lies, random } = this;
    if (lies.has(HOLDS_TIME_BACK) && this.holdsBack) return { ...message, logClock: 0 };
    if (!lies.has(HURRIES)) return message;
    return { ...message, logClock: message.logClock + random.below(LIMITS.clockSlackMs) };
  }

  get holdsBack(): boolean {
    return this.world.agenda.now % HELD_BACK_AND_LET_GO_MS < HELD_BACK_MS;
  }

  /** Bytes that are no message any more, or another one. */
  bent(frame: Uint8Array): Uint8Array {
    if (!this.lies.has(BENT_FRAMES) || !this.random.chance(0.05)) return frame;
    const bent = withABitFlipped(frame, this.random);
    return this.random.chance(0.3) ? bent.subarray(0, this.random.below(bent.length)) : bent;
  }

  /** What clients hear and are heard, where the lie is in that. */
  between(connection: FrameConnection): FrameConnection {
    let before: Uint8Array | undefined;
    const send = (frame: Uint8Array): void => {
      const { random, lies } = this;
      if (lies.has(NO_ANSWERS) && random.chance(0.5)) return;
      const header = frame.subarray(0, CALL_HEADER_BYTES);
      const swapped = before !== undefined && lies.has(SWAPPED_ANSWERS) && random.chance(0.3) ? before : frame;
      before = frame;
      connection.send(this.bent(concatBytes(header, swapped.subarray(CALL_HEADER_BYTES))));
    };
    const onFrame = (handler: (frame: Uint8Array) => void): void =>
      connection.onFrame((frame) => handler(this.lies.has(SWAPPED_SECRETS) ? this.#withOwnSecret(frame) : frame));
    return {
      ...{
        peer: connection.peer,
        protocol: connection.protocol,
        bufferedBytes: 0,
        closed: connection.closed,
        send,
        onFrame,
      },
      pauseReading: () => connection.pauseReading(),
      resumeReading: () => connection.resumeReading(),
      onClose: (handler) => connection.onClose(handler),
      close: () => connection.close(),
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    };
  }

  /** So that it could give the seat back itself, and sell it twice. */
  #withOwnSecret(frame: Uint8Array): Uint8Array {
    const call = decodeCallFrame(frame);
    if (call?.method !== 'submit' || call.kind !== 'request') return frame;
    const request = fromBinary(SubmitRequestSchema, call.body);
    const command = decodeCommand(request.command);
    if (command.kind !== 'acquire') return frame;
    const { crypto } = this.world.fixture;
    this.world.history.inNameOfOthers(command);
    const bytes = encodeCommand({ ...command, releaseHash: crypto.sha256(crypto.sha256(command.releaseHash)) });
    return encodeSubmitCall(call.call, { ...request, command: bytes });
  }

  prepare(epoch: number): ToVoter {
    const { set, tmrKeys } = this.world.fixture;
    const configVersion = this.world.tmrServers[this.id].runtime?.configuration.version ?? 1;
    const nonce = this.random.bytes(NONCE_BYTES);
    const bytes = encodePrepare({ set, configVersion, epoch, clientsWait: true, nonce });
    return { kind: 'prepare', prepare: { bytes, signature: tmrKeys[this.id].sign(bytes) } };
  }
}

/** Counted: who refuses an entry for its rules is right then. */
export const OTHER_RULES = 'a liar has an entry under other rules';

export const OTHER_UTC = 'utc of another time';
const HOURS_MS = 6 * 3_600_000;
const YEAR_MS = 365 * 86_400_000;

/** A plan: one of three is told another entry, nobody gets the certificate, and soon it will be gone. */
export const FORKS_AND_GOES = 'another entry to one, then gone';

/** A plan: beside a wrong clock, log time stands still with the one, then jumps with the other, which knew of nothing. */
export const HOLDS_TIME_BACK = 'time held back beside a wrong clock, then let go';
const HELD_BACK_MS = 1_000;
const HELD_BACK_AND_LET_GO_MS = 1_300;

/** Half of a plan is none. */
const PLANS = [FORKS_AND_GOES, HOLDS_TIME_BACK];

const BENT_FRAMES = 'bent frames';
const HURRIES = 'log time as fast as is allowed';
const NO_ANSWERS = 'clients hear nothing';
const SWAPPED_ANSWERS = 'clients hear the answers of others';
const REQUESTS_OF_OTHERS = 'requests in the name of others';
const SWAPPED_SECRETS = 'its own secret in the requests of others';

/** Lies that are not about one message to a license server. */
const ELSEWHERE = [HURRIES, BENT_FRAMES, NO_ANSWERS, SWAPPED_ANSWERS, SWAPPED_SECRETS, REQUESTS_OF_OTHERS];

/** By name; each is one way to gain a seat, to lose one, or to bring the group to a halt. */
const LIES: Readonly<Record<string, Lie>> = {
  'two entries at one place': (liar, message, member) =>
    message.kind === 'propose' && member === 1 + (message.index % 3)
      ? [liar.withEntry(message, (entry) => ({ ...laterBy(entry, 1), commands: entry.commands.slice(1) }))]
      : [message],
  [FORKS_AND_GOES]: (liar, message, member) => {
    if (message.kind === 'certified' || message.kind === 'entries') return [];
    if (message.kind !== 'propose') return [message];
    if (liar.forkAt === undefined) {
      liar.forkAt = message.index;
      liar.onceForked();
    }
    if (message.index > liar.forkAt) return []; // it would carry the certificate
    if (message.index < liar.forkAt || member !== 1 + (message.index % 3)) return [message];
    return [liar.withEntry(message, (entry) => ({ ...laterBy(entry, 1), commands: entry.commands.slice(1) }))];
  },
  'both entries to everybody': (liar, message) =>
    message.kind === 'propose'
      ? [liar.withEntry(message, ({ commands }) => ({ commands: commands.toReversed() })), message]
      : [message],
  'log time too fast': (liar, message) =>
    message.kind === 'propose'
      ? [liar.withSameEntry(message, (entry) => laterBy(entry, liar.random.pick([200, 3_000, 86_400_000])))]
      : [message],
  [HOLDS_TIME_BACK]: (liar, message, member) => {
    const { wild } = liar.world;
    if (wild === undefined || !['propose', 'certified', 'entries'].includes(message.kind)) return [message];
    const [first, last] = wild === 1 ? [2, 3] : [1, wild === 2 ? 3 : 2];
    return member === (liar.holdsBack ? last : first) ? [] : [message];
  },
  [OTHER_UTC]: (liar, message) =>
    message.kind === 'propose'
      ? [
          liar.withSameEntry(message, ({ utc }) => ({
            utc: utc + liar.random.pick([-YEAR_MS, -1_000, HOURS_MS, HOURS_MS, YEAR_MS]),
          })),
        ]
      : [message],
  'forged commands': (liar, message) =>
    message.kind === 'propose'
      ? [
          liar.withSameEntry(message, ({ commands }) => ({
            commands: [...commands, ...forged(liar.world, liar.id, liar.random)],
          })),
        ]
      : [message],
  'rules that not all know': (liar, message) => {
    if (message.kind === 'about')
      return [{ ...message, rules: liar.random.pick([OLDEST_RULES - 1, RULES_VERSION, 77]) }];
    if (message.kind !== 'propose') return [message];
    liar.world.count(OTHER_RULES);
    const rulesVersion = liar.random.pick([
      OLDEST_RULES - 1,
      OLDEST_RULES,
      RULES_VERSION,
      RULES_VERSION,
      RULES_VERSION + 1,
    ]);
    return [liar.withSameEntry(message, () => ({ rulesVersion }))];
  },
  'no justification': (_liar, message) =>
    message.kind === 'propose' ? [{ ...message, justification: message.justification.slice(0, 1) }] : [message],
  'one promise shown twice': (_liar, message) =>
    message.kind === 'propose' && message.justification[0] !== undefined
      ? [{ ...message, justification: [message.justification[0], message.justification[0]] }]
      : [message],
  'old promises': (liar, message) => {
    if (message.kind !== 'propose' || liar.promises.length < 2) return [message];
    // Those for this epoch may be of different starts.
    const ofThisEpoch = liar.promises.filter(({ bytes }) => decodePromise(bytes).epoch === message.epoch);
    const some = ofThisEpoch.length > 1 && liar.random.chance(0.7) ? ofThisEpoch : liar.promises;
    return [{ ...message, justification: [liar.random.pick(some), liar.random.pick(some)] }];
  },
  'the base of the shorter log': (liar, message) =>
    message.kind === 'propose' && message.justification.length > 0
      ? [
          {
            ...message,
            justification: message.justification.toSorted(
              (a, b) => decodePromise(a.bytes).lastIndex - decodePromise(b.bytes).lastIndex,
            ),
            ...pick(liar.withEntry(message, () => ({ commands: [] }))),
          },
        ]
      : [message],
  'certificates withheld': (_liar, message) => {
    if (message.kind === 'certified' || message.kind === 'entries') return [];
    return message.kind === 'propose' ? [{ ...message, certificate: new Uint8Array(0) }] : [message];
  },
  'another past': (liar, message) => {
    if (message.kind === 'snapshot') return [{ ...message, bytes: withABitFlipped(message.bytes, liar.random) }];
    if (message.kind !== 'entries' || message.entries.length === 0) return [message];
    const at = liar.random.below(message.entries.length);
    const other = encodeEntry({ ...decodeEntry(message.entries[at] as Uint8Array), commands: [] });
    return [{ ...message, entries: message.entries.with(at, other) }];
  },
  'a configuration that has ended': (liar, message) => {
    if (message.kind !== 'propose') return [message];
    const { epoch, configVersion, justification } = message;
    const { before } = liar;
    if (before === undefined || before.configVersion >= configVersion) {
      liar.before = { epoch, configVersion, justification };
      return [message];
    }
    return [liar.signed({ ...message, ...before }), message];
  },
  'epochs used up': (liar, message) => {
    if (message.kind !== 'beat' || !liar.random.chance(0.1)) return [message];
    const jump = liar.random.pick([2, 1_000, LIMITS.epochJump, 2 ** 40]);
    return [message, liar.prepare(epochOf(epochCounter(message.epoch) + jump, liar.id))];
  },
  'beats without leading': (liar, message) =>
    message.kind === 'beat'
      ? [{ ...message, epoch: message.epoch ^ liar.random.below(2), heard: 7, clients: 1_000 }]
      : [message],
  'old statements shown': (liar, message) => {
    if (message.kind !== 'beat') return [message];
    const vote = liar.shown.length > 0 ? [{ kind: 'shown', vote: liar.random.pick(liar.shown) } as const] : [];
    if (liar.rejoins.length === 0) return [message, ...vote];
    const member = liar.random.pick([1, 2, 3] as const);
    return [message, ...vote, { kind: 'rejoin', member, rejoin: liar.random.pick(liar.rejoins) }];
  },
  'messages swallowed': (liar, message) => (liar.random.chance(0.3) ? [] : [message]),
};

function withABitFlipped(bytes: Uint8Array, random: Random): Uint8Array {
  const bent = Uint8Array.from(bytes);
  const at = random.below(bent.length);
  bent[at] = (bent[at] ?? 0) ^ (1 << random.below(8));
  return bent;
}

/** Nobody may leave UTC behind log time: that would be noticed first (PROTOCOL §6.3). */
function laterBy({ logTime, utc }: Entry, ms: number): Pick<Entry, 'logTime' | 'utc'> {
  return { logTime: logTime + ms, utc: utc + ms };
}

function pick({ entry, head, signature }: Propose): Pick<Propose, 'entry' | 'head' | 'signature'> {
  return { entry, head, signature };
}

/** Leaves two logs in one epoch: then all three license servers are needed (PROTOCOL §4.3). */
const EQUIVOCATIONS = [FORKS_AND_GOES, 'two entries at one place', 'both entries to everybody'];

export function lieNames(mayEquivocate: boolean): string[] {
  const all = [...Object.keys(LIES), ...ELSEWHERE];
  return mayEquivocate ? all : all.filter((name) => !EQUIVOCATIONS.includes(name));
}
