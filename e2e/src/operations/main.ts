import { parseArgs, styleText } from 'node:util';
import type { LoadHandle } from '../laboratory/load.ts';
import type { LoadFigures } from '../laboratory/load-process.ts';
import { Site } from '../laboratory/site.ts';
import { type Gaps, measureGaps } from './gaps.ts';
import type { Procedure } from './procedure.ts';
import { PROCEDURES } from './procedures.ts';
import { type Slope, soak } from './soak.ts';
import { type Outcome, underLoad, withClients } from './under-load.ts';
import { BEFORE, UPGRADES } from './upgrade.ts';

const HELP = `npm run -s e2e [-- --only NAME]… [--clients 10]    what a group goes through, while clients work
npm run -s e2e -- --gaps 20 [--clients 100]        how long clients wait, over so many runs of each event
npm run -s e2e -- --soak 10 [--seed 1]             for so many minutes, drawn from the seed; what grows meanwhile

Five hosts, a client host and an admin host as network namespaces on this machine, installed with the commands of the guides.
Needs root. Exit code 0 if no request failed.`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    gaps: { type: 'string' },
    soak: { type: 'string' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
});
const WIDTH = 84;
const tally = { passed: 0, failed: 0 };
if (values.help) process.stdout.write(`${HELP}\n`);
else await main();

async function main(): Promise<void> {
  const names = [...PROCEDURES, ...UPGRADES].map(({ name }) => name);
  const unknown = (values.only ?? []).filter((name) => !names.includes(name));
  const numbers = [values.clients, values.gaps ?? '1', values.soak ?? '1', values.seed].map(wholeNumber);
  const [clients, runs, minutes, seed] = numbers as [number, number, number, number];
  if (unknown.length > 0 || numbers.some(Number.isNaN)) {
    const why = unknown.length > 0 ? `no procedure is called ${unknown.join(', ')}: ${names.join(', ')}` : HELP;
    process.stderr.write(`${why}\n`);
    process.exitCode = 2;
    return;
  }
  if (process.getuid?.() !== 0) {
    process.stderr.write('it makes network namespaces: run it as root\n');
    process.exitCode = 1;
    return;
  }
  if (values.soak === undefined && values.gaps === undefined) await goThrough(clients);
  else {
    process.stderr.write('setting up seven hosts\n');
    await using site = await Site.open();
    await site.sell(clients + 10);
    if (values.soak !== undefined) await soakFor(site, { minutes, clients, seed });
    else await measureGaps(site, { runs, clients, onResult: (gaps) => show(gapsLine(gaps), gaps.fault) });
  }
  process.stdout.write(`${tally.passed} passed, ${tally.failed} failed\n`);
  process.exitCode = tally.failed === 0 && tally.passed > 0 ? 0 : 1;
}

async function goThrough(clients: number): Promise<void> {
  const isWanted = ({ name }: Procedure): boolean => values.only?.includes(name) ?? true;
  const go = async (procedures: readonly Procedure[], version?: string): Promise<void> => {
    if (procedures.length === 0) return;
    process.stderr.write(`setting up seven hosts${version === undefined ? '' : ` with version ${version}`}\n`);
    const each = async (site: Site, load: LoadHandle): Promise<void> => {
      for (const procedure of procedures) {
        const outcome = await underLoad(site, load, procedure);
        show(line(outcome), outcome.fault);
      }
    };
    await withClients(clients, each, version);
  };
  await go(PROCEDURES.filter(isWanted));
  for (const upgrade of UPGRADES.filter(isWanted)) await go([upgrade], BEFORE);
}

async function soakFor(site: Site, plan: { minutes: number; clients: number; seed: number }): Promise<void> {
  const { minutes, done, requests, failed, longestMs, slopes, fault } = await soak(site, {
    ...plan,
    onStep: (text) => process.stderr.write(`${text}\n`),
  });
  for (const [says, times] of done) process.stdout.write(`${String(times).padStart(4)} × ${says}\n`);
  for (const slope of slopes) process.stdout.write(`${slopeLine(slope)}\n`);
  show(
    `${minutes.toFixed(1)} minutes: ${requests} requests, ${failed} failed, longest ${longestMs.toFixed(0)} ms`,
    fault,
  );
}

function slopeLine({ server, memoryMiB, memoryPerHour, diskMiB, diskPerHour }: Slope): string {
  const memory = `memory ${memoryMiB.toFixed(0).padStart(4)} MiB, ${signed(memoryPerHour)} MiB/h`;
  return `${server.padEnd(17)} ${memory}   disk ${diskMiB.toFixed(0).padStart(5)} MiB, ${signed(diskPerHour)} MiB/h`;
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(0)}`.padStart(5);
}

function show(text: string, fault: string | undefined): void {
  if (fault === undefined) tally.passed++;
  else tally.failed++;
  const mark = fault === undefined ? styleText('green', 'ok  ') : styleText('red', 'FAIL');
  process.stdout.write(`${mark} ${text.trimEnd()}${fault === undefined ? '' : `\n     ${fault}`}\n`);
}

function line({ procedure, figures }: Outcome): string {
  return `${procedure.says.padEnd(WIDTH)} ${figures === undefined ? '' : inNumbers(figures, procedure)}`;
}

function inNumbers(
  { requests, failures, longestMs }: LoadFigures,
  { aimMs, stops }: { readonly aimMs?: number; readonly stops?: boolean },
): string {
  const aim = aimMs === undefined ? '' : ` (aim ${aimMs})`;
  const failed = `${failures.length} ${stops === true ? 'not served, as it has to be' : 'failed'}`;
  return `${String(requests).padStart(6)} requests, ${failed}, longest ${longestMs.toFixed(0).padStart(5)} ms${aim}`;
}

function gapsLine({ says, clients, runs, failed, p50, p90, max, aim }: Gaps): string {
  const ms = (value: number): string => value.toFixed(0).padStart(5);
  const numbers = `p50 ${ms(p50)}  p90 ${ms(p90)}  max ${ms(max)} ms  (aim p50 / p99: ${aim})`;
  return `${says.padEnd(WIDTH)} ${clients} clients, ${runs} runs, ${failed} failed  ${numbers}`;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 && value <= 10_000 ? value : Number.NaN;
}
