import type { Random } from '@trefoil/sim/random';
import type { ClientHandle } from './client-handle.ts';
import type { TestedGroup } from './tested-group.ts';
import type { TestedServer } from './tested-server.ts';
import type { Link } from './way.ts';

/** Something that goes wrong for a while. */
export interface Fault {
  readonly kind: string;
  /** For a person who watches. */
  readonly words: string;
  readonly forMs: number;
  /** Servers that can't do their part meanwhile, and who of them must not be hurt in another way at the same time. */
  readonly hurts: readonly TestedServer[];
  readonly seizes: readonly TestedServer[];
  /** The group has to be whole before: one loss of memory at a time is what it bears (PROTOCOL §7.3). */
  readonly needsWhole?: boolean;
  begin(): Promise<void>;
  end(): Promise<void>;
}

export interface Victims {
  readonly group: TestedGroup;
  readonly clients: () => readonly ClientHandle[];
  readonly replaceClient: (client: ClientHandle) => Promise<void>;
  readonly random: Random;
}

type Draw = (victims: Victims) => Fault | undefined;

/** How often which kind is drawn, and how. */
const DRAWS: readonly (readonly [number, Draw])[] = [
  [5, killed],
  [5, stopped],
  [1, allKilled],
  [2, diskFull],
  [3, clockSet],
  [5, linkCut],
  [3, cutOff],
  [2, linkReset],
  [3, linkSlow],
  [2, clientKilled],
  [2, clientStopped],
  [1, clientClockSet],
  [1, bitFlipped],
  [1, storePutBack],
];

/** Undefined: what was drawn can't happen just now. */
export function drawFault(victims: Victims): Fault | undefined {
  const all = DRAWS.reduce((sum, [weight]) => sum + weight, 0);
  let ticket = victims.random.between(0, all);
  for (const [weight, draw] of DRAWS) {
    ticket -= weight;
    if (ticket < 0) return draw(victims);
  }
  return undefined;
}

const CLOCK_OFFSETS_S = [-72_000, -3_600, -60, -1.5, 1.5, 60, 3_600, 72_000, 864_000];

function free(group: TestedGroup, kind?: TestedServer['kind']): TestedServer[] {
  return group.all(kind).filter((server) => server.hurt === undefined && server.running);
}

function killed({ group, random }: Victims): Fault | undefined {
  const servers = free(group);
  if (servers.length === 0) return undefined;
  const server = random.pick(servers);
  const forMs = random.between(100, random.chance(0.2) ? 8_000 : 2_500);
  return {
    ...{ kind: 'kill -9', words: `kill −9 of ${server.name}`, forMs, hurts: [server], seizes: [server] },
    begin: () => server.process.kill(),
    end: () => server.start(),
  };
}

function allKilled({ group, random }: Victims): Fault | undefined {
  const servers = free(group);
  if (servers.length < 5) return undefined;
  return {
    ...{ kind: 'all killed', words: 'kill −9 of all five servers', forMs: random.between(100, 3_000) },
    ...{ hurts: servers, seizes: servers },
    begin: async () => void (await Promise.all(servers.map((server) => server.process.kill()))),
    end: async () => void (await Promise.all(servers.map((server) => server.start()))),
  };
}

function stopped({ group, random }: Victims): Fault | undefined {
  const servers = free(group);
  if (servers.length === 0) return undefined;
  const server = random.pick(servers);
  const forMs = random.between(50, random.chance(0.2) ? 9_000 : 2_000);
  return {
    ...{ kind: 'SIGSTOP', words: `SIGSTOP of ${server.name}`, forMs, hurts: [server], seizes: [server] },
    begin: async () => server.signal('SIGSTOP'),
    end: async () => server.signal('SIGCONT'),
  };
}

function diskFull({ group, random }: Victims): Fault | undefined {
  const servers = free(group).filter((server) => server.disk !== undefined);
  if (servers.length === 0) return undefined;
  const server = random.pick(servers);
  return {
    ...{ kind: 'disk full', words: `the disk of ${server.name} is full`, forMs: random.between(2_000, 9_000) },
    ...{ hurts: [server], seizes: [server] },
    begin: async () => server.disk?.fill(),
    end: async () => {
      await server.disk?.free();
      if (!server.running) await server.start();
    },
  };
}

function clockSet({ group, random }: Victims): Fault | undefined {
  const servers = group.all().filter((server) => server.clock !== undefined);
  if (servers.length === 0) return undefined;
  const several = random.chance(0.2) ? group.all('license-server') : [random.pick(servers)];
  const offset = random.pick(CLOCK_OFFSETS_S);
  const names = several.map((server) => server.name).join(' and ');
  return {
    ...{ kind: 'clock set', words: `the wall clock of ${names} is set by ${offset} s`, hurts: [], seizes: [] },
    forMs: random.between(500, 12_000),
    begin: () => setClocks(several, offset),
    end: () => setClocks(several, 0),
  };
}

async function setClocks(servers: readonly TestedServer[], offsetSeconds: number): Promise<void> {
  for (const server of servers) await server.clock?.set(offsetSeconds);
}

/** One of all links, and the server whose part it is. */
function pickLink({ group, random }: Victims): { name: string; link: Link; servers: TestedServer[] } {
  const name = random.pick([...group.links.keys()]);
  const [first = ''] = name.split(' ');
  const server = group.servers.get(first);
  return { name: name.replace(' ', ' and '), link: group.links.get(name) as Link, servers: server ? [server] : [] };
}

function linkCut(victims: Victims): Fault {
  const { random } = victims;
  const { name, link, servers } = pickLink(victims);
  const ways = random.pick([
    ['in both directions', [link.there, link.back]],
    ['towards the first', [link.there]],
    ['towards the second', [link.back]],
  ] as const);
  return {
    ...{ kind: `link cut ${ways[0] === 'in both directions' ? 'both ways' : 'one way'}`, hurts: servers, seizes: [] },
    words: `nothing passes between ${name} ${ways[0]}`,
    forMs: random.between(100, random.chance(0.3) ? 9_000 : 2_500),
    begin: async () => ways[1].forEach((way) => way.cut()),
    end: async () => {
      link.heal();
      // Who has waited for too long finds the connection dead; else all comes late.
      if (random.chance(0.5)) link.reset();
    },
  };
}

function cutOff({ group, random }: Victims): Fault {
  const server = random.pick(group.all());
  const links = [...group.links].filter(([name]) => name.split(' ').includes(server.name)).map(([, link]) => link);
  return {
    ...{ kind: 'server cut off', words: `${server.name} is cut off from everybody`, hurts: [server], seizes: [] },
    forMs: random.between(200, random.chance(0.3) ? 9_000 : 3_000),
    begin: async () =>
      links.forEach((link) => {
        link.there.cut();
        link.back.cut();
      }),
    end: async () => links.forEach((link) => link.heal()),
  };
}

function linkReset(victims: Victims): Fault {
  const { name, link } = pickLink(victims);
  return {
    ...{ kind: 'connections reset', words: `connections between ${name} are reset`, forMs: 0, hurts: [], seizes: [] },
    begin: async () => link.reset(),
    end: async () => undefined,
  };
}

function linkSlow(victims: Victims): Fault {
  const { random } = victims;
  const { name, link, servers } = pickLink(victims);
  const delayMs = Math.round(random.between(5, random.chance(0.3) ? 1_500 : 150));
  return {
    ...{ kind: 'link slow', words: `between ${name} everything takes ${delayMs} ms more`, hurts: servers, seizes: [] },
    forMs: random.between(500, 6_000),
    begin: async () => {
      link.there.delayMs = delayMs;
      link.back.delayMs = delayMs;
    },
    end: async () => link.heal(),
  };
}

function clientKilled({ clients, replaceClient, random }: Victims): Fault | undefined {
  const awake = clients().filter((client) => !client.stopped);
  if (awake.length === 0) return undefined;
  const client = random.pick(awake);
  return {
    ...{
      kind: 'client killed',
      words: `kill −9 of ${client.name}; another one starts`,
      forMs: 0,
      hurts: [],
      seizes: [],
    },
    begin: () => replaceClient(client),
    end: async () => undefined,
  };
}

function clientStopped({ clients, random }: Victims): Fault | undefined {
  const awake = clients().filter((client) => !client.stopped);
  if (awake.length === 0) return undefined;
  const client = random.pick(awake);
  return {
    ...{ kind: 'client stopped', words: `SIGSTOP of ${client.name}`, hurts: [], seizes: [] },
    forMs: random.between(100, random.chance(0.4) ? 14_000 : 3_000),
    begin: async () => client.stop(),
    end: async () => client.goOn(),
  };
}

function clientClockSet({ clients, random }: Victims): Fault {
  const client = random.pick(clients());
  const offsetMs = 1_000 * random.pick(CLOCK_OFFSETS_S);
  return {
    ...{ kind: 'client clock set', words: `the wall clock of ${client.name} is set by ${offsetMs / 1_000} s` },
    ...{ forMs: random.between(500, 8_000), hurts: [], seizes: [] },
    begin: async () => client.order({ kind: 'set-clock', offsetMs }),
    end: async () => client.order({ kind: 'set-clock', offsetMs: 0 }),
  };
}

function bitFlipped({ group, random }: Victims): Fault | undefined {
  const servers = free(group, 'license-server');
  if (servers.length === 0) return undefined;
  const server = random.pick(servers);
  return {
    ...{ kind: 'bit flipped', words: `a bit of the log of ${server.name} flips`, needsWhole: true },
    ...{ forMs: random.between(100, 1_500), hurts: [server], seizes: [server] },
    begin: async () => {
      await server.process.kill();
      await server.flipBit(random.unit());
    },
    end: () => server.start(),
  };
}

function storePutBack({ group, random }: Victims): Fault | undefined {
  const servers = free(group, 'license-server');
  if (servers.length === 0) return undefined;
  const server = random.pick(servers);
  return {
    ...{ kind: 'store put back', words: `an older copy of the log of ${server.name} is put back`, needsWhole: true },
    ...{ forMs: random.between(500, 4_000), hurts: [server], seizes: [server] },
    begin: async () => {
      await server.process.kill();
      await server.copyStore();
      await server.start();
    },
    end: async () => {
      await server.process.kill();
      await server.putStoreBack();
      await server.start();
    },
  };
}
