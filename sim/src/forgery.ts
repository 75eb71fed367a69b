import type { Session } from '@trefoil/core';
import {
  type BorrowCommand,
  type Command,
  type ConsumeCommand,
  encodeCommand,
  type EvictCommand,
  type ExtendCommand,
  keyIdBytes,
  type RulesCommand,
  signCommand,
  type SigningKey,
  type TmrServer,
  type UnnameCommand,
  type WriteOffCommand,
} from '@trefoil/license';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** Commands in the name of others, as well-formed as can be without their secrets and keys. */
export function forged(world: World, id: TmrServer, random: Random): Uint8Array[] {
  const { ledger } = world.tmrServers[id].runtime?.proposer.replica ?? {};
  const sessions = [...(ledger?.sessions.values() ?? [])];
  if (sessions.length === 0 || ledger === undefined) return [];
  const { set, tmrKeys } = world.fixture;
  const victim = random.pick(sessions);
  const [hold = 1] = victim.holds.keys();
  // An id that the victim has not used yet, within its window: what is looked at next is the authority.
  const { lowestUnanswered } = victim.proven;
  const numbered = { session: victim.id, requestId: lowestUnanswered + 20 + random.below(10), lowestUnanswered };
  const secret = random.bytes(32);
  const unsigned = { kind: 'consume', ...numbered, items: [{ product: 'units', feature: '', count: 1_000 }] } as const;
  const byAdmin = {
    ...{ atLogTime: ledger.logTime, nonce: random.bytes(16) },
    admin: keyIdBytes(world.fixture.crypto, world.fixture.admin.publicKey),
  };
  const evict = { kind: 'evict', session: victim.handle, reason: 'forged', ...byAdmin } as const;
  const all: Command[] = [
    { kind: 'release', ...numbered, hold, secret },
    { kind: 'close', ...numbered, secret },
    signCommand<ConsumeCommand>(set, unsigned, tmrKeys[id]),
    signCommand<EvictCommand>(set, evict, tmrKeys[id]),
  ];
  if (world.assortment !== undefined) all.push(...ofTheAdmin(world, tmrKeys[id], byAdmin));
  if (world.assortment?.lends === true) {
    const away = sessions.filter(({ holds }) => [...holds.values()].some(({ borrowed }) => borrowed));
    all.push(...ofABorrower(world, world.assortment.random, { sessions: away, key: tmrKeys[id], numbered, byAdmin }));
  }
  world.count('command forged');
  const free = inItsName(world, random, victim).map(encodeCommand);
  for (const bytes of free) world.history.forged(bytes);
  return [...all.map(encodeCommand), ...free, ...oldOfTheAdmin(world)];
}

/** Rules that let nobody have anything, and somebody's name off his license; not signed by an admin. */
function ofTheAdmin(
  { fixture }: World,
  key: SigningKey,
  by: Pick<EvictCommand, 'admin' | 'atLogTime' | 'nonce'>,
): Command[] {
  const rules = [{ rule: 'deny', product: '*' }];
  const document = JSON.stringify({ format: 1, version: 4_000_000_000, rules });
  const unname = { kind: 'unname', license: 'own-1', name: 'client-1', ...by } as const;
  return [
    signCommand<RulesCommand>(fixture.set, { kind: 'rules', document, ...by }, key),
    signCommand<UnnameCommand>(fixture.set, unname, key),
  ];
}

/** Seats that leave in somebody's name, or stay away for longer, and an end of what somebody has taken along; signed with another key. */
function ofABorrower(
  { fixture, assortment }: World,
  random: Random,
  by: {
    readonly sessions: readonly Session[];
    readonly key: SigningKey;
    readonly numbered: { readonly session: Uint8Array; readonly requestId: number; readonly lowestUnanswered: number };
    readonly byAdmin: Pick<EvictCommand, 'admin' | 'atLogTime' | 'nonce'>;
  },
): Command[] {
  const { set, crypto } = fixture;
  const { sessions, key, numbered, byAdmin } = by;
  const releaseHash = crypto.sha256(random.bytes(32));
  const items = assortment?.loan(random) ?? [];
  const borrow = { kind: 'borrow', ...numbered, releaseHash, items, forMs: 20_000 } as const;
  const all: Command[] = [signCommand<BorrowCommand>(set, borrow, key)];
  if (sessions.length === 0) return all;
  const { id: session, handle, proven, holds } = random.pick(sessions);
  const { lowestUnanswered } = proven;
  const [hold = 1] = holds.keys();
  const next = { session, requestId: lowestUnanswered + 20, lowestUnanswered };
  const writeOff = { kind: 'write-off', session: handle, reason: 'forged', ...byAdmin } as const;
  return [
    ...all,
    signCommand<ExtendCommand>(set, { kind: 'extend', ...next, hold, forMs: 20_000 }, key),
    signCommand<WriteOffCommand>(set, writeOff, key),
  ];
}

/** The very bytes that somebody has heard of the admin, once more: of rules that are long replaced, too. */
function oldOfTheAdmin({ assortment, office }: World): readonly Uint8Array[] {
  const { sentByAdmin } = office;
  if (assortment === undefined || sentByAdmin.length === 0) return [];
  return [assortment.random.pick(sentByAdmin)];
}

/** What needs no secret and no key: what the victim will ask next, or numbers that make much or all look answered. */
function inItsName(world: World, random: Random, { id, proven, free }: Session): Command[] {
  if (random.chance(0.5)) return [];
  world.count('command forged without authority');
  const most = Number.MAX_SAFE_INTEGER;
  const known = [proven, free].flatMap(({ lowestUnanswered, answered }) => [lowestUnanswered, ...answered.keys()]);
  const next = Math.min(most - 20, Math.max(...known) + 1);
  const renew = { kind: 'renew', session: id, nonce: new Uint8Array(16), idleMs: 0 } as const;
  const foretold = next + random.below(3);
  if (random.chance(0.5)) return [{ ...renew, requestId: foretold, lowestUnanswered: foretold }];
  const requestId = random.chance(0.1) ? most : next + random.below(20);
  const numbered = { session: id, requestId, lowestUnanswered: Math.max(0, requestId - random.below(3)) };
  if (random.chance(0.5)) return [{ ...renew, ...numbered }];
  const product = random.pick(['hot', 'nothing', 'line']);
  const items = [{ product, feature: '', seats: 1 }];
  const waitMs = product === 'line' ? 5_000 : 0;
  const secret = random.bytes(32);
  const releaseHash = world.fixture.crypto.sha256(secret);
  const acquire = { kind: 'acquire', ...numbered, releaseHash, waitMs, items } as const;
  if (random.chance(0.5)) return [acquire];
  // What it has brought its sender gives back, with any numbers.
  const far = { requestId: most, lowestUnanswered: most } as const;
  return [acquire, { kind: 'release', session: id, ...far, hold: requestId, secret }];
}
