import { LoadHandle } from '../laboratory/load.ts';
import { ADDRESSES, LEADERS, type Site } from '../laboratory/site.ts';
import { PROCEDURES } from './procedures.ts';
import { underLoad } from './under-load.ts';

/** What clients notice of it, over many runs. */
export interface Gaps {
  readonly says: string;
  readonly clients: number;
  readonly runs: number;
  readonly failed: number;
  /** Of the longest time that any client waited in each run, ms. */
  readonly p50: number;
  readonly p90: number;
  readonly max: number;
  readonly aim: string;
  readonly fault: string | undefined;
}

/** The same procedures, with what PROTOCOL §10 of the design wants clients to see: p50 and p99. */
const EVENTS: readonly { readonly name: string; readonly aim: string; readonly virtualIpAlone?: boolean }[] = [
  { name: 'license-server-killed', aim: '0 / 20' },
  { name: 'license-server-paused', aim: '0 / 20' },
  { name: 'license-server-cut-off', aim: '0 / 20' },
  { name: 'tmr-process-killed', aim: '100 / 250' },
  { name: 'tmr-host-gone', aim: '350 / 800' },
  { name: 'tmr-host-gone', aim: '–', virtualIpAlone: true },
  { name: 'planned-switch', aim: '20 / 50' },
  { name: 'planned-switch', aim: '–', virtualIpAlone: true },
];

/** Between two requests of one client, so that all together ask as often however many they are. */
const EVERY_MS_EACH = 5;

/** One after the other; `onResult` as they come. */
export async function measureGaps(
  site: Site,
  { runs, clients, onResult }: { runs: number; clients: number; onResult: (gaps: Gaps) => void },
): Promise<void> {
  await using load = await LoadHandle.start(site.host('client'), {
    ...{ clientFile: '/etc/trefoil/client.json', vendorRoot: await site.vendorRoot(), clients },
    everyMs: Math.max(50, clients * EVERY_MS_EACH),
  });
  for (const { name, aim, virtualIpAlone = false } of EVENTS) {
    const procedure = PROCEDURES.find((one) => one.name === name);
    if (procedure === undefined) throw new Error(`no procedure ${name}`);
    if (virtualIpAlone) await onlyVirtualIp(site);
    const longest: number[] = [];
    let failed = 0;
    let fault: string | undefined;
    for (let run = 0; run < runs && fault === undefined; run++) {
      const outcome = await underLoad(site, load, procedure);
      ({ fault } = outcome);
      failed += outcome.figures?.failures.length ?? 0;
      if (outcome.figures !== undefined) longest.push(outcome.figures.longestMs);
    }
    if (virtualIpAlone) await site.laboratory.mend();
    const sorted = longest.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
    const says = virtualIpAlone ? `${procedure.says}; by the virtual IP alone` : procedure.says;
    onResult({ says, clients, runs: sorted.length, failed, p50: at(0.5), p90: at(0.9), max: at(1), aim, fault });
  }
}

/** The servers' own addresses are out of the clients' reach. */
async function onlyVirtualIp({ laboratory }: Site): Promise<void> {
  for (const name of LEADERS) await laboratory.cut('client', name, `ip daddr ${ADDRESSES[name]}`);
}
