import {
  decodeAccept,
  decodePromise,
  decodeRejoin,
  encodeRejoin,
  equalBytes,
  type LogPromise,
  type Member,
  TAGS,
  type TmrServer,
} from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import { parsed, type Signed } from '../signed.ts';
import type { LogRecord } from '../records.ts';
import { inForce } from '../replica.ts';
import { CLEAN_RESTART, isMember, NOT_YET, REPLACED } from './membership.ts';
import { persistThenSign, signAgain } from './sign.ts';
import type { Now, Voter, VoterEffect } from './state.ts';

/**
 * PROTOCOL §7.3: a server that may have forgotten something neither votes nor promises until both peers know its new
 * incarnation and have promised a fresh epoch. Its own report of its log doesn't count.
 */
export function startRejoin(voter: Voter, incarnation: Uint8Array, why: string, now: Now): VoterEffect[] {
  if (!isMember(voter.replica, voter)) return []; // nobody knows it yet, or any more
  // A further start makes a suspect server no less suspect.
  if (!isSuspect(voter)) voter.withholding = why.slice(0, MAX_REASON);
  // The peers know it by the last one, unless the store was put back: then they say so.
  const replaces = voter.incarnations[voter.member - 1] as Uint8Array;
  voter.incarnations[voter.member - 1] = incarnation;
  const askedAt = { A: -Infinity, B: -Infinity };
  voter.rejoin = { incarnation, signed: [], startedAt: now.monotonicMs, askedAt };
  voter.unanchored = false;
  const statement = rejoinStatement(voter, incarnation, replaces);
  const records: LogRecord[] = [{ kind: 'incarnation', member: voter.member, incarnation }];
  if (isSuspect(voter)) records.push({ kind: 'suspect', why: voter.withholding });
  return persistThenSign(voter, { what: 'rejoin', statement, to: undefined }, records);
}

function rejoinStatement({ replica, member }: Voter, incarnation: Uint8Array, replaces: Uint8Array): Uint8Array {
  const { set, version: configVersion } = inForce(replica);
  return encodeRejoin({ set, configVersion, member, incarnation, replaces });
}

/** A peer knows this server by another start, for which nothing was signed yet. */
export function onKnownAs(voter: Voter, from: TmrServer, replaces: Uint8Array, now: Now): VoterEffect[] {
  const { rejoin, pending } = voter;
  if (rejoin === undefined || pending !== undefined || equalBytes(replaces, rejoin.incarnation)) return [];
  if (rejoin.signed.some((one) => equalBytes(decodeRejoin(one.bytes).replaces, replaces))) return [];
  if (now.monotonicMs - rejoin.askedAt[from] < LIMITS.rejoinAgainMs) return [];
  rejoin.askedAt[from] = now.monotonicMs;
  return signAgain(voter, 'rejoin', rejoinStatement(voter, rejoin.incarnation, replaces), undefined);
}

/** UTF-16 units; what a record takes at three bytes each. */
const MAX_REASON = 300;

/** It knows that it has forgotten something, or was told so; a clean restart only might have. */
export function isSuspect(voter: Voter): boolean {
  return !['', CLEAN_RESTART, NOT_YET, REPLACED].includes(voter.withholding);
}

/** A clean restart goes on after two seconds if the peers can't be had, and says so; a suspect server never does. */
export function rejoinTick(voter: Voter, now: Now): VoterEffect[] {
  const { rejoin } = voter;
  if (rejoin === undefined || voter.withholding !== CLEAN_RESTART) return [];
  if (now.monotonicMs - rejoin.startedAt < LIMITS.rejoinWaitMs) return [];
  voter.withholding = '';
  voter.unanchored = true;
  const detail =
    voter.promised === 0
      ? 'an empty store, and the peers could not be asked'
      : 'started without both peers: a copied-back store would not have been noticed';
  return [{ kind: 'alarm', alarm: 'unanchored', detail }];
}

/** Both peers' promises name this start's incarnation: from here on a rolled-back store would be noticed again. */
export function isTakenIn(voter: Voter, promises: readonly LogPromise[]): boolean {
  const { rejoin, member } = voter;
  if (rejoin === undefined) return false;
  const peers = promises.filter((one) => one.member !== member);
  return (
    peers.length === 2 &&
    peers.every((one) => equalBytes(one.incarnations[member - 1] as Uint8Array, rejoin.incarnation))
  );
}

/**
 * The re-join is over; durable with the vote that ends it. What the peers say of their own incarnations is taken over: a wiped
 * store knows none of them, and its promises would agree with nobody's.
 */
export function endRejoin(voter: Voter, promises: readonly LogPromise[]): { records: LogRecord[]; alarm: VoterEffect } {
  const was = voter.withholding;
  voter.withholding = '';
  voter.unanchored = false;
  const records: LogRecord[] = [];
  for (const { member, incarnations } of promises) {
    const incarnation = incarnations[member - 1] as Uint8Array;
    if (member === voter.member || equalBytes(incarnation, voter.incarnations[member - 1] as Uint8Array)) continue;
    voter.incarnations[member - 1] = new Uint8Array(incarnation);
    records.push({ kind: 'incarnation', member, incarnation: new Uint8Array(incarnation) });
  }
  const detail = was === '' ? 'both peers have taken this start in' : `after: ${was}`;
  return { records, alarm: { kind: 'alarm', alarm: 'rejoined', detail } };
}

/**
 * A peer re-joins: its new incarnation is stored before anything is promised on top of it. Only in the place of the one that
 * the statement names: so none ever comes back, and what was promised before a rollback agrees with nobody's promise.
 */
export function onRejoin(voter: Voter, member: Member, signed: Signed): VoterEffect[] {
  const { containers, set } = inForce(voter.replica);
  const container = containers.find((one) => one.member === member);
  const rejoin = parsed(decodeRejoin, signed.bytes);
  if (member === voter.member || container === undefined || rejoin === undefined) return [];
  const { incarnation, replaces } = rejoin;
  // Of whatever version: it is the start of the container that has this place now.
  const mine = equalBytes(rejoin.set, set) && rejoin.member === member;
  if (!mine || !equalBytes(voter.incarnations[member - 1] as Uint8Array, replaces)) return [];
  if (!voter.crypto.verify(container.signingKey, signed.bytes, signed.signature)) return [];
  voter.incarnations[member - 1] = new Uint8Array(incarnation);
  voter.nextStatusAt = -Infinity;
  // Durable at the latest with the promise that names it, which is appended behind it.
  return [{ kind: 'note', records: [{ kind: 'incarnation', member, incarnation: new Uint8Array(incarnation) }] }];
}

/**
 * Shown an own vote or promise newer than anything it remembers, a server knows that it was rolled back. It withholds from
 * this very moment: what waits behind this message must not be answered.
 */
export function onShown(voter: Voter, shown: Signed): VoterEffect[] {
  const own = inForce(voter.replica).containers.find((one) => one.member === voter.member);
  if (
    own === undefined ||
    !isMember(voter.replica, voter) ||
    isSuspect(voter) ||
    !voter.crypto.verify(own.signingKey, shown.bytes, shown.signature)
  )
    return [];
  const forgotten = forgottenStatement(voter, shown.bytes);
  if (forgotten === undefined) return [];
  const why = `this store is older than ${forgotten} that this server has signed`;
  const alarm: VoterEffect = { kind: 'alarm', alarm: 'rolled-back', detail: why };
  // A start that re-joins already has drawn its incarnation; it only must not go on alone any more.
  const fresh = voter.withholding === CLEAN_RESTART;
  voter.withholding = why;
  voter.unanchored = false;
  return fresh
    ? [alarm, { kind: 'note', records: [{ kind: 'suspect', why }] }]
    : [alarm, { kind: 'needIncarnation', why }];
}

function forgottenStatement(voter: Voter, bytes: Uint8Array): string | undefined {
  const tag = bytes.subarray(0, 16);
  if (equalBytes(tag, TAGS.accept)) {
    const { epoch, index } = decodeAccept(bytes);
    const known = voter.signedHigh?.accept;
    const newer = known === undefined || epoch > known.epoch || (epoch === known.epoch && index > known.index);
    return newer ? `a vote for entry ${index} in epoch ${epoch}` : undefined;
  }
  if (!equalBytes(tag, TAGS.promise)) return undefined;
  const { epoch } = decodePromise(bytes);
  return epoch > voter.promised ? `a promise for epoch ${epoch}` : undefined;
}
