import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { parseAddress, PORTS } from '@trefoil/api';
import { httpUrl, loadConfiguration, logLevels, webhookSchema, z } from '@trefoil/host';

const address = (port: number) =>
  z
    .string()
    .refine((text) => parseAddress(text, port) !== undefined, `is not an address like 10.0.0.8:${port}`)
    .transform((text) => parseAddress(text, port) as { host: string; port: number });

const pem = { certificate: z.string().min(1), key: z.string().min(1) };

const schema = z.strictObject({
  /** Which of the two this is. */
  server: z.enum(['A', 'B']),
  /** Where clients connect. */
  listen: address(PORTS.clients).default({ host: '0.0.0.0', port: PORTS.clients }),
  health: address(PORTS.health).default({ host: '127.0.0.1', port: PORTS.health }),
  /** For the witness file: what was seen of the license servers. */
  dataDirectory: z.string().min(1),
  /** Ed25519 seed, base64url, in a file of mode 0600: signs proposals. Its public half is in the group document. */
  key: z.string().min(1),
  /** Towards the license servers. */
  link: z.strictObject({ authority: z.string().min(1), ...pem }),
  /** Towards clients. `authority`: of client certificates, which are then demanded. */
  client: z.strictObject({ authority: z.string().min(1).optional(), ...pem }),
  /** The address that both TMR servers share, and the file by which keepalived learns who wants it. */
  virtualIp: z
    .strictObject({
      address: z.string().refine((text) => isIP(text) !== 0, 'is not an IP address'),
      weightFile: z.string().min(1).default('/run/trefoil/virtual-ip-weight'),
    })
    .optional(),
  virtualContainers: z
    .array(
      z.strictObject({
        configuration: z.string().min(1),
        issuingKey: z.string().min(1),
        vendorRoot: z.string().min(1),
        group: z.string().min(1),
      }),
    )
    .min(1),
  /** Who is told of alarms. */
  webhook: webhookSchema.optional(),
  /** Spans of commands, for a collector of OpenTelemetry. */
  traces: z
    .strictObject({
      endpoint: httpUrl('http://collector:4318/v1/traces'),
      /** Share of the commands, from 0 to 1; more than some hundred in five seconds are dropped. */
      sample: z.number().min(0).max(1).default(0.01),
    })
    .optional(),
  logLevel: z.enum(logLevels).default('info'),
});

export type TmrServerConfiguration = z.output<typeof schema>;

/** Paths in the file are relative to it. Throws HostError: one sentence with file and line. */
export function readConfiguration(file: string): TmrServerConfiguration {
  const configuration = loadConfiguration(file, schema);
  const base = dirname(resolve(file));
  const absolute = (path: string): string => resolve(base, path);
  const { link, client, webhook } = configuration;
  return {
    ...configuration,
    dataDirectory: absolute(configuration.dataDirectory),
    key: absolute(configuration.key),
    link: { authority: absolute(link.authority), certificate: absolute(link.certificate), key: absolute(link.key) },
    client: {
      certificate: absolute(client.certificate),
      key: absolute(client.key),
      ...(client.authority !== undefined && { authority: absolute(client.authority) }),
    },
    webhook: webhook && {
      url: webhook.url,
      ...(webhook.tokenFile !== undefined && { tokenFile: absolute(webhook.tokenFile) }),
    },
    virtualContainers: configuration.virtualContainers.map((one) => ({
      configuration: absolute(one.configuration),
      issuingKey: absolute(one.issuingKey),
      vendorRoot: absolute(one.vendorRoot),
      group: absolute(one.group),
    })),
  };
}
