import { parseArgs, styleText } from 'node:util';
import { LoadHandle } from '../laboratory/load.ts';
import type { LoadFigures } from '../laboratory/load-process.ts';
import { Site } from '../laboratory/site.ts';
import { type Gaps, measureGaps } from './gaps.ts';
import { PROCEDURES } from './procedures.ts';
import { type Outcome, underLoad } from './under-load.ts';

const HELP = `npm run -s e2e [-- --only NAME]… [--clients 10]    what a group goes through, while clients work
npm run -s e2e -- --gaps 20 [--clients 100]        how long clients wait, over so many runs of each event

Five hosts, a client host and an admin host as network namespaces on this machine, installed with the commands of the guides.
Needs root. Exit code 0 if no request failed.`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    gaps: { type: 'string' },
    clients: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
});
const WIDTH = 84;
const tally = { passed: 0, failed: 0 };
if (values.help) process.stdout.write(`${HELP}\n`);
else await main();

async function main(): Promise<void> {
  const names = PROCEDURES.map(({ name }) => name);
  const unknown = (values.only ?? []).filter((name) => !names.includes(name));
  const [clients, runs] = [wholeNumber(values.clients), wholeNumber(values.gaps ?? '1')];
  if (unknown.length > 0 || Number.isNaN(clients) || Number.isNaN(runs)) {
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
  process.stderr.write('setting up seven hosts\n');
  await using site = await Site.open();
  await site.sell(clients + 10);
  if (values.gaps === undefined) await goThrough(site, clients);
  else await measureGaps(site, { runs, clients, onResult: (gaps) => show(gapsLine(gaps), gaps.fault) });
  process.stdout.write(`${tally.passed} passed, ${tally.failed} failed\n`);
  process.exitCode = tally.failed === 0 && tally.passed > 0 ? 0 : 1;
}

async function goThrough(site: Site, clients: number): Promise<void> {
  await using load = await LoadHandle.start(site.host('client'), {
    ...{ clientFile: '/etc/trefoil/client.json', vendorRoot: await site.vendorRoot(), clients, everyMs: 50 },
  });
  for (const procedure of PROCEDURES.filter(({ name }) => values.only?.includes(name) ?? true)) {
    const outcome = await underLoad(site, load, procedure);
    show(line(outcome), outcome.fault);
  }
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
