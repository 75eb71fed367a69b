import { REPLACED } from '@trefoil/core';
import type { Member } from '@trefoil/license';
import { LicenseServer } from './license-server.ts';
import type { Random } from './random.ts';
import { member as anyMember, othersUnwell, tmr } from './whom.ts';
import type { World } from './world.ts';

/** A set may be changed so often in one run. */
const MOST = 3;
const LOOK_MS = 100;

/** What stood at an address before, and is not destroyed. */
export class Shelf {
  readonly machines: LicenseServer[] = [];
  /** While it goes on. */
  replacing: Member | undefined;
  /** The one that is being replaced can't be asked any more. */
  isGone = false;
}

/**
 * One license server is replaced by another machine with a container of its own (PROTOCOL §4.9): one that is dead, or one that
 * votes until the other one does.
 */
export function replaceOne(world: World, random: Random): boolean {
  const { shelf, vendor } = world;
  const member = anyMember(random);
  const isTaken = [world.cloned, world.traitor?.member].includes(member);
  if (shelf.replacing !== undefined || shelf.machines.length >= MOST || isTaken || othersUnwell(world, member))
    return false;
  shelf.replacing = member;
  // Two logs of one epoch need the third server, and so does one that was copied (PROTOCOL §10); it must be there to be asked.
  const isNeeded = (world.burden === 'a server lies' && world.lied.size > 0) || world.cloned !== undefined;
  const isDead = random.chance(0.6) && !isNeeded;
  const before = world.licenseServers[member];
  shelf.isGone = isDead;
  if (isDead) before.crash('power', 'for good');
  const standsThere = isDead && random.chance(0.5);
  if (standsThere) swap(world, member, random);
  world.count(`replaced: ${isDead ? 'a dead one' : 'one that votes'}`);
  const putInPlace = (): void => {
    if (world.licenseServers[member] === before) swap(world, member, random);
  };
  if (!standsThere) onceReplaced(world, before, putInPlace);
  void (async () => {
    const isDone = await vendor.replace(member);
    shelf.replacing = undefined;
    shelf.isGone = false;
    if (isDone || isDead) putInPlace();
    if (isDone) world.count('a license server was replaced');
    // Somebody tries whether the old one still works.
    if (!world.mended && random.chance(0.4))
      world.agenda.later(random.between(0, 2_000), () => world.mended || switchOn(world, random));
  })();
  return true;
}

/** Whoever looks at it sees that it has no vote any more, also where the answer to the command was lost. */
function onceReplaced(world: World, server: LicenseServer, act: () => void): void {
  if (world.licenseServers[server.member] !== server) return;
  if (server.runtime?.voter.withholding === REPLACED) act();
  else world.agenda.later(LOOK_MS, () => onceReplaced(world, server, act));
}

/** The new one at the address of the old one. */
function swap(world: World, member: Member, random: Random): void {
  const before = world.licenseServers[member];
  before.crash('power', 'another machine is put in its place');
  world.shelf.machines.push(before);
  const next = new LicenseServer(world, member, random.fork(), before.generation + 1);
  next.slowDown(before.slowness);
  world.licenseServers[member] = next;
  void next.start();
}

/** One that was replaced is switched on again at its old address: for both TMR servers, or for one of them only. */
export function switchOn(world: World, random: Random): boolean {
  if (world.clone !== undefined || world.shelf.machines.length === 0) return false;
  const old = random.pick(world.shelf.machines);
  const standing = world.licenseServers[old.member];
  if (standing === old || old.up || world.cloned === old.member) return false;
  const reachedBy = random.chance(0.5) ? undefined : tmr(random);
  world.zombie = { server: old, reachedBy };
  const hangUp = (): void => {
    for (const id of ['A', 'B'] as const) world.tmrServers[id].hangUp(old.member);
  };
  void old.start();
  hangUp();
  world.mend(random.between(500, 6_000), () => {
    old.crash('power', 'it is switched off again');
    world.zombie = undefined;
    hangUp();
  });
  return true;
}
