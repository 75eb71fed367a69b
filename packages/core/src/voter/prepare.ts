import {
  decodePrepare,
  encodePromise,
  epochCounter,
  epochOwner,
  equalBytes,
  type Prepare,
  type TmrServer,
} from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import { inForce } from '../replica.ts';
import { parsed, type Signed } from '../signed.ts';
import { persistThenSign, sendPromise, signAgain } from './sign.ts';
import { type Now, refuse, type Voter, type VoterEffect } from './state.ts';
import { activeLives, statusTo } from './status.ts';

/** PROTOCOL §4.1: a TMR server asks for a new epoch. */
export function onPrepare(voter: Voter, from: TmrServer, signed: Signed, now: Now): VoterEffect[] {
  const prepare = readPrepare(voter, from, signed);
  if (prepare === undefined) return [refuse(from, 'prepare', 0, 'bad-signature')];
  // One of the two lacks the entry that brings the later version: it is fed, or follows.
  if (prepare.configVersion !== inForce(voter.replica).version)
    return [refuse(from, 'prepare', voter.promised, 'other-configuration'), statusTo(voter, from, now)];
  if (voter.withholding !== '') return [refuse(from, 'prepare', prepare.epoch, 'withholding')];
  if (voter.installing) return [refuse(from, 'prepare', voter.promised, 'behind')];
  const stored = voter.storedPromise;
  // The same request gets the same promise, never one of a later state: it may have been used already.
  if (stored !== undefined && prepare.epoch === voter.promised && equalBytes(stored.prepare.bytes, signed.bytes))
    return stored.signature === undefined
      ? signAgain(voter, 'promise', stored.promise, from)
      : [sendPromise(voter, from)];
  if (prepare.epoch <= voter.promised)
    return [refuse(from, 'prepare', voter.promised, 'stale-epoch'), ...askedBefore(voter, from)];
  if (epochCounter(prepare.epoch) - epochCounter(voter.promised) > LIMITS.epochJump)
    return [refuse(from, 'prepare', voter.promised, 'epoch-jump')];
  const held = holdBack(voter, from, prepare, signed, now);
  return held ?? promise(voter, from, { prepare, signed }, now);
}

/** Who alone is far above the others is not believed without (PROTOCOL §4.1). */
function askedBefore({ storedPromise }: Voter, to: TmrServer): VoterEffect[] {
  return storedPromise === undefined
    ? []
    : [{ kind: 'send', to, message: { kind: 'asked', prepare: storedPromise.prepare } }];
}

function readPrepare(voter: Voter, from: TmrServer, signed: Signed): Prepare | undefined {
  const server = voter.group.tmrServers.find((one) => one.id === from);
  if (server === undefined || !voter.crypto.verify(server.key, signed.bytes, signed.signature)) return undefined;
  const prepare = parsed(decodePrepare, signed.bytes);
  if (prepare === undefined) return undefined; // signed, but no PREPARE
  const mine = epochOwner(prepare.epoch) === from && equalBytes(prepare.set, voter.context.configuration.set);
  return mine ? prepare : undefined;
}

/** PROTOCOL §4.6, liveness only: no takeover from one who serves, unless clients can't reach it. */
function holdBack(
  voter: Voter,
  from: TmrServer,
  prepare: Prepare,
  signed: Signed,
  now: Now,
): VoterEffect[] | undefined {
  const owner = epochOwner(voter.promised);
  if (from === owner || !activeLives(voter, now)) return undefined;
  const lives = refuse(from, 'prepare', voter.promised, 'active-lives');
  const { reluctance } = voter;
  if (!prepare.clientsWait || now.monotonicMs < reluctance.notBefore) return [lives];
  // Asked long ago and not since: that was another trouble.
  if (now.monotonicMs - reluctance.askedAt > LIMITS.reluctantMs) reluctance.since = undefined;
  reluctance.askedAt = now.monotonicMs;
  reluctance.since ??= now.monotonicMs;
  if (now.monotonicMs - reluctance.since < LIMITS.reluctantMs)
    return [{ kind: 'send', to: owner, message: { kind: 'handOver', prepare: signed } }, lives];
  reluctance.since = undefined;
  reluctance.notBefore = now.monotonicMs + reluctance.pauseMs;
  reluctance.pauseMs = Math.min(2 * reluctance.pauseMs, LIMITS.reluctanceMaxMs);
  return undefined;
}

function promise(
  voter: Voter,
  from: TmrServer,
  { prepare, signed }: { prepare: Prepare; signed: Signed },
  now: Now,
): VoterEffect[] {
  const previousOwner = epochOwner(voter.promised);
  const hadOwner = voter.promised > 0 && previousOwner !== from;
  voter.promised = prepare.epoch;
  voter.peers[from].heardAt = now.monotonicMs; // a sign of life of the new owner: time to lead
  const statement = encodePromise({
    set: voter.context.configuration.set,
    configVersion: inForce(voter.replica).version,
    epoch: prepare.epoch,
    member: voter.member,
    incarnations: voter.incarnations,
    logEpoch: voter.logEpoch,
    lastIndex: voter.replica.lastIndex,
    lastHead: voter.replica.lastHead,
    nonce: prepare.nonce,
  });
  const kept = { bytes: new Uint8Array(signed.bytes), signature: new Uint8Array(signed.signature) };
  voter.storedPromise = { promise: statement, signature: undefined, prepare: kept };
  const effects = persistThenSign(voter, { what: 'promise', statement, to: from }, [
    { kind: 'promised', promise: statement, prepare: kept },
  ]);
  // Shown the other's signed PREPARE, the former active one steps down at once instead of at its next proposal.
  if (hadOwner && voter.peers[previousOwner].up)
    effects.push({ kind: 'send', to: previousOwner, message: { kind: 'superseded', prepare: kept } });
  return effects;
}
