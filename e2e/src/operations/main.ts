import { parseArgs, styleText } from 'node:util';
import { LoadHandle } from '../laboratory/load.ts';
import type { LoadFigures } from '../laboratory/load-process.ts';
import { Site } from '../laboratory/site.ts';
import { PROCEDURES } from './procedures.ts';
import { type Outcome, underLoad } from './under-load.ts';

const HELP = `npm run -s e2e [-- --only NAME]…

Five hosts, a client host and an admin host as network namespaces on this machine, installed with the commands of the
guides; then everything that a group has to go through, while clients work. Needs root. Exit code 0 if no request failed.`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    clients: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(`${HELP}\n`);
else await main();

async function main(): Promise<void> {
  const chosen = PROCEDURES.filter(({ name }) => values.only === undefined || values.only.includes(name));
  const unknown = values.only?.filter((name) => !PROCEDURES.some((one) => one.name === name)) ?? [];
  if (unknown.length > 0) {
    process.stderr.write(
      `no procedure is called ${unknown.join(', ')}: ${PROCEDURES.map(({ name }) => name).join(', ')}\n`,
    );
    process.exitCode = 2;
    return;
  }
  const clients = Number(values.clients);
  process.stderr.write('setting up seven hosts\n');
  await using site = await Site.open();
  await site.sell(clients + 10);
  await using load = await LoadHandle.start(site.host('client'), {
    ...{ clientFile: '/etc/trefoil/client.json', vendorRoot: await site.vendorRoot(), clients, everyMs: 50 },
  });
  const outcomes: Outcome[] = [];
  for (const procedure of chosen) {
    const outcome = await underLoad(site, load, procedure);
    outcomes.push(outcome);
    process.stdout.write(`${line(outcome)}\n`);
  }
  const failed = outcomes.filter(({ fault }) => fault !== undefined).length;
  process.stdout.write(`${outcomes.length - failed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 && outcomes.length > 0 ? 0 : 1;
}

function line({ procedure, figures, fault }: Outcome): string {
  const mark = fault === undefined ? styleText('green', 'ok  ') : styleText('red', 'FAIL');
  const numbers = figures === undefined ? '' : inNumbers(figures, procedure.aimMs);
  return `${mark} ${procedure.says.padEnd(62)} ${numbers}${fault === undefined ? '' : `\n     ${fault}`}`.trimEnd();
}

function inNumbers({ requests, failures, longestMs }: LoadFigures, aimMs: number | undefined): string {
  const aim = aimMs === undefined ? '' : ` (aim ${aimMs})`;
  return `${String(requests).padStart(6)} requests, ${failures.length} failed, longest ${longestMs.toFixed(0).padStart(5)} ms${aim}`;
}
