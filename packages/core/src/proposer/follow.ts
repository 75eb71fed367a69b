import { LicenseError, type Member } from '@trefoil/license';
import { applyFeed, checkCertificate, checkFeed } from '../feed.ts';
import { openSnapshot } from '../ledger/snapshot.ts';
import { LIMITS } from '../limits.ts';
import type { EntriesMessage } from '../messages.ts';
import { appendEntry, certify, dropTail } from '../replica.ts';
import type { Now } from '../voter/state.ts';
import { tryToLead } from './attempt.ts';
import { type Proposer, type ProposerEffect, upMembers } from './state.ts';

/**
 * PROTOCOL §4.7: who doesn't lead follows what is certified, so that a takeover costs one or two round trips. One license
 * server is asked; it answers when there is more than was asked for.
 */
export function follow(proposer: Proposer, now: Now): ProposerEffect[] {
  if (proposer.role === 'leading') return [];
  const from = proposer.replica.certifiedIndex + 1;
  const { following } = proposer;
  if (following !== undefined && following.from === from) {
    const theirs = proposer.members[following.member].status?.certifiedIndex ?? 0;
    // Asked, and either there is nothing new or the answer may be on its way.
    if (theirs < from || now.monotonicMs - following.at < 2 * LIMITS.takeoverAfterMs) return [];
  }
  const donor = bestDonor(proposer);
  if (donor === undefined) return [];
  proposer.following = { member: donor, from, at: now.monotonicMs };
  return [{ kind: 'send', member: donor, message: { kind: 'fetch', from } }];
}

function bestDonor(proposer: Proposer): Member | undefined {
  let best: Member | undefined;
  let highest = -1;
  for (const member of upMembers(proposer)) {
    const certified = proposer.members[member].status?.certifiedIndex ?? -1;
    if (certified > highest) {
      best = member;
      highest = certified;
    }
  }
  return best;
}

export function onEntries(proposer: Proposer, member: Member, message: EntriesMessage, now: Now): ProposerEffect[] {
  if (proposer.role === 'leading') return passOn(proposer, member, message);
  const chunk = checkFeed(proposer.configuration, proposer.replica, message);
  if (chunk === 'false') return [{ kind: 'alarm', alarm: 'bad-feed', detail: `from license server ${member}` }];
  if (chunk !== 'useless') {
    applyFeed(proposer.replica, proposer.recent, chunk);
    for (const entry of chunk.entries) proposer.bytesSinceRoot += entry.length;
  }
  proposer.following = undefined;
  return [...follow(proposer, now), ...tryToLead(proposer, now)];
}

/** Old entries that a laggard needs and this server has forgotten: through it, from one license server to another. */
function passOn(proposer: Proposer, donor: Member, message: EntriesMessage): ProposerEffect[] {
  return upMembers(proposer)
    .filter((member) => member !== donor && proposer.members[member].status?.certifiedIndex === message.from - 1)
    .map((member) => ({ kind: 'send', member, message }));
}

export function onSnapshot(proposer: Proposer, member: Member, bytes: Uint8Array, now: Now): ProposerEffect[] {
  if (proposer.role === 'leading')
    return upMembers(proposer)
      .filter(
        (other) =>
          other !== member &&
          (proposer.members[other].status?.certifiedIndex ?? Infinity) < proposer.replica.certifiedIndex,
      )
      .map((other) => ({ kind: 'send', member: other, message: { kind: 'snapshot', bytes } }));
  try {
    install(proposer, new Uint8Array(bytes));
  } catch (error) {
    if (!(error instanceof LicenseError)) throw error;
    return [{ kind: 'alarm', alarm: 'bad-snapshot', detail: `from license server ${member}: ${error.message}` }];
  }
  proposer.following = undefined;
  return [...follow(proposer, now), ...tryToLead(proposer, now)];
}

function install(proposer: Proposer, bytes: Uint8Array): void {
  const { replica, configuration, context } = proposer;
  const installed = openSnapshot(context, bytes, Number.MAX_SAFE_INTEGER);
  const accept = checkCertificate(configuration, replica, installed.certificate);
  if (accept === undefined || accept.index <= replica.certifiedIndex) return;
  dropTail(replica);
  Object.assign(replica, {
    ledger: installed.ledger,
    root: installed.root,
    lastIndex: accept.index - 1,
    lastHead: installed.head,
    certifiedIndex: accept.index - 1,
  });
  appendEntry(replica, installed.entryBytes, installed.entry);
  certify(replica, installed.certificate, accept);
  proposer.recent.reset(accept.index + 1);
  proposer.bytesSinceRoot = 0;
}
