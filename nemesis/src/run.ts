import { Random } from '@trefoil/sim/random';
import { compareLogs } from './certified-logs.ts';
import { fakeTime } from './clock.ts';
import { type Books, Clients } from './clients.ts';
import { History } from './history.ts';
import { Nemesis, type Told } from './nemesis.ts';
import { SeatCount } from './seat-count.ts';
import { readServerLogs } from './server-logs.ts';
import { TestedGroup } from './tested-group.ts';
import { trueTime } from './true-time.ts';
import { Vendor } from './vendor.ts';

const CLIENTS = 6;
/** A round has licenses of its own, so that the search through its history stays short. */
const ROUND_MS = 45_000;

export interface RunOptions {
  readonly seed: number;
  /** How long faults are let loose, in all. */
  readonly forMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface RunResult {
  readonly findings: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
  readonly entries: number;
  /** Longest time that a client had to wait for an answer, under faults and after all was mended, ms. */
  readonly longestMs: number;
  readonly servedAfterMs: number;
}

/** Five real servers and their real clients, under faults; everything is stopped and removed in the end. */
export async function run(options: RunOptions): Promise<RunResult> {
  const { seed, say, signal } = options;
  await using stack = new AsyncDisposableStack();
  const random = new Random(seed);
  const startedAt = trueTime();
  const counts = new Map<string, number>();
  const findings: string[] = [];
  const count = (what: string, by = 1): void => void counts.set(what, (counts.get(what) ?? 0) + by);
  const told: Told = {
    say: (line) => say(`${((trueTime() - startedAt) / 1_000).toFixed(1).padStart(7)} s  ${line}`),
    count,
    found(what) {
      if (signal.aborted || findings.includes(what)) return;
      findings.push(what);
      this.say(`FOUND: ${what}`);
    },
  };
  for (const line of leftOut()) told.say(line);
  const tested = stack.use(await TestedGroup.start());
  told.say('five servers are up, each behind a relay');
  const unbearableAt = (): number => nemesis.unbearableAt;
  const clients = stack.use(new Clients({ group: tested.group, random: random.fork(), told, unbearableAt }));
  const victims = { group: tested, clients: () => clients.all, random: random.fork() };
  const nemesis = new Nemesis({ ...victims, replaceClient: (client) => clients.replace(client) }, told);
  clients.start(CLIENTS);
  let servedAfterMs = 0;
  const rounds = Math.max(1, Math.round(options.forMs / ROUND_MS));
  for (let n = 1; n <= rounds && !signal.aborted; n++) {
    const round = new Round({ n, tested, clients, nemesis, told, random: random.fork() });
    servedAfterMs = Math.max(servedAfterMs, await round.play(options.forMs / rounds, signal));
  }
  if (signal.aborted) return { findings, counts, entries: 0, longestMs: clients.longestMs, servedAfterMs };
  // Those that propose first, and then the voters: who stops last would go on with entries that the first has not seen.
  for (const kind of ['tmr-server', 'license-server'] as const)
    for (const server of tested.all(kind)) await server.stop();
  const logs = await compareLogs(tested);
  const said = await readServerLogs(tested);
  for (const finding of [...logs.findings, ...said.findings]) told.found(finding);
  for (const [alarm, times] of said.alarms) count(`alarm ${alarm}`, times);
  return { findings, counts, entries: logs.entries, longestMs: clients.longestMs, servedAfterMs };
}

/** What this machine can't have. */
export function leftOut(): string[] {
  return [
    ...(process.getuid?.() === 0 ? [] : ['not root: no disk is filled, since no server has one of its own']),
    ...(fakeTime === undefined ? ['the Debian package faketime is missing: no clock of a server is set'] : []),
  ];
}

class Round {
  readonly #parts: {
    readonly n: number;
    readonly tested: TestedGroup;
    readonly clients: Clients;
    readonly nemesis: Nemesis;
    readonly told: Told;
    readonly random: Random;
  };

  constructor(parts: {
    n: number;
    tested: TestedGroup;
    clients: Clients;
    nemesis: Nemesis;
    told: Told;
    random: Random;
  }) {
    this.#parts = parts;
  }

  /** Returns how long the last client had to wait after everything was mended. */
  async play(forMs: number, signal: AbortSignal): Promise<number> {
    const { n, tested, clients, nemesis, told, random } = this.#parts;
    const books: Books = {
      products: { hot: `hot-${n}`, cold: `cold-${n}`, units: `units-${n}` },
      history: new History(),
      count: new SeatCount(),
    };
    const vendor = new Vendor(tested, random, books);
    await vendor.sell();
    told.say(`round ${n}: licenses are sold, ${clients.all.length} clients ask for seats and units`);
    clients.live(books);
    const retired = new AbortController();
    const changing = vendor.changeHisMind(AbortSignal.any([retired.signal, signal]));
    await nemesis.rage(trueTime() + forMs, signal);
    if (signal.aborted) return 0;
    await nemesis.mendAll(clients.all);
    const servedAfterMs = await clients.allServed(books.products);
    told.say(`all is mended; everybody is served within ${(servedAfterMs / 1_000).toFixed(1)} s`);
    retired.abort();
    await changing;
    if (signal.aborted) return servedAfterMs;
    await tested.hands.waitForRedundancy().catch((error: unknown) => told.found(String(error)));
    await clients.rest();
    this.#check(books);
    return servedAfterMs;
  }

  #check({ history, count }: Books): void {
    const { told } = this.#parts;
    for (const finding of [...history.check(trueTime(), (what) => told.count(what)), ...count.check()])
      told.found(finding);
    for (const [outcome, times] of history.counts) for (let i = 0; i < times; i++) told.count(`outcome ${outcome}`);
  }
}
