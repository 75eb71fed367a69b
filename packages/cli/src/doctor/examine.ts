import { create, type DescribeReply, type StatusReply, StatusReplySchema, StatusRequestSchema } from '@trefoil/api';
import { type ClientFile, Group, systemMachine, Verifier } from '@trefoil/client';
import type { LedgerContext } from '@trefoil/core';
import { readTextFile } from '@trefoil/host';
import { read } from '../connection.ts';
import { certificateFindings } from './certificates.ts';
import { diskFindings } from './disk.ts';
import { documentsOf, identityFindings, placeOf, sameGroupFinding } from './documents.ts';
import { type Check, type Finding, make, notLookedAt, problem } from './finding.ts';
import { groupFindings } from './group-findings.ts';
import { type Host, type OwnServer, readHost } from './host.ts';
import { clientPortChecks, licenseServerChecks } from './others.ts';
import { ownServerFindings } from './own-port.ts';
import { secretFindings } from './secrets.ts';
import { versionFindings } from './versions.ts';
import { holderFindings, virtualIpFindings } from './virtual-ip.ts';

export interface ExamineOptions {
  readonly etc?: string;
  readonly client?: string;
  readonly vendorRoot?: string;
  /** Of this command. */
  readonly version: string;
}

/** A server of this host with its documents, where they verify. */
export interface Known {
  readonly server: OwnServer;
  readonly context: LedgerContext | undefined;
}

/** Looks at everything that can be looked at from this host, all at once, and changes nothing. */
export async function examine(options: ExamineOptions): Promise<readonly Finding[]> {
  const nowMs = Date.now();
  const host = await readHost(options);
  const findings = [...versionFindings(options.version), ...host.findings];
  const known: Known[] = [];
  for (const server of host.servers) {
    const { context, findings: said } = await documentsOf(server, nowMs);
    findings.push(...said);
    known.push({ server, context });
  }
  const checks: TimedCheck[] = [
    ...known.flatMap((one) => ownChecks(one, host, nowMs)),
    ...(await otherChecks(known, host)),
    groupCheck(host, known, options.vendorRoot),
  ];
  const made = await Promise.all(checks.map((check) => make(check, check.limitMs)));
  return [...findings, ...made.flat()];
}

interface TimedCheck extends Check {
  readonly limitMs?: number;
}

/** What is this host's own. */
function ownChecks({ server, context }: Known, { clientFile }: Host, nowMs: number): Check[] {
  const { name, dataDirectory } = server;
  const authority = clientFile?.authority;
  const place = context && placeOf(server, context.group);
  const virtual = server.virtualIp?.address;
  const hosts = [place?.host, virtual].filter((one) => one !== undefined);
  const linkAuthority = (): Promise<string | undefined> =>
    server.kind === 'tmr-server'
      ? Promise.resolve(authority)
      : readTextFile(server.identities[0]?.files.authority ?? '').catch(() => undefined);
  const checks: Check[] = [
    {
      what: `certificates of ${name}`,
      look: () => certificateFindings(server, { clientAuthorityPem: authority, hosts, nowMs }),
    },
    { what: `keys of ${name}`, look: () => secretFindings(server) },
    { what: `port ${server.listen.port} of ${name}`, look: () => ownServerFindings(server) },
    { what: `disk of ${name}`, look: () => diskFindings(name, dataDirectory) },
    { what: 'virtual IP', look: () => virtualIpFindings(server, context?.group) },
  ];
  if (context !== undefined)
    checks.splice(0, 0, {
      what: `address of ${name}`,
      look: async () => identityFindings(server, context.group, await linkAuthority()),
    });
  return checks;
}

/** The ports of others, from here. */
async function otherChecks(known: readonly Known[], { clientFile }: Host): Promise<Check[]> {
  const group = known.find(({ context }) => context !== undefined)?.context?.group;
  const checks: Check[] = [];
  const tmr = known.find(({ server }) => server.kind === 'tmr-server');
  const authority = tmr?.server.identities[0]?.files.authority;
  if (tmr?.context !== undefined && authority !== undefined) {
    const pem = await readTextFile(authority).catch(() => undefined); // that it can't be read was said of the certificate
    if (pem !== undefined) checks.push(...licenseServerChecks(tmr.context.group, pem));
  }
  return [...checks, ...clientPortChecks(clientFile, group)];
}

const GROUP_MS = 2_500;

function groupCheck({ clientFile }: Host, known: readonly Known[], vendorRoot: string | undefined): TimedCheck {
  const what = 'the group';
  const group = known.find(({ context }) => context !== undefined)?.context?.group;
  const root = vendorRoot ?? clientFile?.vendorRoot;
  return {
    what,
    limitMs: GROUP_MS + 1_000,
    look: async () => {
      if (clientFile === undefined) return [notLookedAt(what, 'no client file')];
      if (root === undefined)
        return [notLookedAt(what, "the client file does not name the vendor's root key: give it with --vendor-root")];
      const asked = await askGroup(clientFile, root);
      if ('refused' in asked) return [unreachable(what, asked.refused)];
      const { status, description } = asked;
      const addresses = [...status.tmrServers, ...status.licenseServers].map(({ address }) => address);
      const told = { group: description.group, addresses, version: `TMR server ${status.server}` };
      return [
        ...(group === undefined ? [] : [sameGroupFinding(group, told)]),
        ...groupFindings(status),
        ...holderFindings(status),
      ];
    },
  };
}

function unreachable(what: string, reason: string): Finding {
  return problem(
    what,
    reason,
    'Without a TMR server nobody gets a seat: what was found of the addresses above says which does not answer ' +
      'and why; on their hosts run "trefoil doctor".',
  );
}

export type Asked =
  | { readonly status: StatusReply; readonly description: DescribeReply }
  | { readonly refused: string };

/** What a TMR server says of the five, as soon as one answers. */
export async function askGroup(file: ClientFile, vendorRoot: string): Promise<Asked> {
  let group: Group | undefined;
  try {
    const verifier = new Verifier(vendorRoot);
    group = await Group.find({ file, verifier, machine: systemMachine, patienceMs: GROUP_MS });
    const request = create(StatusRequestSchema, { set: group.configuration.set });
    const status = await read(group, 'status', { request: StatusRequestSchema, reply: StatusReplySchema }, request);
    return { status, description: group.description };
  } catch (error) {
    return { refused: error instanceof Error ? error.message : String(error) };
  } finally {
    group?.close();
  }
}
