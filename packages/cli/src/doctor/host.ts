import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROLES } from '@trefoil/api';
import { type ClientFile, ClientError, readClientFile } from '@trefoil/client';
import { type CertificateFiles, platform } from '@trefoil/host';
import { type LicenseServerConfiguration, readConfiguration as readLicenseServer } from '@trefoil/license-server';
import { readConfiguration as readTmrServer, type TmrServerConfiguration } from '@trefoil/tmr-server';
import { failed, type Finding, ok, problem } from './finding.ts';

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** A certificate that a server shows, and what it has to be. */
export interface OwnIdentity {
  readonly purpose: 'link' | 'client';
  /** `authority`: '' where it is not among the server's files. */
  readonly files: CertificateFiles;
}

/** A server that this host is set up for. */
export interface OwnServer {
  readonly kind: 'license-server' | 'tmr-server';
  readonly id: 1 | 2 | 3 | 'A' | 'B';
  /** `license server 2`, `TMR server A` */
  readonly name: string;
  /** As certificates say it. */
  readonly role: string;
  readonly file: string;
  readonly listen: Place;
  readonly health: Place;
  readonly dataDirectory: string;
  readonly identities: readonly OwnIdentity[];
  /** Files that only the server may read. */
  readonly secrets: readonly string[];
  readonly virtualContainers:
    | LicenseServerConfiguration['virtualContainers']
    | TmrServerConfiguration['virtualContainers'];
  /** Of a TMR server. */
  readonly signingKey?: string;
  readonly virtualIp?: { readonly address: string; readonly weightFile: string };
}

/** What this host is, by the files that it has. */
export interface Host {
  readonly servers: readonly OwnServer[];
  readonly clientFile: ClientFile | undefined;
  /** What was found while reading them. */
  readonly findings: readonly Finding[];
}

const ETC = platform.folders.configuration;

/** @param options.etc undefined: where the package has it */
export async function readHost(options: { readonly etc?: string; readonly client?: string }): Promise<Host> {
  const etc = options.etc ?? ETC;
  const findings: Finding[] = [];
  const servers: OwnServer[] = [];
  const read = (name: string, parse: (file: string) => OwnServer): boolean => {
    const file = join(etc, name);
    if (!existsSync(file)) return false;
    try {
      servers.push(parse(file));
      findings.push(ok('configuration', file));
    } catch (error) {
      findings.push(failed('configuration', error, CONFIGURATION_ADVICE));
    }
    return true;
  };
  const isLicenseServer = read('license-server.yaml', (file) => licenseServer(file, readLicenseServer(file)));
  const isTmrServer = read('tmr-server.yaml', (file) => tmrServer(file, readTmrServer(file)));
  const isServer = isLicenseServer || isTmrServer;
  // A server's host has its own; elsewhere it is found as by every other command.
  const own = isServer || options.etc !== undefined ? join(etc, 'client.json') : undefined;
  const chosen = options.client ?? own;
  const clientFile = await readClient(chosen, isServer, findings);
  return { servers, clientFile, findings };
}

const CONFIGURATION_ADVICE =
  'The server does not start with it: correct that line, or take the file from the tarball of "trefoil init" for this host.';

async function readClient(
  file: string | undefined,
  isServer: boolean,
  findings: Finding[],
): Promise<ClientFile | undefined> {
  try {
    const clientFile = await readClientFile(file);
    findings.push(ok('client file', `group ${clientFile.group}${file === undefined ? '' : `, ${file}`}`));
    return clientFile;
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const advice = isServer
      ? 'Without it the commands on this host do not find the group, and the group is not looked at here: take ' +
        'client.json from the folder of "trefoil init".'
      : 'This host has no files of a server, and without a client file it is no client: copy client.json from ' +
        'the folder of "trefoil init", or make one with "trefoil client add".';
    findings.push(problem('client file', error.message, advice));
    return undefined;
  }
}

function licenseServer(file: string, configuration: LicenseServerConfiguration): OwnServer {
  const { member, listen, health, dataDirectory, link, virtualContainers } = configuration;
  const passphrases = virtualContainers.map((one) => one.passphraseFile).filter((one) => one !== undefined);
  return {
    ...{ kind: 'license-server', id: member, name: `license server ${member}`, role: ROLES.licenseServer(member) },
    ...{ file, listen, health, dataDirectory, virtualContainers },
    identities: [{ purpose: 'link', files: link }],
    secrets: [link.key, ...virtualContainers.map(({ container }) => container), ...passphrases],
  };
}

function tmrServer(file: string, configuration: TmrServerConfiguration): OwnServer {
  const { server, listen, health, dataDirectory, link, client, key, virtualIp, virtualContainers } = configuration;
  return {
    ...{ kind: 'tmr-server', id: server, name: `TMR server ${server}`, role: ROLES.tmrServer(server) },
    ...{ file, listen, health, dataDirectory, virtualContainers },
    identities: [
      { purpose: 'link', files: link },
      // Its `authority` is that of clients' certificates; that of its own is in the client file.
      { purpose: 'client', files: { certificate: client.certificate, key: client.key, authority: '' } },
    ],
    secrets: [link.key, client.key, key],
    signingKey: key,
    ...(virtualIp !== undefined && { virtualIp }),
  };
}

/** `license-server-2` → `license server 2`; what is no role of a server stays as it is. */
export function nameOfRole(role: string): string {
  return role.replace(/^license-server-(?=[123]$)/, 'license server ').replace(/^tmr-server-(?=[AB]$)/, 'TMR server ');
}
