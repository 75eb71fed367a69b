import { stat } from 'node:fs/promises';
import { type LedgerContext, readContext } from '@trefoil/core';
import { HostError, readFileWithLimit } from '@trefoil/host';
import { type Identity, identityFault } from '@trefoil/link';
import { fromBase64url, LicenseError, LIMITS, type SigningKey } from '@trefoil/license';
import { ed25519FromSeed, nodeCrypto } from '@trefoil/license/node-crypto';
import type { TmrServerConfiguration } from './configuration.ts';

/** Reads and verifies what a virtual container stands on. Throws HostError naming the file that doesn't fit. */
export async function readDocuments(
  files: TmrServerConfiguration['virtualContainers'][number],
): Promise<LedgerContext> {
  const result = readContext(nodeCrypto(), {
    vendorRoot: await readText(files.vendorRoot),
    issuingKey: await readText(files.issuingKey),
    configuration: await readText(files.configuration),
    group: await readText(files.group),
  });
  if ('context' in result) return result.context;
  throw invalid(files[result.faulty], result.fault.message);
}

/** The key that signs proposals. Others than its owner must not be able to read it. */
export async function readSigningKey(file: string): Promise<SigningKey> {
  const text = (await readText(file)).trim();
  const { mode } = await stat(file);
  if (process.platform !== 'win32' && (mode & 0o077) !== 0)
    throw invalid(file, `others may read it; give it mode 0600: chmod 600 ${file}`);
  try {
    const seed = fromBase64url(text);
    if (seed.length === 32) return ed25519FromSeed(seed);
  } catch (error) {
    if (!(error instanceof LicenseError)) throw error;
  }
  throw invalid(file, 'not an Ed25519 seed (32 bytes in base64url)');
}

/** @throws HostError naming the file that can't be used */
export async function readIdentity(files: {
  certificate: string;
  key: string;
  authority?: string | undefined;
}): Promise<{ identity: Identity; authorityPem?: string }> {
  const identity = { certificatePem: await readText(files.certificate), privateKeyPem: await readText(files.key) };
  const authorityPem = files.authority === undefined ? undefined : await readText(files.authority);
  const fault = identityFault(identity, authorityPem);
  if (fault !== undefined) throw invalid(files[fault.part] ?? files.certificate, fault.reason);
  return authorityPem === undefined ? { identity } : { identity, authorityPem };
}

async function readText(file: string): Promise<string> {
  return Buffer.from(await readFileWithLimit(file, 2 * LIMITS.documentBytes)).toString('utf8');
}

function invalid(file: string, reason: string): HostError {
  return new HostError('file-invalid', `${file}: ${reason}`, { file, reason });
}
