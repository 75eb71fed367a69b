import { readFileSync } from 'node:fs';
import { LoadHandle } from '../laboratory/load.ts';
import { LEADERS, type ServerName, type Site, VOTERS } from '../laboratory/site.ts';
import { PROCEDURES } from './procedures.ts';
import { underLoad } from './under-load.ts';

/** What grows, per hour, by a line through all samples since the first quarter of the time: what is young grows by itself. */
export interface Slope {
  readonly server: ServerName;
  readonly memoryMiB: number;
  readonly memoryPerHour: number;
  readonly diskMiB: number;
  readonly diskPerHour: number;
}

export interface Soaked {
  readonly minutes: number;
  /** How often each was done. */
  readonly done: ReadonlyMap<string, number>;
  readonly requests: number;
  readonly failed: number;
  readonly longestMs: number;
  readonly slopes: readonly Slope[];
  readonly fault: string | undefined;
}

interface Sample {
  readonly hours: number;
  readonly memoryMiB: number;
  readonly diskMiB: number;
}

/** Where nobody can be served for a while, nothing is learnt about the rest of the time. */
const STOPPING = ['two-license-servers-down', 'cold-start'];

/** One procedure after the other, drawn from `seed`, for so long. Ends at the first that fails. */
export async function soak(
  site: Site,
  {
    minutes,
    clients,
    seed,
    onStep,
  }: { minutes: number; clients: number; seed: number; onStep: (text: string) => void },
): Promise<Soaked> {
  await using load = await LoadHandle.start(site.host('client'), {
    ...{ clientFile: '/etc/trefoil/client.json', vendorRoot: await site.vendorRoot(), clients, everyMs: 50 },
  });
  const procedures = PROCEDURES.filter(({ name }) => !STOPPING.includes(name));
  const samples = new Map<ServerName, Sample[]>([...VOTERS, ...LEADERS].map((name) => [name, []]));
  const done = new Map<string, number>();
  const sums = { requests: 0, failed: 0, longestMs: 0 };
  const began = performance.now();
  const elapsedMs = (): number => performance.now() - began;
  let fault: string | undefined;
  for (let draw = seed; elapsedMs() < minutes * 60_000 && fault === undefined; ) {
    draw = next(draw);
    const procedure = procedures[draw % procedures.length] as (typeof procedures)[0];
    const outcome = await underLoad(site, load, procedure);
    ({ fault } = outcome);
    done.set(procedure.says, (done.get(procedure.says) ?? 0) + 1);
    sums.requests += outcome.figures?.requests ?? 0;
    sums.failed += outcome.figures?.failures.length ?? 0;
    sums.longestMs = Math.max(sums.longestMs, outcome.figures?.longestMs ?? 0);
    for (const [name, of] of samples) of.push(await sampleOf(site, name, elapsedMs() / 3_600_000));
    onStep(`${(elapsedMs() / 60_000).toFixed(1).padStart(6)} min  ${procedure.says}`);
  }
  const slopes = [...samples].map(([server, of]) => slopeOf(server, of));
  return { minutes: elapsedMs() / 60_000, done, ...sums, slopes, fault };
}

/** A generator of Park and Miller: the same seed draws the same procedures. */
function next(state: number): number {
  return (state * 48_271) % 0x7fff_ffff;
}

async function sampleOf(site: Site, name: ServerName, hours: number): Promise<Sample> {
  const status = readFileSync(`/proc/${site.service(name).pid}/status`, 'utf8');
  const memoryMiB = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  const used = await site.host(name).sh('du -sk /var/lib/trefoil');
  return { hours, memoryMiB, diskMiB: Number(used.split('\t')[0]) / 1024 };
}

/** Least squares. A server that was restarted meanwhile began anew with its memory: what counts is where the whole goes. */
function slopeOf(server: ServerName, all: readonly Sample[]): Slope {
  const last = all.at(-1);
  const samples = all.filter(({ hours }) => hours >= (last?.hours ?? 0) / 4);
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, one) => sum + of(one), 0) / Math.max(1, samples.length);
  const hours = mean((one) => one.hours);
  const spread = samples.reduce((sum, one) => sum + (one.hours - hours) ** 2, 0);
  const perHour = (of: (sample: Sample) => number): number => {
    const middle = mean(of);
    const together = samples.reduce((sum, one) => sum + (one.hours - hours) * (of(one) - middle), 0);
    return spread === 0 ? 0 : together / spread;
  };
  return {
    server,
    ...{ memoryMiB: last?.memoryMiB ?? 0, memoryPerHour: perHour((one) => one.memoryMiB) },
    ...{ diskMiB: last?.diskMiB ?? 0, diskPerHour: perHour((one) => one.diskMiB) },
  };
}
