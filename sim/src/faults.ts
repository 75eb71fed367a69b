import type { Member, TmrServer as Id } from '@trefoil/license';
import { FORKS_AND_GOES, HOLDS_TIME_BACK, lieNames, OTHER_UTC } from './lies.ts';
import { CALM } from './network.ts';
import type { Random } from './random.ts';
import { replaceOne, switchOn } from './replacement.ts';
import { ABOUT_EPOCHS, TREASONS, Traitor } from './traitor.ts';
import { member, othersUnwell, tmr } from './whom.ts';
import type { World } from './world.ts';

/** False: there was nothing to harm, or it comes later and is counted then. */
type Fault = (world: World, random: Random) => boolean;

/** One of them, and it counts if it did anything. */
export function harm(world: World, name: string, random: Random): void {
  world.note(`fault: ${name}`);
  if (FAULTS[name]?.(world, random) === true) world.harmed(name);
}

const PUT_BACK = 'store put back';

/** Who leads dies: promises are asked for. */
function endEpoch(world: World, random: Random): void {
  for (const server of Object.values(world.tmrServers)) {
    if (server.runtime?.proposer.role !== 'leading') continue;
    server.crash();
    world.mend(random.between(20, 3_000), () => server.up || server.start());
  }
}

/** Everything that goes wrong, by name. Each mends itself after a while, except what `heal` mends. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  'license server killed': (world, random) => {
    const server = world.licenseServers[member(random)];
    const kill = (): void => {
      server.crash('process');
      world.mend(random.between(20, 3_000), () => server.up || void server.start());
    };
    return (
      server.up &&
      atOnceOr(world, random, kill, (then) => {
        server.onceSigned = then;
      })
    );
  },
  'power loss of a license server': (world, random) => {
    const server = world.licenseServers[member(random)];
    const { up } = server;
    server.crash('power');
    world.mend(random.between(20, 3_000), () => server.up || void server.start());
    return up;
  },
  'power loss everywhere': (world, random) => {
    for (const one of [1, 2, 3] as const) {
      const server = world.licenseServers[one];
      server.crash('power');
      world.mend(random.between(20, 1_000), () => server.up || void server.start());
    }
    for (const id of ['A', 'B'] as const) {
      const server = world.tmrServers[id];
      server.crash();
      world.mend(random.between(20, 1_000), () => server.up || server.start());
    }
    return true;
  },
  'two license servers gone': (world, random) => {
    const left = member(random);
    for (const one of ([1, 2, 3] as const).filter((other) => other !== left)) {
      const server = world.licenseServers[one];
      server.crash(random.pick(['power', 'process'] as const));
      world.mend(random.between(300, 5_000), () => server.up || void server.start());
    }
    return true;
  },
  'death within a disk operation': (world, random) => {
    const server = world.licenseServers[member(random)];
    if (!server.up) return false;
    const kind = othersUnwell(world, server.member) ? 'power' : random.pick(['power', 'io', 'no-space'] as const);
    const { memory } = server;
    memory.failAt({ step: memory.steps + 1 + random.below(12), kind });
    const look = (): void => {
      if (server.up && server.memory === memory) return void world.agenda.later(50, look);
      if (server.up) return;
      if (kind === 'power') memory.restartAfterPowerLoss();
      void server.start();
    };
    world.agenda.later(random.between(50, 2_000), look);
    return true;
  },
  'TMR server killed': (world, random) => {
    const server = world.tmrServers[tmr(random)];
    const kill = (): void => {
      server.crash();
      world.mend(random.between(20, 3_000), () => server.up || server.start());
    };
    return (
      server.up &&
      atOnceOr(world, random, kill, (then) => {
        server.onceCertified = then;
      })
    );
  },
  'planned switch': (world, random) => {
    const { runtime } = world.tmrServers[tmr(random)];
    if (runtime?.proposer.role !== 'leading') return false;
    runtime.handle({ kind: 'handOver' });
    return true;
  },
  'way cut in one direction': (world, random) => {
    const way = random.chance(0.5) ? `${tmr(random)}>L${member(random)}` : `L${member(random)}>${tmr(random)}`;
    return cutFor(world, random, [way]);
  },
  'way cut in both directions': (world, random) => {
    const [id, one] = [tmr(random), member(random)];
    return cutFor(world, random, [`${id}>L${one}`, `L${one}>${id}`]);
  },
  'server cut off': (world, random) => {
    const place = random.chance(0.5) ? tmr(random) : `L${member(random)}`;
    return cutFor(world, random, [`${place}>*`, `*>${place}`]);
  },
  'TMR server cut off from clients': (world, random) => {
    const id = tmr(random);
    return cutFor(world, random, [`C0>${id}`, `${id}>C0`]);
  },
  'bad weather': (world, random) => {
    const { network } = world;
    network.weather = {
      minMs: 0.1,
      maxMs: random.between(1, 60),
      lost: random.chance(0.5) ? random.between(0, 0.2) : 0,
      doubled: random.chance(0.5) ? random.between(0, 0.2) : 0,
      held: random.chance(0.5) ? random.between(0, 0.2) : 0,
    };
    world.mend(random.between(200, 3_000), () => {
      network.weather = CALM;
    });
    return true;
  },
  'machine stands still': (world, random) => {
    const { machine } = random.chance(0.5) ? world.tmrServers[tmr(random)] : world.licenseServers[member(random)];
    if (machine.stopped) return false;
    machine.stop();
    world.mend(random.between(20, 4_000), () => machine.goOn());
    return true;
  },
  'client asleep': (world, random) => {
    const client = random.pick(world.clients);
    const { machine } = client;
    const sleep = (): void => {
      // Within a second of its wall clock being set back, nobody could tell (PROTOCOL §10).
      if (machine.stopped || world.agenda.now - machine.setBackAt < 2_100) return;
      machine.sleep();
      world.mend(random.between(1_000, 20_000), () => machine.goOn());
    };
    if (machine.stopped) return false;
    if (random.chance(0.3)) {
      machine.setBack(random.between(1_000, 60_000));
      world.count("a client's wall clock was set back before it slept");
      world.agenda.later(random.between(2_100, 6_000), () => world.mended || sleep());
      return true;
    }
    return atOnceOr(world, random, sleep, (then) => {
      client.onceAsking = () => void world.agenda.later(random.between(0, 3), then);
    });
  },
  'slow disk': (world, random) => {
    const server = world.licenseServers[member(random)];
    const before = server.slowness;
    if (before > 6) return false; // it is already
    server.slowDown(random.between(10, 300));
    world.mend(random.between(200, 4_000), () => server.slowDown(before));
    return true;
  },
  'wall clock set': (world, random) => {
    const { machine } = random.chance(0.3) ? world.tmrServers[tmr(random)] : world.licenseServers[member(random)];
    const by = random.pick([-3_600_000, -2_000, 1_500, 3_600_000, 365 * 86_400_000]);
    machine.wallOffsetMs = world.wallOffsetMs + by;
    return true;
  },
  'clock runs wrong': (world, random) => {
    const { machine } = random.chance(0.3) ? world.tmrServers[tmr(random)] : world.licenseServers[member(random)];
    // Within what the protocol allows for; one that is wrong by far is a lie, and another fault.
    machine.runAtRate(1 + random.between(-0.004, 0.004));
    return true;
  },
  [PUT_BACK]: (world, random) => {
    const server = world.licenseServers[member(random)];
    if (!server.up) return false;
    const copy = server.memory.clone();
    const { mark } = server;
    world.agenda.later(random.between(300, 4_000), () => {
      if (world.mended || !server.up || othersUnwell(world, server.member)) return;
      world.harmed(PUT_BACK);
      server.crash('process', 'its store is put back');
      server.memory = copy;
      copy.restartAfterPowerLoss();
      if (random.chance(0.5)) server.mark = mark; // the container's file, too: only the peers can tell
      world.checks.signatures.storePutBack(server);
      void server.start();
    });
    return false; // not yet
  },
  'bit rot': (world, random) => {
    const server = world.licenseServers[member(random)];
    if (othersUnwell(world, server.member)) return false;
    server.crash('process', 'a bit of its log flips');
    void flipBit(world, random, server.member);
    return true;
  },
  'TMR server lies': (world, random) => {
    // Who leads has more to lie about.
    const leading = (['A', 'B'] as const).filter((id) => world.tmrServers[id].runtime?.proposer.role === 'leading');
    const server = world.tmrServers[leading.length > 0 && random.chance(0.7) ? random.pick(leading) : tmr(random)];
    const { liar } = server;
    world.lied.add(`TMR server ${liar.id}`);
    // Two logs of one epoch need the third server, which must not have forgotten its own, nor be gone.
    const mayEquivocate = world.burden === 'a server lies' && !world.shelf.isGone;
    const names = lieNames(mayEquivocate);
    for (let i = 1 + random.below(3); i > 0; i--) {
      const name = mayEquivocate && random.chance(0.2) ? FORKS_AND_GOES : random.pick(names);
      world.count(`lie: ${name}`);
      liar.begin(name);
      // Who alters a program sets clocks, too.
      if (name === HOLDS_TIME_BACK) runWild(world, random, 50);
      if (name === OTHER_UTC) FAULTS['wall clocks set everywhere']?.(world, random);
    }
    world.mend(random.between(200, 4_000), () => liar.lies.clear());
    liar.onceForked = () =>
      void world.agenda.later(random.between(1, 30), () => {
        if (world.mended) return;
        server.crash();
        world.mend(random.between(500, 3_000), () => server.up || server.start());
        // With one of three away, two logs that differ have to do.
        if (random.chance(0.7)) FAULTS['power loss of a license server']?.(world, random);
      });
    return true;
  },
  'license server lies': (world, random) => {
    const traitor = (world.traitor ??= new Traitor(world, world.licenseServers[member(random)], random.fork()));
    world.lied.add(`license server ${traitor.member}`);
    const name = random.pick(Object.keys(TREASONS));
    world.count(`treason: ${name}`);
    traitor.lies.add(name);
    const needsAnEpoch = ABOUT_EPOCHS.includes(name);
    if (needsAnEpoch) endEpoch(world, random);
    world.mend(random.between(needsAnEpoch ? 2_000 : 200, 4_000), () => traitor.lies.clear());
    return true;
  },
  clone: (world, random) => {
    const server = world.licenseServers[(world.cloned ??= member(random))];
    if (!server.up || world.clone !== undefined || world.shelf.isGone) return false;
    world.lied.add(`license server ${server.member}`);
    const clone = server.copy();
    const reachedBy = tmr(random);
    world.clone = { server: clone, reachedBy };
    void clone.start();
    world.tmrServers[reachedBy].hangUp(server.member);
    world.mend(random.between(1_000, 20_000), () => {
      clone.crash('power', 'the clone is switched off');
      world.clone = undefined;
    });
    return true;
  },
  'session evicted': (world, random) => {
    const sessions = world.ledgers().flatMap(({ ledger }) => [...ledger.sessions.values()]);
    if (sessions.length === 0) return false;
    world.office.evict(random.pick(sessions).handle);
    return true;
  },
  'everybody connects anew': (world) => {
    for (const client of world.clients) client.end();
    return true;
  },
  'more than it can take': (world, random) => {
    const before = world.pace;
    world.pace = 0.002;
    world.mend(random.between(200, 1_500), () => {
      world.pace = before;
    });
    return true;
  },
  'one clock runs wild': (world, random) => {
    // One wrong clock changes nothing: the second highest is proposed, and two have to let it pass (PROTOCOL §6.4). Two that
    // are wrong one after the other, within the life of a seat, are two (§11.6).
    runWild(world, random, random.pick([0.01, 0.5, 1.1, 3, 50]));
    return true;
  },
  'wall clocks set everywhere': (world, random) => {
    const by = random.pick([-86_400_000, 3_600_000, 365 * 86_400_000]);
    world.wallOffsetMs += by;
    setWallClocks(world);
    return true;
  },
  'license server replaced': replaceOne,
  'replaced server switched on': switchOn,
  'old message again': (world, random) => {
    const { heard } = world.network;
    if (heard.length === 0) return false;
    const { to, from, bytes } = random.pick(heard);
    const server = to.startsWith('L') ? world.licenseServers[Number(to[1]) as Member] : undefined;
    const link = server?.runtime?.links[from as Id];
    if (server === undefined || link === undefined) return false;
    server.receive(from as Id, link, bytes);
    return true;
  },
};

/** One license server's clock in a run, or a TMR server's. */
function runWild(world: World, random: Random, rate: number): void {
  world.wild ??= member(random);
  const { machine } = random.chance(0.3) ? world.tmrServers[tmr(random)] : world.licenseServers[world.wild];
  machine.runAtRate(rate);
  world.mend(random.between(200, 4_000), () => machine.runAtRate(1));
}

/** At any moment; or at the very one in which most is at stake: signed and not told, asked and not heard. */
function atOnceOr(world: World, random: Random, act: () => void, when: (then: () => void) => void): boolean {
  if (random.chance(0.5)) act();
  else when(() => world.mended || act());
  return true;
}

function setWallClocks(world: World): void {
  for (const one of [1, 2, 3] as const) world.licenseServers[one].machine.wallOffsetMs = world.wallOffsetMs;
  for (const id of ['A', 'B'] as const) world.tmrServers[id].machine.wallOffsetMs = world.wallOffsetMs;
}

async function flipBit(world: World, random: Random, one: Member): Promise<void> {
  const server = world.licenseServers[one];
  const names = (await server.memory.list()).filter((name) => server.memory.bytes(name).length > 0);
  if (names.length > 0) {
    const name = random.pick(names);
    const bit = random.below(8 * server.memory.bytes(name).length);
    server.memory.damage(name, (bytes) => {
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return bytes;
    });
    world.checks.signatures.mayForget(server);
  }
  world.mend(random.between(20, 1_000), () => server.up || void server.start());
}

function cutFor(world: World, random: Random, ways: readonly string[]): boolean {
  for (const way of ways) world.network.cuts.add(way);
  world.mend(random.between(50, 4_000), () => {
    for (const way of ways) world.network.cuts.delete(way);
  });
  return true;
}

/** All is mended, except what is named: one license server and one TMR server may stay broken for ever. */
export async function heal(world: World, spared: { member: Member | undefined; id: Id | undefined }): Promise<void> {
  calm(world);
  setWallClocks(world);
  for (const one of [1, 2, 3] as const) {
    const server = world.licenseServers[one];
    server.slowDown(1);
    server.memory.restartProcess();
    if (one === spared.member) server.crash('power', 'for good');
    else if (!server.up) void server.start();
  }
  for (const id of ['A', 'B'] as const) {
    const server = world.tmrServers[id];
    if (id === spared.id) server.crash();
    else if (!server.up) server.start();
  }
}

/** What mends itself has done so; faults that leave something for ever stay. */
export function calm(world: World): void {
  world.mendNow();
  world.network.cuts.clear();
  world.network.weather = CALM;
}
