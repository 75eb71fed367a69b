import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { parseAddress, PORTS } from '@trefoil/api';
import { HostError, parseConfiguration, z } from '@trefoil/host';
import { stringify } from 'yaml';
import { CliError, EXIT } from '../terminal.ts';

const address = (port: number) =>
  z
    .string()
    .refine((text) => parseAddress(text, port) !== undefined, `is not an address like 10.0.0.5 or 10.0.0.5:${port}`);

const schema = z
  .strictObject({
    /** Name of the group: lower case, as in client files. */
    group: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'has to be lower case letters, digits, ".", "_" and "-", like plant-7'),
    /** Three, or one for the form with a single server. */
    licenseServers: z.array(address(PORTS.links)),
    /** Two, or one. */
    tmrServers: z.array(address(PORTS.clients)),
    /** With the length of its network's prefix; left out where the network has no VRRP: clients know both servers. */
    virtualIp: z
      .string()
      .refine(
        (text) => parseVirtualIp(text) !== undefined,
        'is not an address with the length of its prefix, like 10.0.0.10/24',
      )
      .optional(),
    /** The TMR servers' network interface that carries it. */
    interface: z
      .string()
      .regex(/^[A-Za-z0-9_.:-]{1,15}$/, 'is not the name of a network interface')
      .default('eth0'),
    /** Tells the group's VRRP from others in the same network. */
    virtualRouter: z.int().min(1).max(255).default(51),
    /** Who signs the group document, for people. */
    admin: z.string().min(1).max(200).default('admin'),
    /** How long the servers' certificates are good. */
    certificateDays: z.int().min(1).max(3_650).default(730),
  })
  .superRefine((answers, context) => {
    const complain = (path: (string | number)[], message: string): void =>
      context.addIssue({ code: 'custom', path, message });
    const [voters, leaders] = [answers.licenseServers.length, answers.tmrServers.length];
    if (voters !== 3 && voters !== 1)
      complain(['licenseServers'], `names ${voters} servers; it has to be three, or one alone`);
    else if (leaders !== (voters === 3 ? 2 : 1))
      complain(
        ['tmrServers'],
        `names ${leaders} servers; ${voters === 3 ? 'three license servers have two' : 'one license server has one'}`,
      );
    const hosts = [...answers.licenseServers, ...answers.tmrServers].map((text) => hostOf(text));
    hosts.forEach((host, i) => {
      if (hosts.indexOf(host) === i || voters === 1) return;
      const path = i < voters ? ['licenseServers', i] : ['tmrServers', i - voters];
      complain(path, `${host} is named twice: each of the five is a host of its own, or one failure takes two of them`);
    });
    checkVirtualIp(answers, complain);
  });

export type Answers = z.output<typeof schema>;

interface VirtualIp {
  readonly address: string;
  readonly prefix: number;
}

function checkVirtualIp(
  {
    virtualIp,
    licenseServers,
    tmrServers,
  }: { virtualIp?: string | undefined; licenseServers: string[]; tmrServers: string[] },
  complain: (path: (string | number)[], message: string) => void,
): void {
  if (virtualIp === undefined) return;
  const parsed = parseVirtualIp(virtualIp);
  if (parsed === undefined) return; // said already
  if ([...licenseServers, ...tmrServers].some((text) => hostOf(text) === parsed.address))
    complain(['virtualIp'], `${parsed.address} is the own address of a server; it has to be one that no host has`);
  tmrServers.forEach((text, i) => {
    if (isIP(hostOf(text)) !== isIP(parsed.address))
      complain(
        ['tmrServers', i],
        `${hostOf(text)} has to be an IPv${isIP(parsed.address)} address, not a name, for keepalived to use it`,
      );
  });
  if (tmrServers.length < 2)
    complain(['virtualIp'], 'is for two TMR servers; a single one is reached by its own address');
}

/** `10.0.0.10/24` */
export function parseVirtualIp(text: string): VirtualIp | undefined {
  const [, address = '', digits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const prefix = Number(digits);
  const version = isIP(address);
  return version !== 0 && prefix >= 1 && prefix <= (version === 4 ? 32 : 128) ? { address, prefix } : undefined;
}

/** Without the port; what is no address stays as it is. */
export function hostOf(text: string): string {
  return parseAddress(text, 1)?.host ?? text;
}

/** `host:port`, with the port that it has by default. */
export function withPort(text: string, port: number): string {
  const parsed = parseAddress(text, port) as { host: string; port: number };
  return `${isIP(parsed.host) === 6 ? `[${parsed.host}]` : parsed.host}:${parsed.port}`;
}

export function portOf(text: string, port: number): number {
  return (parseAddress(text, port) as { port: number }).port;
}

/** What comes from options counts before what is in the file. @throws HostError with file and line; CliError about an option */
export function readAnswers(file: string | undefined, options: Readonly<Record<string, unknown>>): Answers {
  const text = file === undefined ? '' : readFileSync(file, 'utf8');
  if (file !== undefined && Object.keys(options).length === 0) return parseConfiguration(text, file, schema);
  const answers = file === undefined ? {} : parseConfiguration(text, file, z.looseObject({}));
  const together = stringify({ ...answers, ...options });
  try {
    return parseConfiguration(together, 'answers', schema);
  } catch (error) {
    // A line of a text that nobody has written helps nobody.
    if (!(error instanceof HostError)) throw error;
    throw new CliError(EXIT.usage, error.message.replace(/^answers:\d+: /, ''));
  }
}
