import { createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { ROLES } from '@trefoil/api';
import { type ClientFile, decodeClientFile } from '@trefoil/client';
import { writeFileAtomically } from '@trefoil/host';
import type { Member, TmrServer } from '@trefoil/license';
import type { Identity } from '@trefoil/link';
import { issueCertificate } from '@trefoil/link/authority';
import { encrypted, readTrimmed } from '../files.ts';
import { CliError, EXIT } from '../terminal.ts';
import { type Answers, hostOf, parseVirtualIp } from './answers.ts';
import { type HostFile, type HostFolder, shown } from './host-files.ts';

export interface Authorities {
  readonly link: Identity;
  readonly client: Identity;
}

/** What each host shows of itself on links and to clients: certificates and keys, and nothing else. */
export function makeCertificates(answers: Answers, { link, client }: Authorities): Promise<HostFolder[]> {
  const issued = (authority: Identity, role: string, hosts: readonly string[]): Promise<Identity> =>
    issueCertificate(authority, { commonName: role, role, hosts, days: answers.certificateDays });
  const voters = answers.licenseServers.map(async (address, i) => {
    const name = ROLES.licenseServer((i + 1) as Member);
    const files = identityFiles('license-server', await issued(link, name, [hostOf(address)]));
    return { name, host: hostOf(address), files };
  });
  const leaders = answers.tmrServers.map(async (address, i) => {
    const name = ROLES.tmrServer('AB'[i] as TmrServer);
    const files = [
      ...identityFiles('tmr-server', await issued(link, name, [hostOf(address)])),
      ...identityFiles('client', await issued(client, name, reachedAs(answers, address))),
    ];
    return { name, host: hostOf(address), files };
  });
  return Promise.all([...voters, ...leaders]);
}

function identityFiles(name: string, identity: Identity): HostFile[] {
  return [
    shown(`${name}.crt.pem`, identity.certificatePem),
    { ...shown(`${name}.key.pem`, identity.privateKeyPem), secret: true },
  ];
}

function reachedAs({ virtualIp }: Answers, address: string): string[] {
  const virtual = virtualIp === undefined ? undefined : parseVirtualIp(virtualIp);
  return [hostOf(address), ...(virtual === undefined ? [] : [virtual.address])];
}

export async function writeAuthorities(
  admin: string,
  authorities: Authorities,
  passphrase: string | undefined,
): Promise<void> {
  for (const [name, { certificatePem, privateKeyPem }] of Object.entries(authorities) as [string, Identity][]) {
    await writeFileAtomically(join(admin, `${name}-authority.pem`), certificatePem, { mode: 0o644 });
    const key = encrypted(privateKeyPem, passphrase);
    await writeFileAtomically(join(admin, `${name}-authority.key.pem`), key, { mode: 0o600 });
  }
}

/**
 * The client file that is to be changed. One left over from before new authorities would turn all its clients away.
 * @throws CliError, HostError, ClientError
 */
export async function readStandingClientFile(folder: string, { client }: Authorities): Promise<ClientFile> {
  const file = join(folder, 'client.json');
  const standing = decodeClientFile(await readTrimmed(file), file);
  if (standing.authority.includes(client.certificatePem.trim())) return standing;
  throw new CliError(
    EXIT.failure,
    `${file} does not trust ${join(folder, 'admin/client-authority.pem')}: it is from before there were new authorities. ` +
      'Put the last client.json that "trefoil certificates" has written in its place, and run this again.',
  );
}

/** As "trefoil init" has left them in its admin folder. @throws CliError, HostError */
export async function readAuthorities(admin: string, passphrase: string | undefined): Promise<Authorities> {
  return {
    link: await readAuthority(admin, 'link', passphrase),
    client: await readAuthority(admin, 'client', passphrase),
  };
}

async function readAuthority(admin: string, name: string, passphrase: string | undefined): Promise<Identity> {
  const file = join(admin, `${name}-authority.key.pem`);
  const certificatePem = await readTrimmed(join(admin, `${name}-authority.pem`));
  const pem = await readTrimmed(file);
  try {
    const key = createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) });
    return {
      certificatePem: `${certificatePem}\n`,
      privateKeyPem: key.export({ type: 'pkcs8', format: 'pem' }) as string,
    };
  } catch {
    const how = !pem.includes('PRIVATE KEY-----')
      ? 'not a private key in PEM'
      : passphrase === undefined
        ? 'it is encrypted: give --passphrase-file'
        : 'the passphrase does not open it, or it is damaged';
    throw new CliError(EXIT.failure, `${file}: ${how}`);
  }
}
