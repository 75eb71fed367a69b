import {
  concatBytes,
  decodeAccept,
  equalBytes,
  INCARNATION_BYTES,
  type Member,
  Reader,
  SET_ID_BYTES,
  TAGS,
  Writer,
} from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import type { Signed } from '../messages.ts';
import { persistThenSign } from './sign.ts';
import type { Now, Voter, VoterEffect } from './state.ts';

/**
 * PROTOCOL §7: a server that may have forgotten something neither votes nor promises until both peers know its new
 * incarnation and have promised a fresh epoch. Its own report of its log doesn't count.
 */
export function startRejoin(voter: Voter, incarnation: Uint8Array, why: string, now: Now): VoterEffect[] {
  voter.withholding = why;
  voter.incarnations[voter.member - 1] = incarnation;
  voter.rejoin = { incarnation, signed: undefined, startedAt: now.monotonicMs };
  const statement = concatBytes(
    TAGS.rejoin,
    voter.configuration.set,
    new Writer(5).u32(voter.configuration.version).u8(voter.member).done(),
    incarnation,
  );
  return persistThenSign(voter, { what: 'rejoin', statement, to: undefined }, [
    { kind: 'incarnation', member: voter.member, incarnation },
  ]);
}

export const CLEAN_RESTART = 're-joining after a start';

/** A clean restart goes on after two seconds if the peers can't be had, and says so; a suspect server never does. */
export function rejoinTick(voter: Voter, now: Now): VoterEffect[] {
  const { rejoin } = voter;
  if (rejoin === undefined || voter.withholding !== CLEAN_RESTART) return [];
  if (now.monotonicMs - rejoin.startedAt < LIMITS.rejoinWaitMs) return [];
  voter.rejoin = undefined;
  voter.withholding = '';
  voter.unanchored = true;
  return [
    {
      kind: 'alarm',
      alarm: 'unanchored',
      detail: 'started without both peers: a copied-back store would not have been noticed',
    },
  ];
}

/** A peer re-joins: its new incarnation is stored before anything is promised on top of it. */
export function onRejoin(voter: Voter, member: Member, rejoin: Signed): VoterEffect[] {
  if (member === voter.member) return [];
  const container = voter.configuration.containers.find((one) => one.member === member);
  const incarnation = readRejoin(voter, member, rejoin.bytes);
  if (container === undefined || incarnation === undefined) return [];
  if (!voter.crypto.verify(container.signingKey, rejoin.bytes, rejoin.signature)) return [];
  if (equalBytes(voter.incarnations[member - 1] as Uint8Array, incarnation)) return [];
  voter.incarnations[member - 1] = new Uint8Array(incarnation);
  voter.nextStatusAt = -Infinity;
  // Durable at the latest with the promise that names it, which is appended behind it.
  return [{ kind: 'note', records: [{ kind: 'incarnation', member, incarnation: new Uint8Array(incarnation) }] }];
}

function readRejoin(voter: Voter, member: Member, bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length !== 16 + SET_ID_BYTES + 5 + INCARNATION_BYTES) return undefined;
  const reader = new Reader(bytes);
  const fits =
    equalBytes(reader.raw(16), TAGS.rejoin) &&
    equalBytes(reader.raw(SET_ID_BYTES), voter.configuration.set) &&
    reader.u32() === voter.configuration.version &&
    reader.u8() === member;
  return fits ? reader.raw(INCARNATION_BYTES) : undefined;
}

/** Shown an own vote newer than anything it remembers, a server knows that it was rolled back. */
export function onShown(voter: Voter, vote: Signed): VoterEffect[] {
  const own = voter.configuration.containers.find((one) => one.member === voter.member);
  if (own === undefined || voter.withholding !== '' || !voter.crypto.verify(own.signingKey, vote.bytes, vote.signature))
    return [];
  const accept = decodeAccept(vote.bytes);
  const known = voter.signedHigh?.accept;
  const newer =
    known === undefined || accept.epoch > known.epoch || (accept.epoch === known.epoch && accept.index > known.index);
  if (!newer) return [];
  return [
    {
      kind: 'alarm',
      alarm: 'rolled-back',
      detail: `shown an own vote at epoch ${accept.epoch}, entry ${accept.index}`,
    },
    { kind: 'needIncarnation', why: 'this store is older than a vote that this server has given' },
  ];
}
