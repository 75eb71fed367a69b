import { type LedgerContext, readContext } from '@trefoil/core';
import { fileInvalid, readSecretFile, readTextFile } from '@trefoil/host';
import { fromBase64url, LicenseError, type SigningKey } from '@trefoil/license';
import { ed25519FromSeed, nodeCrypto } from '@trefoil/license/node-crypto';
import type { TmrServerConfiguration } from './configuration.ts';

/** Reads and verifies what a virtual container stands on. Throws HostError naming the file that doesn't fit. */
export async function readDocuments(
  files: TmrServerConfiguration['virtualContainers'][number],
): Promise<LedgerContext> {
  const result = readContext(nodeCrypto(), {
    vendorRoot: await readTextFile(files.vendorRoot),
    issuingKey: await readTextFile(files.issuingKey),
    configuration: await readTextFile(files.configuration),
    group: await readTextFile(files.group),
  });
  if ('context' in result) return result.context;
  throw fileInvalid(files[result.faulty], result.fault.message);
}

/** The key that signs proposals. Others than its owner must not be able to read it. */
export async function readSigningKey(file: string): Promise<SigningKey> {
  const text = (await readSecretFile(file)).trim();
  try {
    const seed = fromBase64url(text);
    if (seed.length === 32) return ed25519FromSeed(seed);
  } catch (error) {
    if (!(error instanceof LicenseError)) throw error;
  }
  throw fileInvalid(file, 'not an Ed25519 seed (32 bytes in base64url)');
}
