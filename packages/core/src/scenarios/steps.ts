import type { Member, TmrServer } from '@trefoil/license';
import { evictBy, forge, forgeEviction, rule, vendorSells, writeOffBy } from './commands.ts';
import { lies } from './lies.ts';
import { plugIn, replace } from './machines.ts';
import type { Scenario } from './scenario.ts';
import type { NodeName } from './world.ts';

type Step = (scenario: Scenario, ...words: string[]) => void;

/** "A, L1 and L2", "alice and bob". */
function names(list: string): string[] {
  return list.split(/, | and /);
}

const memberOf = (name: string): Member => Number(name.slice(1)) as Member;
const isTmrServer = (name: string): name is TmrServer => name === 'A' || name === 'B';

function start(scenario: Scenario, list: string): void {
  const { world } = scenario;
  const one = (name: string): void =>
    isTmrServer(name) ? world.startProposer(name) : world.startVoter(memberOf(name));
  if (list !== 'all') return names(list).forEach(one);
  for (const name of ['L1', 'L2', 'L3', 'A']) one(name);
  world.clockwork.run(2_300); // so that A leads: easier to follow
  one('B');
  world.clockwork.run(200);
}

/** Both directions, and silently, as a pulled cable does. */
function cut(scenario: Scenario, one: string, others: string): void {
  if (!/^(A|B|L[123])$/.test(one)) scenario.world.serves(undefined, one);
  for (const other of names(others)) scenario.world.cuts.add(`${one}>${other}`).add(`${other}>${one}`);
}

function mend(scenario: Scenario, one: string, others: string): void {
  const { world } = scenario;
  for (const other of names(others)) {
    world.cuts.delete(`${one}>${other}`);
    world.cuts.delete(`${other}>${one}`);
    const pair = [one, other];
    const id = pair.find(isTmrServer);
    const member = pair.find((name) => /^L[123]$/.test(name));
    if (id !== undefined && member !== undefined) world.link(id, memberOf(member));
  }
}

/** Each does the same, at once; then everybody's answer is waited for, unless the step says otherwise. */
function each(scenario: Scenario, list: string, wait: string, act: (name: string) => void): void {
  for (const name of names(list)) act(name);
  if (wait === '') scenario.settle();
}

/** "cad and 2 seats of cam". */
function seatsIn(what: string): { product: string; seats: number }[] {
  return what.split(' and ').map((part) => {
    const [, seats = '1', product = part] = /^(\d+) seats? of (\S+)$/.exec(part) ?? [];
    return { product, seats: Number(seats) };
  });
}

function acquire(scenario: Scenario, who: string, what: string, { wait = '', waitMs = 0 }): void {
  const items = seatsIn(what);
  each(scenario, who, wait, (name) => scenario.client(name).acquire(items, waitMs));
}

/** "3 units of sim and 2 uses of sim/boost". */
function consume(scenario: Scenario, who: string, what: string, wait = ''): void {
  const items = what.split(' and ').map((part) => {
    const [, count, product = '', feature = ''] = /^(\d+) (?:unit|use)s? of ([^/]+)\/?(\S*)$/.exec(part) ?? [];
    if (count === undefined) throw new RangeError(`nothing to consume: ${part}`);
    return { product, feature, count: Number(count) };
  });
  each(scenario, who, wait, (name) => scenario.client(name).consume(items));
}

const HOURS = 3_600_000;

const steps: readonly (readonly [RegExp, Step])[] = [
  ...lies,
  [
    /^snapshots every (\d+) entries, (\d+) bytes in memory$/,
    (scenario, entries, bytes) => {
      scenario.options = { snapshotEveryEntries: Number(entries), recentBytes: Number(bytes) };
    },
  ],
  [
    /^room for (\d+) waiting commands$/,
    (scenario, count) => {
      scenario.options = { queuedCommands: Number(count) };
    },
  ],
  [
    /^([AB]) serves (\d+) clients$/,
    (scenario, id, count) => {
      for (let i = Number(count); i > 0; i--) scenario.world.serves(id as TmrServer, `somebody ${i}`);
    },
  ],
  [/^start (.+)$/, (scenario, list = '') => start(scenario, list)],
  [/^restart (.+)$/, (scenario, list = '') => start(scenario, list)],
  [/^crash (.+)$/, (scenario, list = '') => names(list).forEach((one) => scenario.world.crash(one as NodeName))],
  [
    /^(.+?) gets? (?:a program|programs) of rules (\d+)$/,
    (scenario, list = '', rules) => {
      const all = ['L1', 'L2', 'L3', 'A', 'B'];
      for (const name of list === 'all' ? all : names(list)) scenario.world.programs[name as NodeName] = Number(rules);
    },
  ],
  [/^rules$/, (scenario) => scenario.sayRules()],
  [/^([AB]) hands over$/, (scenario, id) => scenario.world.handOver(id as TmrServer)],
  [/^cut (.+?) from (.+)$/, (scenario, one = '', others = '') => cut(scenario, one, others)],
  [/^mend (.+?) to (.+)$/, (scenario, one = '', others = '') => mend(scenario, one, others)],
  [
    /^run (\d+) (ms|s|min)$/,
    (scenario, count, unit) =>
      scenario.world.clockwork.run(Number(count) * (unit === 'ms' ? 1 : unit === 's' ? 1_000 : 60_000)),
  ],
  [/^status$/, () => undefined],
  [/^vendor sells (\S+): (.+)$/, (scenario, license = '', terms = '') => vendorSells(scenario, license, terms)],
  [
    /^(.+) on (\S+) opens? a session$/,
    (scenario, who = '', host = '') => each(scenario, who, '', (name) => scenario.add(name, host).openSession()),
  ],
  [
    /^(.+?) acquires? (.+?)(, not waiting)?$/,
    (scenario, who = '', what = '', wait) => acquire(scenario, who, what, { wait }),
  ],
  [
    /^(.+?) waits? up to (\d+) s for (.+)$/,
    (scenario, who = '', seconds, what = '') => acquire(scenario, who, what, { waitMs: 1_000 * Number(seconds) }),
  ],
  [
    /^(.+?) releases? (\S+?)(, not waiting)?$/,
    (scenario, who = '', product = '', wait) =>
      each(scenario, who, wait ?? '', (name) => scenario.client(name).release(product)),
  ],
  [
    /^(.+?) borrows? (.+) for (\d+) s(, not waiting)?$/,
    (scenario, who = '', what = '', seconds, wait = '') =>
      each(scenario, who, wait, (name) => scenario.client(name).borrow(seatsIn(what), 1_000 * Number(seconds))),
  ],
  [
    /^(.+?) extends? (\S+) for (\d+) s$/,
    (scenario, who = '', product = '', seconds) =>
      each(scenario, who, '', (name) => scenario.client(name).extend(product, 1_000 * Number(seconds))),
  ],
  [
    /^(.+?) consumes? (\d+ .+?)(, not waiting)?$/,
    (scenario, who = '', what = '', wait) => consume(scenario, who, what, wait),
  ],
  [
    /^(.+?) keeps? renewing$/,
    (scenario, who = '') => names(who).forEach((name) => scenario.client(name).keepRenewing()),
  ],
  [
    /^(.+?) falls? silent$/,
    (scenario, who = '') => names(who).forEach((name) => (scenario.client(name).renewing = false)),
  ],
  [
    /^(.+?) renews?(, not waiting)?$/,
    (scenario, who = '', wait) => each(scenario, who, wait ?? '', (name) => scenario.client(name).renew()),
  ],
  [/^(.+?) asks? again$/, (scenario, who = '') => each(scenario, who, '', (name) => scenario.client(name).askAgain())],
  [
    /^(.+?) closes? the session$/,
    (scenario, who = '') => each(scenario, who, '', (name) => scenario.client(name).close()),
  ],
  [/^the admin rules: (.+)$/, (scenario, rules = '') => rule(scenario, rules)],
  [/^the admin evicts (\S+)$/, (scenario, name = '') => evictBy(scenario, name)],
  [/^the admin writes off (\S+)$/, (scenario, name = '') => writeOffBy(scenario, name)],
  [
    /^(\S+) sends (\d+) commands at once$/,
    (scenario, name = '', count) => {
      for (let i = Number(count); i > 0; i--) scenario.client(name).acquire([{ product: 'cad', seats: 1 }]);
    },
  ],
  [
    /^(L\d)'s wall clock is (\d+) h (fast|slow)$/,
    (scenario, name = '', hours, way) => {
      scenario.world.wallOffsetMs[memberOf(name)] = Number(hours) * HOURS * (way === 'fast' ? 1 : -1);
    },
  ],
  [
    /^([AB]) runs (\d+) s ahead of the log clocks$/,
    (scenario, id, seconds) => {
      scenario.world.hurryMs[id as TmrServer] = 1_000 * Number(seconds);
    },
  ],
  [
    /^copy the store of (L\d)$/,
    (scenario, name = '') => {
      scenario.copies.set(memberOf(name), scenario.world.voters[memberOf(name)].store.records.slice());
    },
  ],
  [
    /^put the copy back into (L\d)$/,
    (scenario, name = '') => {
      scenario.world.voters[memberOf(name)].store.records = scenario.copies.get(memberOf(name)) ?? [];
    },
  ],
  [
    /^(?:a|the) (new|other) machine is plugged in as (L\d)$/,
    (scenario, which, name = '') => plugIn(scenario, memberOf(name), which as 'new' | 'other'),
  ],
  [
    /^the vendor replaces (L\d)(?:, without (\S+))?$/,
    (scenario, name = '', lacking) => replace(scenario, memberOf(name), lacking),
  ],
  [/^A forges (?:a|an) (\w+) for (\S+)$/, (scenario, what = '', name = '') => forge(scenario, what, name)],
  [/^A forges an eviction of (\S+)$/, (scenario, name = '') => forgeEviction(scenario, name)],
];

/** One step, and what came of it. */
function perform(scenario: Scenario, text: string): string[] {
  for (const [pattern, step] of steps) {
    const match = pattern.exec(text);
    if (match === null) continue;
    step(scenario, ...match.slice(1));
    return text === 'status' ? [...scenario.takeLines(), ...scenario.status()] : scenario.takeLines();
  }
  throw new RangeError(`no such step: ${text}`);
}

/** Runs a scenario text and returns it with what happened in this run. */
export function play(scenario: Scenario, text: string): string {
  const out: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('> ')) out.push(line, ...perform(scenario, line.slice(2)));
    else if (line.startsWith('#') || line === '') {
      if (line !== '' || out.at(-1) !== '') out.push(line);
    }
  }
  return `${out.join('\n').trimEnd()}\n`;
}
