import { dirname, resolve } from 'node:path';
import { loadConfiguration, logLevels, webhookSchema, z } from '@trefoil/host';
import { parseAddress, PORTS } from '@trefoil/api';

const address = (port: number) =>
  z
    .string()
    .refine((text) => parseAddress(text, port) !== undefined, 'is not an address like 10.0.0.5:7411')
    .transform((text) => parseAddress(text, port) as { host: string; port: number });

const schema = z.strictObject({
  /** Which of the three this is. */
  member: z.union([z.literal(1), z.literal(2), z.literal(3)]),
  /** Where TMR servers connect. Only they can: mTLS with the link authority. */
  listen: address(PORTS.links).default({ host: '0.0.0.0', port: PORTS.links }),
  /** Health, readiness and metrics, over plain HTTP: loopback unless there is a reason. */
  health: address(PORTS.health).default({ host: '127.0.0.1', port: PORTS.health }),
  /** The logs; a folder for each virtual container. On a disk that survives a power cut. */
  dataDirectory: z.string().min(1),
  link: z.strictObject({
    /** The link authority's certificate, PEM. */
    authority: z.string().min(1),
    certificate: z.string().min(1),
    key: z.string().min(1),
  }),
  virtualContainers: z
    .array(
      z.strictObject({
        /** Signed by the vendor's issuing key. */
        configuration: z.string().min(1),
        issuingKey: z.string().min(1),
        /** The vendor's root public key: one line, base64url. */
        vendorRoot: z.string().min(1),
        /** Signed by the customer's admin. */
        group: z.string().min(1),
        /** The software container's file. */
        container: z.string().min(1),
        passphraseFile: z.string().min(1).optional(),
      }),
    )
    .min(1),
  /** Who is told of alarms. */
  webhook: webhookSchema.optional(),
  logLevel: z.enum(logLevels).default('info'),
});

export type LicenseServerConfiguration = z.output<typeof schema>;

/** Paths in the file are relative to it. Throws HostError: one sentence with file and line. */
export function readConfiguration(file: string): LicenseServerConfiguration {
  const configuration = loadConfiguration(file, schema);
  const base = dirname(resolve(file));
  const absolute = (path: string): string => resolve(base, path);
  const { link, webhook } = configuration;
  return {
    ...configuration,
    dataDirectory: absolute(configuration.dataDirectory),
    link: { authority: absolute(link.authority), certificate: absolute(link.certificate), key: absolute(link.key) },
    webhook: webhook && {
      url: webhook.url,
      ...(webhook.tokenFile !== undefined && { tokenFile: absolute(webhook.tokenFile) }),
    },
    virtualContainers: configuration.virtualContainers.map((one) => ({
      configuration: absolute(one.configuration),
      issuingKey: absolute(one.issuingKey),
      vendorRoot: absolute(one.vendorRoot),
      group: absolute(one.group),
      container: absolute(one.container),
      ...(one.passphraseFile !== undefined && { passphraseFile: absolute(one.passphraseFile) }),
    })),
  };
}
