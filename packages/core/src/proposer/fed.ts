import { LicenseError, type Member } from '@trefoil/license';
import { OtherRules } from '../entry.ts';
import { applyFeed, checkFeed } from '../feed.ts';
import { openSnapshot } from '../ledger/snapshot.ts';
import { LIMITS } from '../limits.ts';
import type { EntriesMessage } from '../messages.ts';
import { appendEntry, certify, dropTail, inForce } from '../replica.ts';
import type { Now } from '../voter/state.ts';
import { tryToLead } from './attempt.ts';
import { follow, followAnother } from './follow.ts';
import { enterVersion } from './membership.ts';
import { jitter, type Proposer, type ProposerEffect, upMembers } from './state.ts';

/** Certified entries from a license server: for this replica while it follows, for one that lags while it leads (PROTOCOL §4.7). */
export function onEntries(proposer: Proposer, member: Member, message: EntriesMessage, now: Now): ProposerEffect[] {
  if (proposer.role === 'leading') return passOn(proposer, member, message);
  const chunk = checkFeed(proposer.replica, message);
  if (chunk === 'false')
    return [
      { kind: 'alarm', alarm: 'bad-feed', detail: `from license server ${member}` },
      ...followAnother(proposer, member, now),
    ];
  if (chunk instanceof OtherRules) return [{ kind: 'alarm', alarm: 'newer-rules', detail: chunk.message }];
  // Late, or twice: whoever was asked still owes an answer.
  if (chunk === 'useless')
    return [...passOn(proposer, member, message), ...follow(proposer, now), ...tryToLead(proposer, now)];
  const effects: ProposerEffect[] = [];
  const before = inForce(proposer.replica);
  for (const tail of applyFeed(proposer.replica, proposer.recent, chunk)) {
    proposer.bytesSinceRoot += tail.bytes.length;
    const own = tail.entry.index === chunk.accept.index;
    effects.push({ kind: 'certified', tail, certificate: own ? chunk.certificate : new Uint8Array(0) });
  }
  enterVersion(proposer, before, now);
  proposer.members[member].gaveNone = isSlow(proposer, member, now);
  proposer.following = undefined;
  // It gets on: an attempt that waits for entries needn't be made again.
  if (proposer.role === 'preparing')
    proposer.nextAttemptAt = now.monotonicMs + LIMITS.takeoverAfterMs + jitter(proposer.random);
  return [...effects, ...follow(proposer, now), ...tryToLead(proposer, now)];
}

/** Of what it said it had, it gave some, and late: who does so each time would keep this server from ever catching up. */
function isSlow({ following }: Proposer, member: Member, now: Now): boolean {
  return following?.member === member && following.behind && now.monotonicMs - following.at > LIMITS.takeoverAfterMs;
}

/** Old entries that a laggard needs and this server has forgotten: through it, from one license server to another. */
function passOn(proposer: Proposer, donor: Member, message: EntriesMessage): ProposerEffect[] {
  return upMembers(proposer)
    .filter((member) => isAskedFor(proposer, member, donor))
    .filter((member) => proposer.members[member].status?.certifiedIndex === message.from - 1)
    .map((member) => ({ kind: 'send', member, message }));
}

/** Whether that one was asked for what this one still lacks: what nobody asked for isn't passed on. */
function isAskedFor({ members }: Proposer, member: Member, donor: Member): boolean {
  const { donors, status } = members[member];
  return donors.asked.includes(donor) && status?.certifiedIndex === donors.from - 1;
}

export function onSnapshot(proposer: Proposer, member: Member, bytes: Uint8Array, now: Now): ProposerEffect[] {
  // Also by who would lead only: without the one who lacks it there may be no promises to lead with.
  const passedOn = upMembers(proposer)
    .filter((other) => isAskedFor(proposer, other, member) && needsSnapshot(proposer, other))
    .map((other): ProposerEffect => ({ kind: 'send', member: other, message: { kind: 'snapshot', bytes } }));
  if (proposer.role === 'leading') return passedOn;
  try {
    install(proposer, new Uint8Array(bytes), now);
  } catch (error) {
    if (!(error instanceof LicenseError)) throw error;
    if (error instanceof OtherRules) return [{ kind: 'alarm', alarm: 'newer-rules', detail: error.message }];
    return [
      ...passedOn,
      { kind: 'alarm', alarm: 'bad-snapshot', detail: `from license server ${member}: ${error.message}` },
      ...followAnother(proposer, member, now),
    ];
  }
  proposer.members[member].gaveNone = false;
  proposer.following = undefined;
  return [...passedOn, ...follow(proposer, now), ...tryToLead(proposer, now)];
}

function install(proposer: Proposer, bytes: Uint8Array, now: Now): void {
  const { replica, context } = proposer;
  const installed = openSnapshot(context, bytes, Number.MAX_SAFE_INTEGER);
  const { accept } = installed;
  const before = inForce(replica);
  if (accept.index <= replica.certifiedIndex) return;
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
  enterVersion(proposer, before, now);
}

/** Lags further than this server remembers: for one that is just an entry behind, it would be a needless stall. */
function needsSnapshot({ members, replica, recent }: Proposer, member: Member): boolean {
  const certified = members[member].status?.certifiedIndex ?? Infinity;
  return certified < replica.certifiedIndex && !recent.has(certified + 1);
}
