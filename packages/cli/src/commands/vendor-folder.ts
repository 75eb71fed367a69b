import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Configuration, LicenseError, type PublicKey, verifyConfigurations } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { type Issuer, issuerOf } from '@trefoil/vendor';
import type { Command } from 'commander';
import { readKey, readTrimmed } from '../files.ts';
import { CliError, EXIT, wholeNumber } from '../terminal.ts';

/** Where a vendor's keys are. */
export interface Folder {
  readonly directory: string;
  readonly passphraseFile?: string;
}

export function withFolder(command: Command): Command {
  return command
    .option('--directory <path>', "folder with the vendor's keys", 'vendor')
    .option('--passphrase-file <file>', 'encrypts the keys, or opens them');
}

/**
 * Two licenses of one vendor need different numbers, and nobody should have to count. A single server's have none: one container
 * is no group of three.
 */
export function tmrIdOf(license: string, { threshold }: Pick<Configuration, 'threshold'>): number {
  if (threshold === 1) return 0;
  return 1 + (createHash('sha256').update(license).digest().readUInt32BE(0) >>> 1);
}

export async function readIssuer(options: Folder): Promise<Issuer> {
  const { directory } = options;
  const key = await readKey(join(directory, 'issuing.key.pem'), options.passphraseFile);
  return issuerOf(await readRoot(options), await readTrimmed(join(directory, 'issuing-key.jws')), key);
}

/** All versions in a configuration file, oldest first; what is issued is for the last. @throws CliError that names the file */
export async function readVersions(issuer: Issuer, file: string): Promise<[Configuration, ...Configuration[]]> {
  const texts = await readTrimmed(file);
  try {
    return verifyConfigurations(nodeCrypto(), issuer.document, texts);
  } catch (error) {
    if (error instanceof LicenseError) throw new CliError(EXIT.failure, `${file}: ${error.message}`);
    throw error;
  }
}

export async function readNewest(issuer: Issuer, file: string): Promise<Configuration> {
  return (await readVersions(issuer, file)).at(-1) as Configuration;
}

/** The vendor's root public key. */
export async function readRoot({ directory }: Folder): Promise<PublicKey> {
  return { alg: 'ed25519', bytes: Buffer.from(await readTrimmed(join(directory, 'root.pub')), 'base64url') };
}

const DAY_MS = 86_400_000;
/** A century: what is above is a slip of the finger. */
const MAX_DAYS = 36_525;

export function daysMs(text: string): number {
  return wholeNumber(text, '--days', 1, MAX_DAYS) * DAY_MS;
}
