import { decodeToProposer, encodeToProposer, type Signed, type ToProposer } from '@trefoil/core';
import {
  ACCEPT_BYTES,
  concatBytes,
  decodeAccept,
  decodePromise,
  encodeAccept,
  encodePromise,
  type Member,
  SET_ID_BYTES,
} from '@trefoil/license';
import type { Random } from './random.ts';
import type { World } from './world.ts';

type Vote = Extract<ToProposer, { kind: 'vote' }>;
type Lie = (traitor: Traitor, message: ToProposer) => readonly ToProposer[];

/** A license server whose software was altered around a sound container: it signs what it is told to. One at most can be borne. */
export class Traitor {
  readonly world: World;
  readonly member: Member;
  readonly random: Random;
  readonly lies = new Set<string>();
  readonly votes: Vote[] = [];
  /** Epochs for which its promise was not of its log: with another failure, what was certified may be lost (PROTOCOL §11.5). */
  readonly denied: number[] = [];

  constructor(world: World, member: Member, random: Random) {
    this.world = world;
    this.member = member;
    this.random = random;
  }

  tell(frame: Uint8Array): readonly Uint8Array[] {
    const set = frame.subarray(0, SET_ID_BYTES);
    let told: readonly ToProposer[] = [decodeToProposer(Uint8Array.from(frame.subarray(SET_ID_BYTES)))];
    for (const name of this.lies)
      if (this.random.chance(0.4)) told = told.flatMap((one) => TREASONS[name]?.(this, one) ?? [one]);
    return told.map((message) => concatBytes(set, encodeToProposer(message)));
  }

  sign(bytes: Uint8Array): Signed {
    const key = this.world.fixture.containers[this.member - 1];
    if (key === undefined) throw new Error('no such container');
    return { bytes, signature: key.sign(bytes) };
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
    traitor.world.evidence.promised(traitor.member, signed);
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
  'another status': (traitor, message) =>
    message.kind === 'status'
      ? [
          {
            ...message,
            certifiedIndex: message.certifiedIndex + traitor.random.below(5) - 2,
            lastIndex: message.lastIndex + traitor.random.below(5),
            logClock: message.logClock + traitor.random.pick([-5_000, 5_000, 86_400_000]),
            wallMs: message.wallMs + traitor.random.pick([-1, 1]) * 86_400_000,
            ownerSilentMs: traitor.random.pick([0, 10_000]),
          },
        ].map((status) => ({
          ...status,
          certifiedIndex: Math.max(0, status.certifiedIndex),
          logClock: Math.max(0, status.logClock),
        }))
      : [message],
  'no votes': (_traitor, message) => (message.kind === 'vote' ? [] : [message]),
};

function otherVote(traitor: Traitor, message: Vote): Vote {
  const accept = decodeAccept(message.vote.bytes);
  const vote = traitor.sign(encodeAccept({ ...accept, outcomesRoot: traitor.random.bytes(32) }));
  traitor.world.evidence.voted(traitor.member, vote);
  return { ...message, vote };
}

function certifiedHead(certificate: Uint8Array): Uint8Array | undefined {
  return certificate.length === 0 ? undefined : decodeAccept(certificate.subarray(0, ACCEPT_BYTES)).head;
}
