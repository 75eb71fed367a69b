import type { TmrServer } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import { readLogClock } from '../log-clock.ts';
import type { Signed } from '../signed.ts';
import type { LogRecord } from '../records.ts';
import type { Now, Pending, Voter, VoterEffect } from './state.ts';

/**
 * The one written order (PROTOCOL §3.3): persist → sign → send. A signature that is out before its record is durable could be
 * forgotten in a power cut and contradicted afterwards.
 */
export function persistThenSign(
  voter: Voter,
  pending: Omit<Pending, 'ticket'>,
  records: readonly LogRecord[],
): VoterEffect[] {
  if (voter.pending !== undefined) throw new Error('one statement at a time');
  voter.pending = { ...pending, ticket: ++voter.ticket };
  return [{ kind: 'persist', ticket: voter.ticket, records }];
}

/** For a statement that says nothing that is not durable already. */
export function signAgain(
  voter: Voter,
  what: Pending['what'],
  statement: Uint8Array,
  to: Pending['to'],
): VoterEffect[] {
  if (voter.pending !== undefined) throw new Error('one statement at a time');
  voter.pending = { what, statement, to, ticket: ++voter.ticket };
  return signPending(voter, voter.ticket);
}

export function signPending(voter: Voter, ticket: number): VoterEffect[] {
  const { pending } = voter;
  if (pending === undefined || pending.ticket !== ticket) return [];
  const mark =
    pending.what === 'vote' && voter.signedHigh !== undefined
      ? { epoch: voter.signedHigh.accept.epoch, index: voter.signedHigh.accept.index }
      : undefined;
  return [{ kind: 'sign', ticket, statement: pending.statement, mark }];
}

export function finishPending(voter: Voter, ticket: number, signature: Uint8Array, now: Now): VoterEffect[] {
  const { pending } = voter;
  if (pending === undefined || pending.ticket !== ticket) return [];
  voter.pending = undefined;
  const signed = { bytes: pending.statement, signature };
  switch (pending.what) {
    case 'vote':
      if (voter.signedHigh !== undefined) voter.signedHigh.signature = signature;
      return pending.to === undefined ? [] : [sendVote(voter, pending.to, signed, now)];
    case 'promise':
      if (voter.storedPromise !== undefined) voter.storedPromise.signature = signature;
      return pending.to === undefined ? [] : [sendPromise(voter, pending.to)];
    case 'rejoin':
      if (voter.rejoin !== undefined)
        voter.rejoin.signed = [...voter.rejoin.signed, signed].slice(-LIMITS.rejoinsShown);
      voter.nextStatusAt = -Infinity; // tell both at once
      return [];
  }
}

export function sendVote(voter: Voter, to: TmrServer, vote: Signed, now: Now): VoterEffect {
  return { kind: 'send', to, message: { kind: 'vote', vote, logClock: readLogClock(voter.clock, now.monotonicMs) } };
}

/** With the newest certificate and the entry after it, so that the TMR server can build on this log without asking again. */
export function sendPromise(voter: Voter, to: TmrServer): VoterEffect {
  const { storedPromise, replica } = voter;
  if (storedPromise?.signature === undefined) throw new Error('no signed promise');
  return {
    kind: 'send',
    to,
    message: {
      kind: 'promise',
      promise: { bytes: storedPromise.promise, signature: storedPromise.signature },
      certificate: replica.certificate ?? new Uint8Array(0),
      tail: replica.tail?.bytes ?? new Uint8Array(0),
    },
  };
}
