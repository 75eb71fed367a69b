import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { encodeClientFile } from '@trefoil/client';
import { createSoftwareContainer } from '@trefoil/container';
import { type Configuration, type Member, toBase64url, verifyConfiguration } from '@trefoil/license';
import { generateEd25519, nodeCrypto } from '@trefoil/license/node-crypto';
import type { Identity } from '@trefoil/link';
import { createAuthority, issueCertificate } from '@trefoil/link/authority';
import {
  certifyIssuingKey,
  configure,
  containerRequest,
  createKey,
  type Issuer,
  issuerOf,
  type VendorKey,
} from '@trefoil/vendor';
import { stringify } from 'yaml';
import { makeGroupDocument } from './group-document.ts';

/** A whole group on this machine's loopback: its servers' folders, and the vendor who sells to it. */
export interface LoopbackGroup {
  readonly directory: string;
  readonly root: VendorKey;
  readonly vendorRoot: string;
  readonly issuer: Issuer;
  /** The first virtual container's. */
  readonly configuration: Configuration;
  readonly clientFile: string;
  /** One for each virtual container, in order; the first is the above. */
  readonly virtualContainers: readonly { readonly configuration: Configuration; readonly clientFile: string }[];
  readonly adminKeyFile: string;
  readonly servers: readonly ServerFolder[];
}

export interface ServerFolder {
  /** `license-server-1` … `tmr-server-B`. */
  readonly name: string;
  readonly kind: 'license-server' | 'tmr-server';
  readonly configFile: string;
  /** Of clients (TMR server) or links (license server). */
  readonly port: number;
  readonly healthPort: number;
}

const HOST = '127.0.0.1';
const DAY_MS = 86_400_000;
const CERTIFICATE_DAYS = 365;

export interface LoopbackOptions {
  readonly virtualContainers?: number;
  /** The form for small customers: one license server, one TMR server. Default: five. */
  readonly single?: boolean;
  /** Who sells to it; default: a new vendor. */
  readonly vendor?: Vendor;
}

/** Makes everything that the hosts and a vendor would make, in one folder. Nothing is started. */
export async function createLoopbackGroup(directory: string, options: LoopbackOptions = {}): Promise<LoopbackGroup> {
  const count = options.virtualContainers ?? 1;
  const names = options.single === true ? SINGLE : SERVERS;
  const ports = await freePorts(10);
  const place = (name: string): string => join(directory, name);
  for (const name of ['vendor', 'admin', ...names]) await mkdir(place(name), { recursive: true, mode: 0o700 });
  const vendor = options.vendor ?? (await createVendor(place('vendor')));
  const configurations: Configuration[] = [];
  for (let n = 1; n <= count; n++)
    configurations.push(await createSet(directory, vendor.issuer, { n, members: membersOf(names) }));
  const tmrKeys = { A: generateEd25519(), B: generateEd25519() };
  const admin = createKey();
  await writeSecret(join(place('admin'), 'admin.key.pem'), admin.toPem());
  const groupDocument = makeGroupDocument(groupOf(names, ports, tmrKeys, admin), admin);
  const documents = {
    'vendor-root.pub': `${vendor.vendorRoot}\n`,
    'issuing-key.jws': vendor.issuer.document.text,
    ...Object.fromEntries(configurations.map((one, i) => [numbered('configuration.jws', i + 1), one.text])),
    'group.jws': groupDocument,
  };
  const link = await createAuthority({ name: 'Trefoil demo link authority' });
  const client = await createAuthority({ name: 'Trefoil demo client authority' });
  const servers = await Promise.all(
    names.map((name) =>
      createServerFolder(place(name), {
        name,
        documents,
        link,
        client,
        ports,
        i: SERVERS.indexOf(name),
        tmrKeys,
        count,
      }),
    ),
  );
  const virtualContainers = await Promise.all(
    configurations.map(async (configuration, i) => {
      const clientFile = join(directory, numbered('client.json', i + 1));
      const text = encodeClientFile({
        group: 'demo',
        ...(count > 1 && { set: toBase64url(configuration.set) }),
        addresses: tmrServersOf(names).map((id) => `${HOST}:${ports[PORT_OF[id]]}`),
        authority: client.certificatePem,
        vendorRoot: vendor.vendorRoot,
      });
      await writeFile(clientFile, text);
      return { configuration, clientFile };
    }),
  );
  await writeFile(join(directory, 'client-authority.pem'), client.certificatePem);
  const [first] = virtualContainers as [(typeof virtualContainers)[0]];
  return {
    directory,
    root: vendor.root,
    vendorRoot: vendor.vendorRoot,
    issuer: vendor.issuer,
    ...first,
    virtualContainers,
    adminKeyFile: join(place('admin'), 'admin.key.pem'),
    servers,
  };
}

const SERVERS = ['license-server-1', 'license-server-2', 'license-server-3', 'tmr-server-A', 'tmr-server-B'] as const;
type ServerName = (typeof SERVERS)[number];
const SINGLE: readonly ServerName[] = ['license-server-1', 'tmr-server-A'];
const PORT_OF = { A: 3, B: 4 } as const;

function membersOf(names: readonly ServerName[]): Member[] {
  return ([1, 2, 3] as const).filter((member) => names.some((name) => name === `license-server-${member}`));
}

function tmrServersOf(names: readonly ServerName[]): ('A' | 'B')[] {
  return (['A', 'B'] as const).filter((id) => names.includes(`tmr-server-${id}`));
}

/** Who sells: root and issuing key. */
export type Vendor = Pick<LoopbackGroup, 'root' | 'vendorRoot' | 'issuer'>;

async function createVendor(directory: string): Promise<Vendor> {
  const root = createKey();
  const issuing = createKey();
  const now = Date.now();
  const document = certifyIssuingKey(root, {
    vendor: 'demo-vendor',
    key: issuing.publicKey,
    notBefore: now - DAY_MS,
    notAfter: now + 365 * DAY_MS,
  });
  await writeSecret(join(directory, 'root.key.pem'), root.toPem());
  await writeSecret(join(directory, 'issuing.key.pem'), issuing.toPem());
  await writeFile(join(directory, 'issuing-key.jws'), document);
  await writeFile(join(directory, 'root.pub'), `${toBase64url(root.publicKey.bytes)}\n`);
  return { root, vendorRoot: toBase64url(root.publicKey.bytes), issuer: issuerOf(root.publicKey, document, issuing) };
}

/** The containers, each in its server's folder; their requests; the vendor's configuration. */
async function createSet(
  directory: string,
  issuer: Issuer,
  { n, members }: { n: number; members: readonly number[] },
): Promise<Configuration> {
  const requests: string[] = [];
  for (const member of members) {
    const file = join(directory, `license-server-${member}`, numbered('container.tfc', n));
    const { container } = await createSoftwareContainer({ file });
    requests.push(await containerRequest(container, `demo license server ${member}`));
    await container[Symbol.asyncDispose]();
  }
  const now = Date.now();
  const text = configure(issuer, {
    requests,
    name: n === 1 ? 'demo licenses' : `demo licenses ${n}`,
    issuedAt: now,
    expires: now + 365 * DAY_MS,
  });
  const crypto = nodeCrypto();
  return verifyConfiguration(crypto, issuer.document, text);
}

type TmrKeys = Record<'A' | 'B', ReturnType<typeof generateEd25519>>;

function groupOf(names: readonly ServerName[], ports: readonly number[], tmrKeys: TmrKeys, admin: VendorKey) {
  return {
    ...{ group: 'demo', version: 1 },
    tmrServers: tmrServersOf(names).map((id) => ({
      ...{ id, key: tmrKeys[id].key.publicKey, address: `${HOST}:${ports[PORT_OF[id]]}` },
    })),
    licenseServers: membersOf(names).map((member) => ({ member, address: `${HOST}:${ports[member - 1]}` })),
    admins: [{ name: 'demo admin', key: admin.publicKey }],
  };
}

async function createServerFolder(
  folder: string,
  parts: {
    name: ServerName;
    documents: Readonly<Record<string, string>>;
    link: Identity;
    client: Identity;
    ports: readonly number[];
    i: number;
    tmrKeys: TmrKeys;
    /** Virtual containers. */
    count: number;
  },
): Promise<ServerFolder> {
  const { name, documents, link, client, ports, i } = parts;
  for (const [file, text] of Object.entries(documents)) await writeFile(join(folder, file), text);
  const [port, healthPort] = [ports[i] as number, ports[5 + i] as number];
  const kind = name.startsWith('license') ? 'license-server' : 'tmr-server';
  await writeFile(join(folder, 'link-authority.pem'), link.certificatePem);
  await writeIdentity(
    folder,
    'link',
    await issueCertificate(link, { commonName: name, role: name, hosts: [HOST], days: CERTIFICATE_DAYS }),
  );
  if (kind === 'tmr-server') {
    const identity = await issueCertificate(client, {
      commonName: name,
      role: name,
      hosts: [HOST, 'localhost'],
      days: CERTIFICATE_DAYS,
    });
    await writeIdentity(folder, 'client', identity);
    await writeSecret(join(folder, 'tmr.key'), `${toBase64url(parts.tmrKeys[name.endsWith('A') ? 'A' : 'B'].seed)}\n`);
  }
  const configFile = join(folder, `${kind}.yaml`);
  await writeFile(
    configFile,
    stringify(
      kind === 'license-server'
        ? licenseServerYaml(i, port, healthPort, parts.count)
        : tmrServerYaml(name, port, healthPort, parts.count),
    ),
  );
  return { name, kind, configFile, port, healthPort };
}

/** `client.json`, `client-2.json`, … */
function numbered(name: string, n: number): string {
  return n === 1 ? name : name.replace('.', `-${n}.`);
}

function documentFiles(n: number) {
  return {
    configuration: numbered('configuration.jws', n),
    issuingKey: 'issuing-key.jws',
    vendorRoot: 'vendor-root.pub',
    group: 'group.jws',
  };
}

function each<T>(count: number, make: (n: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i + 1));
}

function licenseServerYaml(i: number, port: number, healthPort: number, count: number) {
  return {
    member: i + 1,
    listen: `${HOST}:${port}`,
    health: `${HOST}:${healthPort}`,
    dataDirectory: 'data',
    link: { authority: 'link-authority.pem', certificate: 'link.crt.pem', key: 'link.key.pem' },
    virtualContainers: each(count, (n) => ({ ...documentFiles(n), container: numbered('container.tfc', n) })),
  };
}

function tmrServerYaml(name: string, port: number, healthPort: number, count: number) {
  return {
    server: name.endsWith('A') ? 'A' : 'B',
    listen: `${HOST}:${port}`,
    health: `${HOST}:${healthPort}`,
    dataDirectory: 'data',
    key: 'tmr.key',
    link: { authority: 'link-authority.pem', certificate: 'link.crt.pem', key: 'link.key.pem' },
    client: { certificate: 'client.crt.pem', key: 'client.key.pem' },
    virtualContainers: each(count, documentFiles),
  };
}

async function writeIdentity(folder: string, name: string, identity: Identity): Promise<void> {
  await writeFile(join(folder, `${name}.crt.pem`), identity.certificatePem);
  await writeSecret(join(folder, `${name}.key.pem`), identity.privateKeyPem);
}

async function writeSecret(file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
}

/** Ports that nobody uses now; held open together, so that no two are the same. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, HOST, () => resolve(server));
      });
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
