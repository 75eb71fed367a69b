import { askGroup } from './examine.ts';
import { certificateFindings } from './certificates.ts';
import { documentsOf, placeOf } from './documents.ts';
import { roomOf } from './disk.ts';
import { type Finding, isFault, make } from './finding.ts';
import { type Host, type OwnServer, readHost } from './host.ts';
import { type Obstacle, obstacles, UPGRADE_ORDER } from './upgrade.ts';

export interface Verdict {
  readonly mayBeTakenOut: boolean;
  readonly servers: readonly string[];
  readonly obstacles: readonly Obstacle[];
  readonly order: string;
}

/** Whether this host may be taken out of its group now. */
export async function mayUpgrade(options: { etc?: string; client?: string; vendorRoot?: string }): Promise<Verdict> {
  const host = await readHost(options);
  const unread = host.findings.filter(isFault).map(asObstacle);
  const each = await Promise.all(host.servers.map((server) => obstaclesOf(server, host, options.vendorRoot)));
  const all = [...unread, ...each.flat()];
  return {
    mayBeTakenOut: all.length === 0,
    servers: host.servers.map(({ name }) => name),
    obstacles: all,
    order: UPGRADE_ORDER,
  };
}

async function obstaclesOf(
  server: OwnServer,
  { clientFile }: Host,
  vendorRoot: string | undefined,
): Promise<Obstacle[]> {
  const nowMs = Date.now();
  const { context, findings } = await documentsOf(server, nowMs);
  const place = context && placeOf(server, context.group);
  const hosts = [place?.host, server.virtualIp?.address].filter((one) => one !== undefined);
  const clientAuthorityPem = clientFile?.authority;
  const looked = await Promise.all([
    make({
      what: `certificates of ${server.name}`,
      look: () => certificateFindings(server, { clientAuthorityPem, hosts, nowMs }),
    }),
    make({ what: `room of ${server.name}`, look: async () => [await roomOf(server.name, server.dataDirectory)] }),
  ]);
  const own = [...findings, ...looked.flat()].flatMap(unsure);
  const root = vendorRoot ?? clientFile?.vendorRoot;
  if (context === undefined || clientFile === undefined || root === undefined) return [...own, ...unknown(own)];
  const asked = await askGroup(clientFile, root);
  if ('refused' in asked)
    return [
      ...own,
      {
        reason: asked.refused,
        first: 'Nobody knows whether the group can do without this host: run "trefoil doctor".',
      },
    ];
  return [...obstacles(server, asked.status, context.configuration.threshold), ...own];
}

/** What was not seen can not be vouched for. */
function unsure(finding: Finding): Obstacle[] {
  if (isFault(finding)) return [asObstacle(finding)];
  if (finding.level === 'ok') return [];
  return [{ reason: `${finding.what}: ${finding.found}`, first: 'Run "trefoil upgrade-check" as root.' }];
}

function unknown(own: readonly Obstacle[]): Obstacle[] {
  if (own.length > 0) return []; // that is why
  const reason = "the group can not be asked: the client file is missing, or does not name the vendor's root key";
  return [{ reason, first: 'Give them with --client and --vendor-root.' }];
}

function asObstacle(finding: Finding): Obstacle {
  return { reason: `${finding.what}: ${finding.found}`, first: isFault(finding) ? finding.advice : '' };
}
