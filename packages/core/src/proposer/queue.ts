import { epochOwner, type TmrServer } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import { inForce } from '../replica.ts';
import { NEVER_HEARD } from '../voter-status.ts';
import type { Now } from '../voter/state.ts';
import {
  heardMembers,
  PRIORITIES,
  type Proposer,
  type ProposerEffect,
  type ProposerEvent,
  type QueuedCommand,
  queueLength,
} from './state.ts';

type CommandEvent = Extract<ProposerEvent, { kind: 'command' }>;

/** Takes a command in, sends it to the active server, or refuses at once what can't be done in time (PROTOCOL §5.14). */
export function enqueue(proposer: Proposer, event: CommandEvent, now: Now): ProposerEffect[] {
  if (event.stuck && proposer.role !== 'leading') proposer.stuckUntil = now.monotonicMs + 1_000;
  const { token } = event;
  if (proposer.role !== 'leading') {
    const active = activeElsewhere(proposer, now);
    if (active !== undefined && !event.stuck) return [{ kind: 'redirect', token, to: active }];
  }
  const waiting = queueLength(proposer);
  const waitMs = waiting / proposer.ratePerMs;
  const room = event.priority === 'renew' ? 2 * proposer.queuedCommands : proposer.queuedCommands;
  if (
    waiting >= room ||
    noRoomForLarge(proposer, event) ||
    (waiting >= LIMITS.batchCommands && now.monotonicMs + waitMs > event.deadlineMs)
  )
    return [
      { kind: 'unavailable', token, reason: 'overloaded', retryAfterMs: Math.ceil(Math.min(5_000, 100 + waitMs)) },
    ];
  proposer.queue[event.priority].push({
    token,
    bytes: event.bytes,
    priority: event.priority,
    deadlineMs: event.deadlineMs,
  });
  proposer.queuedAt ??= now.monotonicMs;
  return [];
}

/** The many small ones are bounded by their number. */
function noRoomForLarge({ queue }: Proposer, { bytes, priority }: CommandEvent): boolean {
  const isLarge = (one: { bytes: Uint8Array }): boolean => one.bytes.length > LIMITS.largeCommandBytes;
  return isLarge({ bytes }) && queue[priority].filter(isLarge).length >= LIMITS.queuedLargeCommands;
}

/**
 * The other TMR server, if a license server hears it lead. What this server itself once asked for doesn't matter: an attempt
 * that nobody promised must not hide the one who serves.
 */
export function activeElsewhere(proposer: Proposer, now: Now): TmrServer | undefined {
  const other = proposer.id === 'A' ? 'B' : 'A';
  const hears = heardMembers(proposer, now).some((member) => {
    const status = proposer.members[member].status;
    return (
      status !== undefined &&
      status.promised > 0 &&
      epochOwner(status.promised) === other &&
      status.ownerSilentMs < LIMITS.takeoverAfterMs
    );
  });
  return hears ? other : undefined;
}

/** Clients that waited here for a leader are sent on when there is one elsewhere. */
export function redirectAll(proposer: Proposer, now: Now): ProposerEffect[] {
  if (proposer.role === 'leading' || queueLength(proposer) === 0 || now.monotonicMs < proposer.stuckUntil) return [];
  const to = activeElsewhere(proposer, now);
  return to === undefined ? [] : takeAll(proposer).map(({ token }) => ({ kind: 'redirect', token, to }));
}

export function takeAll(proposer: Proposer): QueuedCommand[] {
  const all: QueuedCommand[] = [];
  for (const priority of PRIORITIES) all.push(...proposer.queue[priority].splice(0));
  proposer.queuedAt = undefined;
  return all;
}

/** In front, in the order in which they came. */
export function requeue(proposer: Proposer, commands: readonly QueuedCommand[], now: Now): void {
  for (const command of commands.toReversed()) proposer.queue[command.priority].unshift(command);
  if (commands.length > 0) proposer.queuedAt ??= now.monotonicMs;
}

/** The next entry's commands, most urgent first, within the limits of an entry. */
export function takeBatch(proposer: Proposer, now: Now): QueuedCommand[] {
  const large = proposer.largeWaits ? takeLarge(proposer, now) : undefined;
  if (large !== undefined) return [large];
  const batch: QueuedCommand[] = [];
  let bytes = 0;
  // Else one client's renewals, of which few fit an entry, would keep everybody else from ever being served.
  const order = proposer.othersFirst ? PRIORITIES.toReversed() : PRIORITIES;
  proposer.othersFirst = false;
  for (const priority of order) {
    const queue = proposer.queue[priority];
    let taken = 0;
    for (const command of queue) {
      // A single command may be larger than a batch should be: an update document goes alone.
      if (batch.length >= LIMITS.batchCommands) break;
      if (batch.length > 0 && bytes + command.bytes.length > LIMITS.batchBytes) {
        // Or it would wait for as long as there are smaller ones of higher priority.
        if (command.bytes.length > LIMITS.batchBytes / 2) proposer.largeWaits = true;
        break;
      }
      batch.push(command);
      bytes += command.bytes.length;
      taken++;
    }
    if (taken > 0) queue.splice(0, taken);
  }
  proposer.queuedAt = queueLength(proposer) > 0 ? now.monotonicMs : undefined;
  return batch;
}

function takeLarge(proposer: Proposer, now: Now): QueuedCommand | undefined {
  proposer.largeWaits = false;
  for (const priority of PRIORITIES) {
    const [first] = proposer.queue[priority];
    if (first === undefined || first.bytes.length <= LIMITS.batchBytes / 2) continue;
    proposer.queue[priority].shift();
    proposer.queuedAt = queueLength(proposer) > 0 ? now.monotonicMs : undefined;
    return first;
  }
  return undefined;
}

/** Nobody waits for these any more, or nobody could answer them in time. */
export function dropLate(proposer: Proposer, now: Now): ProposerEffect[] {
  const late: QueuedCommand[] = takenAndLate(proposer, now);
  for (const priority of PRIORITIES) {
    const queue = proposer.queue[priority];
    if (!queue.some((one) => one.deadlineMs <= now.monotonicMs)) continue;
    late.push(...queue.filter((one) => one.deadlineMs <= now.monotonicMs));
    proposer.queue[priority] = queue.filter((one) => one.deadlineMs > now.monotonicMs);
  }
  if (late.length === 0) return [];
  if (queueLength(proposer) === 0) proposer.queuedAt = undefined;
  const reason = heardMembers(proposer, now).length < inForce(proposer.replica).threshold ? 'no-quorum' : 'deadline';
  return late.map(({ token }) => ({ kind: 'unavailable', token, reason, retryAfterMs: 500 }));
}

/** In an entry whose votes don't come: it may still be decided, but whoever waits is told why nothing is heard, once. */
function takenAndLate(proposer: Proposer, now: Now): QueuedCommand[] {
  const { proposal, orphans, toldUntilMs } = proposer;
  proposer.toldUntilMs = now.monotonicMs;
  if (proposal === undefined && orphans === undefined) return [];
  return [...(proposal?.commands ?? []), ...(orphans?.commands ?? [])].filter(
    ({ deadlineMs }) => deadlineMs > toldUntilMs && deadlineMs <= now.monotonicMs,
  );
}

/** PROTOCOL §4.5: enough license servers report that the owner of the highest epoch is silent. */
export function ownerSilent(proposer: Proposer, now: Now): boolean {
  const silent = heardMembers(proposer, now).filter((member) => {
    const status = proposer.members[member].status;
    return (
      status !== undefined && (status.ownerSilentMs === NEVER_HEARD || status.ownerSilentMs >= LIMITS.takeoverAfterMs)
    );
  });
  return silent.length >= inForce(proposer.replica).threshold;
}
