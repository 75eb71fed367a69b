import { PORTS, ROLES } from '@trefoil/api';
import { encodeClientFile } from '@trefoil/client';
import { type Member, type TmrServer, toBase64url } from '@trefoil/license';
import { generateEd25519 } from '@trefoil/license/node-crypto';
import { createAuthority } from '@trefoil/link/authority';
import { createKey, type VendorKey } from '@trefoil/vendor';
import { stringify } from 'yaml';
import { type Answers, hostOf, parseVirtualIp, portOf, withPort } from './answers.ts';
import { makeGroupDocument } from '../group/group-document.ts';
import { type Authorities, makeCertificates } from './certificates.ts';
import { type HostFile, type HostFolder, shown } from './host-files.ts';
import { KEEPALIVED_UNIT, keepalivedConfiguration } from './keepalived.ts';

export interface NewGroup {
  readonly hosts: readonly HostFolder[];
  readonly admin: VendorKey;
  readonly authorities: Authorities;
  readonly groupDocument: string;
  readonly clientFile: string;
}

const DATA = '/var/lib/trefoil';
/** What the vendor sends when he has seen the requests, and every server needs. */
export const VENDOR_FILES = ['configuration.jws', 'issuing-key.jws'] as const;

/** Keys, certificates, the group document and each host's files. Nothing is written. */
export async function makeGroup(answers: Answers, vendorRoot: string): Promise<NewGroup> {
  const admin = createKey();
  const link = await createAuthority({ name: `Trefoil ${answers.group} link authority` });
  const client = await createAuthority({ name: `Trefoil ${answers.group} client authority` });
  const tmrs = answers.tmrServers.map(
    (address, i): PlannedTmr => ({ id: 'AB'[i] as TmrServer, address, signing: generateEd25519() }),
  );
  const members = answers.licenseServers.map((address, i) => ({ member: (i + 1) as Member, address }));
  const groupDocument = makeGroupDocument(
    {
      ...{ group: answers.group, version: 1 },
      tmrServers: tmrs.map(({ id, address, signing }) => ({
        ...{ id, key: signing.key.publicKey, address: withPort(address, PORTS.clients) },
      })),
      licenseServers: members.map(({ member, address }) => ({ member, address: withPort(address, PORTS.links) })),
      admins: [{ name: answers.admin, key: admin.publicKey }],
    },
    admin,
  );
  const clientFile = encodeClientFile({
    group: answers.group,
    addresses: clientAddresses(answers),
    authority: client.certificatePem,
    vendorRoot,
  });
  const common: HostFile[] = [
    shown('client.json', clientFile), // for the commands of whoever is logged in there
    shown('vendor-root.pub', `${vendorRoot}\n`),
    shown('group.jws', groupDocument),
    shown('link-authority.pem', link.certificatePem),
  ];
  const certificates = await makeCertificates(answers, { link, client });
  const hosts = [
    ...members.map(({ member, address }) => {
      const name = ROLES.licenseServer(member);
      const yaml = shown('license-server.yaml', stringify(licenseServerYaml(member, portOf(address, PORTS.links))));
      return { name, host: hostOf(address), files: [yaml, ...common, ...filesOf(certificates, name)] };
    }),
    ...tmrs.map(({ id, address, signing }) => {
      const name = ROLES.tmrServer(id);
      const files = [
        shown(
          'tmr-server.yaml',
          stringify(tmrServerYaml(id, portOf(address, PORTS.clients), answers, hostOf(address))),
        ),
        ...common,
        ...filesOf(certificates, name),
        { ...shown('tmr.key', `${toBase64url(signing.seed)}\n`), secret: true },
        ...keepalivedFiles(answers, id),
      ];
      return { name, host: hostOf(address), files };
    }),
  ];
  return {
    hosts,
    admin,
    authorities: { link, client },
    groupDocument,
    clientFile,
  };
}

interface PlannedTmr {
  readonly id: TmrServer;
  readonly address: string;
  readonly signing: ReturnType<typeof generateEd25519>;
}

/** The virtual IP first: where it is, the group most likely answers. */
export function clientAddresses({ virtualIp, tmrServers }: Answers): string[] {
  const own = tmrServers.map((address) => withPort(address, PORTS.clients));
  const virtual = virtualIp === undefined ? undefined : parseVirtualIp(virtualIp);
  if (virtual === undefined) return own;
  return [withPort(bracketed(virtual.address), portOf(own[0] as string, PORTS.clients)), ...own];
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

function filesOf(folders: readonly HostFolder[], name: string): readonly HostFile[] {
  return folders.find((one) => one.name === name)?.files ?? [];
}

const documents = {
  configuration: 'configuration.jws',
  issuingKey: 'issuing-key.jws',
  vendorRoot: 'vendor-root.pub',
  group: 'group.jws',
};
/** Of their own name, for in the form with a single server both may be on one host. */
const linkOf = (kind: 'license-server' | 'tmr-server') => ({
  authority: 'link-authority.pem',
  certificate: `${kind}.crt.pem`,
  key: `${kind}.key.pem`,
});

function licenseServerYaml(member: Member, port: number): object {
  return {
    member,
    listen: `0.0.0.0:${port}`,
    dataDirectory: `${DATA}/license-server`,
    link: linkOf('license-server'),
    virtualContainers: [{ ...documents, container: `${DATA}/container.tfc` }],
  };
}

/** `besides`: its host runs a license server, too. */
function tmrServerYaml(server: TmrServer, port: number, { virtualIp, licenseServers }: Answers, host: string): object {
  const besides = licenseServers.some((address) => hostOf(address) === host);
  return {
    server,
    listen: `0.0.0.0:${port}`,
    ...(besides && { health: `127.0.0.1:${PORTS.health + 1}` }),
    dataDirectory: `${DATA}/tmr-server`,
    key: 'tmr.key',
    link: linkOf('tmr-server'),
    client: { certificate: 'client.crt.pem', key: 'client.key.pem' },
    ...(virtualIp !== undefined && { virtualIp: { address: parseVirtualIp(virtualIp)?.address } }),
    virtualContainers: [documents],
  };
}

export function keepalivedFiles(answers: Answers, id: TmrServer): HostFile[] {
  const { virtualIp, tmrServers, interface: device, virtualRouter } = answers;
  if (virtualIp === undefined) return [];
  const [own, peer] = id === 'A' ? tmrServers : tmrServers.toReversed();
  const text = keepalivedConfiguration({
    id,
    own: hostOf(own as string),
    peer: hostOf(peer as string),
    virtualIp,
    device,
    virtualRouter,
  });
  return [
    { path: '/etc/keepalived/keepalived.conf', text, secret: false },
    { path: '/etc/systemd/system/keepalived.service.d/trefoil.conf', text: KEEPALIVED_UNIT, secret: false },
  ];
}
