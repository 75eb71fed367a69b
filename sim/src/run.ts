import { isSuspect, LIMITS, RULES_VERSION } from '@trefoil/core';
import { Assortment } from './assortment.ts';
import { bytesKey, type Member, type TmrServer as Id } from '@trefoil/license';
import { SEAT_TIMEOUT_MS } from './client-history.ts';
import { calm, FAULTS, harm, heal } from './faults.ts';
import { Random } from './random.ts';
import { type Burden, BUSY, FIRST_START_MS, SELDOM, World } from './world.ts';

export interface RunResult {
  readonly seed: number;
  readonly faults: readonly string[];
  readonly notes: readonly string[];
  readonly traceHash: string;
  readonly entries: number;
  /** A clone or a false license server has forked or halted the group: it ended there. */
  readonly cutShort: boolean;
  /** Things that went wrong. */
  readonly harms: number;
  /** From when all was mended until the next entry was certified. */
  readonly backAfterMs: number;
  readonly simulatedMs: number;
  readonly counts: ReadonlyMap<string, number>;
}

const ENTRIES = 300;
const FAULTS_AT_LEAST = 5;
/** Then it goes on in calm: a group that is hurt again before it has found itself does nothing, for ever. */
const LONGEST_MS = 7_000;
/** Who has harmed nobody for so long never will: that is told, instead of going on for ever. */
const LONGEST_UNHARMED_MS = 120_000;
/** In some runs seats have the time to run out (after 10 s), and laptops to sleep for longer than that. */
const PATIENT = 0.15;
const PATIENT_MS = 35_000;
const ALSO_IN_CALM_MS = 60_000;
/** After healing, a new certificate within this, and in no more epochs (PROTOCOL §9.13). */
const HEALING_MS = 2_000;
const MOST_EPOCHS = 3;
const LIVENESS_MS = 3_000;
const QUIET_MS = 4_000;
/** In some runs what clients leave behind has the time to run out. */
const IDLE = 0.5;
const IDLE_MS = 3 * SEAT_TIMEOUT_MS;
/** A grant's life is longer for the group by its clocks' tolerance, and log time goes on by entries. */
const FREED_WITHIN_MS = 2_500;
const LOOKS = 3;

/** From a seed to that of what is sold beside plain seats and units, and to that of whether seats may leave. */
const ASSORTED = 0x5a1e;
const LENDING = 0x1e4d;

const BURDENS: Readonly<Record<Burden, readonly string[]>> = {
  'a server forgets': ['store put back', 'bit rot'],
  'a server lies': ['license server lies'],
  'a store is cloned': ['clone'],
};

/** One world from one seed: a time in which things go wrong, then one in which enough is mended that all must be served. */
export async function run(seed: number): Promise<RunResult> {
  const world = new World(seed);
  world.assortment = Assortment.drawn(world, new Random(seed + ASSORTED), new Random(seed + LENDING));
  // An assumption of the product or of this program does not hold: the one would stop its process, the other is a bug here.
  const stopped = (error: unknown): void =>
    world.checks.fault(`stopped: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.on('unhandledRejection', stopped);
  await live(world).catch(stopped);
  await new Promise(setImmediate); // Node tells of rejections that nobody handles when it has nothing else to do
  process.off('unhandledRejection', stopped);
  return {
    ...{ seed, faults: world.checks.faults, notes: world.notes, traceHash: world.traceHash, counts: world.counts },
    ...{ entries: world.checks.newestCertified, cutShort: world.forked || world.halted, harms: world.harms },
    backAfterMs: world.backAfterMs ?? 0,
    simulatedMs: world.agenda.now,
  };
}

async function live(world: World): Promise<void> {
  const { agenda, checks, random } = world;
  await world.start();
  world.sell('hot-1', 'hot', 3);
  world.sell('cold-1', 'cold', 4);
  world.sell('line-1', 'line', 2);
  world.sell('row-1', 'row', 2);
  world.sell('units-1', 'units', 0, 100_000);
  world.assortment?.open();
  // Mostly when the group is there; but things go wrong on the first day, too.
  const beginsAt = random.chance(0.1) ? 1_000 : FIRST_START_MS;
  await agenda.runUntil(beginsAt);
  // Not sooner: of 300 entries, most are to see something go wrong.
  world.arrive(3 + random.below(5));
  const course = courseOf(world);
  const isOn = (): boolean =>
    (world.harms < FAULTS_AT_LEAST && agenda.now < beginsAt + LONGEST_UNHARMED_MS) ||
    (agenda.now < beginsAt + course.longestMs && checks.newestCertified < course.entries);
  while (checks.faults.length === 0 && !world.forked && isOn()) {
    harm(world, random.pick(course.faults), random);
    if (random.chance(0.1)) sellAnew(world);
    world.assortment?.stir();
    await agenda.runUntil(agenda.now + random.between(0.2, 1.8) * course.everyMs);
    if (random.chance(0.04)) await pauseForBreath(world);
    checks.count();
    checks.held();
    checks.sameLedgers();
  }
  const unharmed = world.harms < FAULTS_AT_LEAST && checks.faults.length === 0 && !world.forked;
  if (unharmed) checks.fault(`the simulator: ${world.harms} things went wrong in ${LONGEST_UNHARMED_MS} ms`);
  if (checks.faults.length === 0 && !world.forked) {
    await world.programs.exchangeTheRest();
    await liveness(world);
  }
  if (world.forked) forked(world);
}

/** More, or fewer: nobody is thrown out then, and nobody gets a seat that isn't there. */
function sellAnew(world: World): void {
  const product = world.random.chance(0.7) ? 'hot' : 'line';
  const { quantity = 3 } = world.sold.get(`${product}-1`) ?? {};
  world.sell(`${product}-1`, product, world.random.chance(0.6) ? quantity + 1 : Math.max(1, quantity - 1));
}

/** All that is certified has come to all who are up, none of them waits for the others, and nobody for an answer. */
function isAtRest({ checks, clients, licenseServers, tmrServers }: World): boolean {
  const voters = Object.values(licenseServers).flatMap(({ runtime }) => runtime?.voter ?? []);
  const proposers = Object.values(tmrServers).flatMap(({ runtime }) => runtime?.proposer ?? []);
  const settled = voters.length < 3 || voters.every(({ withholding }) => withholding === '');
  const asked = clients.some(({ waitingSince }) => waitingSince !== undefined);
  return settled && !asked && checks.complete().length >= voters.length + proposers.length;
}

/** Whoever is alive keeps what it holds, and everything else is free by then: nothing is taken for nobody. */
async function idle(world: World): Promise<void> {
  const { agenda, checks } = world;
  world.count('nobody wants anything for a while');
  world.idle = true;
  await agenda.runUntil(agenda.now + IDLE_MS);
  // A seat that was not renewed, for its time is not paid for, ends for its client a little before it is free (§6.7): that is
  // no seat taken for nobody. One that is, is taken a moment later, too (seed 430817).
  for (let looks = 1; takenForNobody(world).length > 0 && looks < LOOKS; looks++)
    await agenda.runUntil(agenda.now + FREED_WITHIN_MS);
  for (const what of takenForNobody(world)) checks.fault(what);
}

function takenForNobody(world: World): string[] {
  const found: string[] = [];
  for (const license of world.mostSold.keys()) {
    const held = world.clients.flatMap((client) => client.heldSeats());
    const inUse = seatsOf(
      world,
      license,
      held.map(({ session, grants }) => ({ session, items: grants })),
    );
    for (const { name, ledger } of world.checks.complete()) {
      const holders = ledger.licenses.get(license)?.holders ?? [];
      const used = seatsOf(
        world,
        license,
        holders.map(({ session, item }) => ({ session, items: [item] })),
      );
      if (used !== inUse)
        found.push(`9.9 ${used} seats of ${license} are taken in the ledger of ${name}, ${inUse} are in use`);
    }
  }
  return found;
}

/** Without those of sessions in which a liar has asked, too: whoever is in one renews what he knows nothing of (PROTOCOL §10). */
function seatsOf(
  { history }: World,
  license: string,
  held: readonly { session: { id: Uint8Array }; items: readonly { license: string; seats: number }[] }[],
): number {
  return held
    .filter(({ session }) => !history.usedByLiars.has(bytesKey(session.id)))
    .flatMap(({ items }) => items.filter((item) => item.license === license))
    .reduce((sum, { seats }) => sum + seats, 0);
}

interface Course {
  readonly faults: readonly string[];
  readonly everyMs: number;
  readonly longestMs: number;
  readonly entries: number;
}

/** Not all kinds in each run: what hides behind another is found where the other is missing. */
function courseOf(world: World): Course {
  const { random } = world;
  const names = Object.keys(FAULTS);
  world.burden = random.pick(Object.keys(BURDENS) as Burden[]);
  const unborne = Object.entries(BURDENS).flatMap(([burden, faults]) => (burden === world.burden ? [] : faults));
  const often = [...BURDENS[world.burden], 'TMR server lies', 'license server replaced', 'replaced server switched on'];
  const faults = names.filter((name) => !unborne.includes(name) && random.chance(often.includes(name) ? 0.7 : 0.35));
  if (random.chance(PATIENT)) {
    world.pace = SELDOM;
    return {
      ...{ faults: [...faults, 'client asleep'], everyMs: random.pick([1_500, 3_000]) },
      ...{ longestMs: PATIENT_MS, entries: Infinity },
    };
  }
  if (faults.length === 0) faults.push(random.pick(names));
  return { faults, everyMs: random.pick([60, 150, 600, 1_500]), longestMs: LONGEST_MS, entries: ENTRIES };
}

/** §7.4: what can't be prevented has to be proved. */
function forked(world: World): void {
  world.count(world.cloned === undefined ? 'fork by a false license server' : 'fork by a clone');
  if (!world.evidence.culprits.has('the container set')) world.checks.fault('7.4 a fork, and nobody can prove it');
}

/** A quarter of the time nothing goes wrong: what a fault has left behind shows when service is back. */
async function pauseForBreath(world: World): Promise<void> {
  calm(world);
  await world.agenda.runUntil(world.agenda.now + world.random.between(300, 3_000));
}

const DUELS = ['nobody who leads is heard', 'the last attempt got too few promises'];

/** An alarm that goes on is counted once. From now on each is new: what is alarmed counts if it still is so. */
function endAlarms({ tmrServers }: World): void {
  for (const { runtime } of Object.values(tmrServers))
    for (const { code, about } of runtime?.alarms.current() ?? []) runtime?.alarms.clear(code, about);
}

/** Where the protocol says that a group may stand still for good (PROTOCOL §10), and by what it is known. */
const HALTS: readonly { name: string; sign: string; may: (world: World) => boolean }[] = [
  {
    name: 'a clone has led to two logs that lack what is certified',
    sign: 'alarm: certified-entry-missing',
    may: ({ cloned }) => cloned !== undefined,
  },
  {
    name: 'the first entry of all is of a time to come, and one license server is suspect',
    sign: 'refused: utc',
    may: ({ checks, licenseServers }) =>
      checks.newestCertified === 0 &&
      Object.values(licenseServers).some(({ runtime }) => runtime !== undefined && isSuspect(runtime.voter)),
  },
];

/** Epochs that were asked for because nobody led; not those to take somebody in. */
function duelsSoFar({ counts }: World): number {
  return DUELS.reduce((sum, why) => sum + (counts.get(`asks for an epoch: ${why}`) ?? 0), 0);
}

/** By how much one that is alone with its wrong clock has let an entry pass too early: it may have to wait for its time (PROTOCOL §6.2). */
function tooEarlyMs({ checks, licenseServers, wild }: World): number {
  const tail = wild === undefined ? undefined : licenseServers[wild].runtime?.voter.replica.tail;
  return Math.max(0, (tail?.entry.logTime ?? 0) - checks.newestLogTime);
}

/** Whoever lies of what it knows, or keeps it to itself, keeps the rules from rising. */
function isHonest({ traitor, tmrServers }: World): boolean {
  return traitor === undefined && Object.values(tmrServers).every(({ liar }) => !liar.hasLied);
}

/** §4.10: all five have the new program, and all are there. */
function risen(world: World): void {
  const versions = world.checks.complete().map(({ ledger }) => ledger.rulesVersion);
  if (!versions.every((one) => one === RULES_VERSION))
    world.checks.fault(`4.10 all know rules ${RULES_VERSION}, and the logs are under ${versions.join(', ')}`);
}

/** §9.9: with one license server and one TMR server down for good, everybody is served. */
async function liveness(world: World): Promise<void> {
  const { agenda, checks, random } = world;
  world.mended = true;
  calm(world);
  const withheld = ([1, 2, 3] as const).filter(
    (one) => (world.licenseServers[one].runtime?.voter.withholding ?? 'down') !== '',
  );
  // A server that has forgotten needs both of its peers, and two logs of one epoch need the third.
  const allNeeded = withheld.length > 0 || world.lied.size > 0;
  const spared: { member: Member | undefined; id: Id | undefined } = {
    member: allNeeded || random.chance(0.5) ? undefined : random.pick([1, 2, 3] as const),
    id: random.chance(0.5) ? undefined : random.pick(['A', 'B'] as const),
  };
  world.note(`all is mended, except ${spared.member === undefined ? '' : `L${spared.member}`} ${spared.id ?? ''}`);
  const { newestCertified } = checks;
  await heal(world, spared);
  const healedAt = agenda.now;
  // Two that have just started wait for each other (PROTOCOL §7.5); so does a third that has to decide between two logs (§4.3).
  const waits = withheld.length > (world.lied.size > 0 ? 0 : 1);
  const healingMs = HEALING_MS + (waits ? LIMITS.rejoinWaitMs : 0) + tooEarlyMs(world);
  while (checks.newestCertified <= newestCertified && agenda.now < healedAt + healingMs)
    await agenda.runUntil(agenda.now + 20);
  if (checks.newestCertified > newestCertified) world.backAfterMs = agenda.now - healedAt;
  await agenda.runUntil(healedAt + healingMs);
  if (world.forked) return; // of what was certified before, somebody hears only now
  const before = checks.newestCertified;
  const duels = duelsSoFar(world);
  endAlarms(world);
  const halts = HALTS.map((halt) => world.counts.get(halt.sign));
  world.servedFrom = agenda.now;
  for (const client of world.clients) client.startCounting();
  await agenda.runUntil(agenda.now + LIVENESS_MS);
  if (checks.newestCertified <= before) {
    const halt = HALTS.find(({ sign, may }, i) => world.counts.get(sign) !== halts[i] && may(world));
    world.halted = halt !== undefined;
    if (halt !== undefined) return world.count(`halted: ${halt.name}`);
    checks.fault(`9.13 nothing is certified after all was mended`);
  } else if (world.backAfterMs === undefined) checks.fault(`9.13 no entry within ${healingMs} ms after all was mended`);
  for (const client of world.clients) {
    client.mustBeServed();
    client.mustHaveAnswers();
  }
  const epochs = duelsSoFar(world) - duels;
  if (epochs > MOST_EPOCHS) checks.fault(`9.13 ${epochs} epochs were asked for before somebody led`);
  if (checks.newestCertified < ENTRIES) world.pace = BUSY;
  const until = agenda.now + ALSO_IN_CALM_MS;
  while (checks.newestCertified < ENTRIES && agenda.now < until) await agenda.runUntil(agenda.now + 500);
  for (const one of world.unserved) checks.fault(`9.9 ${one}`);
  checks.count();
  if (checks.faults.length === 0 && !world.forked && random.chance(IDLE)) await idle(world);
  // When nobody asks any more, all logs come to the same end; then, and only then, are ledgers compared.
  world.quiet = true;
  await agenda.runUntil(agenda.now + 200);
  // Between two of the empty entries, that is; and a start may be under way.
  const end = agenda.now + QUIET_MS;
  while (!isAtRest(world) && agenda.now < end) await agenda.runUntil(agenda.now + 20);
  if (world.forked) return;
  checks.atTheEnd();
  if (spared.member === undefined && spared.id === undefined && isHonest(world)) risen(world);
}
