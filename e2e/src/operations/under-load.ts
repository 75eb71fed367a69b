import { LoadHandle } from '../laboratory/load.ts';
import type { LoadFigures } from '../laboratory/load-process.ts';
import { Site } from '../laboratory/site.ts';
import type { Procedure } from './procedure.ts';

export interface Outcome {
  readonly procedure: Procedure;
  readonly figures: LoadFigures | undefined;
  /** Why it failed, in one line; undefined = no request failed, and the group is whole again. */
  readonly fault: string | undefined;
}

/** With some time of normal work before and after. */
const NORMAL_MS = 500;

/** A site with clients at work, each with a seat to take. `version`: of the servers' programs; default: today's, as the clients'. */
export async function withClients(
  clients: number,
  work: (site: Site, load: LoadHandle) => Promise<void>,
  version?: string,
): Promise<void> {
  await using site = await Site.open(version);
  await site.sell(clients + 10);
  await using load = await LoadHandle.start(site.host('client'), {
    ...{ clientFile: '/etc/trefoil/client.json', vendorRoot: await site.vendorRoot(), clients, everyMs: 50 },
  });
  await work(site, load);
}

/** The procedure while clients work; then the group has to become whole by itself. */
export async function underLoad(site: Site, load: LoadHandle, procedure: Procedure): Promise<Outcome> {
  try {
    await site.whole();
    load.mark();
    await pause(NORMAL_MS);
    await procedure.run(site);
    await site.whole();
    await pause(NORMAL_MS);
    const figures = await load.report();
    return { procedure, figures, fault: faultOf(figures, procedure.stops === true) };
  } catch (error) {
    return { procedure, figures: undefined, fault: error instanceof Error ? error.message : String(error) };
  }
}

function faultOf({ requests, failures, lost }: LoadFigures, mayStop: boolean): string | undefined {
  if (requests === 0) return 'no client asked for anything';
  if (lost > 0) return `${lost} seats were lost`;
  // Known not to be done, or not known: both are true while nobody can be served.
  if (mayStop && failures.every((one) => /unknown|not-reachable/.test(one))) return undefined;
  return failures.length === 0 ? undefined : `${failures.length} requests failed, the first: ${failures[0]}`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
