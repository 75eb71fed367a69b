import { type Configuration, equalBytes, INCARNATION_BYTES, newContainers } from '@trefoil/license';
import { inForce, type Replica } from '../replica.ts';
import type { Voter, VoterEffect } from './state.ts';

/** Why it neither votes nor promises, where nothing is wrong with it. */
export const CLEAN_RESTART = 're-joining after a start';
export const NOT_YET = 'not part of the group yet';
export const REPLACED = 'another container is in its place';

/** Its container is one of those that vote. */
export function isMember(replica: Replica, { member, serial }: Pick<Voter, 'member' | 'serial'>): boolean {
  return inForce(replica).containers.some((one) => one.member === member && equalBytes(one.serial, serial));
}

/**
 * PROTOCOL §4.9: behind the entry that brings a version everything begins anew, save what was promised. To be called when entries
 * have become certified, with the configuration that was in force before.
 */
export function enterVersion(voter: Voter, before: Configuration): VoterEffect[] {
  const now = inForce(voter.replica);
  if (now.version === before.version) return [];
  voter.logEpoch = 0;
  for (const { member } of newContainers(before, now))
    voter.incarnations[member - 1] = new Uint8Array(INCARNATION_BYTES);
  const was = before.containers.some((one) => one.member === voter.member && equalBytes(one.serial, voter.serial));
  const is = isMember(voter.replica, voter);
  if (was && !is) return leave(voter, now.version);
  return is && !was ? join(voter) : [];
}

/** It is known to nobody yet, and withholds until both peers have taken it in (PROTOCOL §7.3). */
function join(voter: Voter): VoterEffect[] {
  if (voter.withholding === NOT_YET) voter.withholding = CLEAN_RESTART;
  return [{ kind: 'needIncarnation', why: CLEAN_RESTART }];
}

/** For good: its key never comes back. */
function leave(voter: Voter, version: number): VoterEffect[] {
  voter.withholding = REPLACED;
  voter.rejoin = undefined;
  voter.unanchored = false;
  const detail = `since version ${version} of the configuration this server has no vote any more`;
  return [{ kind: 'alarm', alarm: 'replaced', detail }];
}
