import { type LedgerContext, readContext } from '@trefoil/core';
import { HostError, readFileWithLimit } from '@trefoil/host';
import type { Identity } from '@trefoil/link';
import { LIMITS } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';

export interface DocumentFiles {
  readonly configuration: string;
  readonly issuingKey: string;
  readonly vendorRoot: string;
  readonly group: string;
}

/** Reads and verifies what a virtual container stands on. Throws HostError naming the file that doesn't fit. */
export async function readDocuments(files: DocumentFiles): Promise<LedgerContext> {
  const result = readContext(nodeCrypto(), {
    vendorRoot: await readText(files.vendorRoot),
    issuingKey: await readText(files.issuingKey),
    configuration: await readText(files.configuration),
    group: await readText(files.group),
  });
  if ('context' in result) return result.context;
  const file = files[result.faulty];
  throw new HostError('file-invalid', `${file}: ${result.fault.message}`, { file, reason: result.fault.code });
}

export async function readIdentity(files: { certificate: string; key: string }): Promise<Identity> {
  return { certificatePem: await readText(files.certificate), privateKeyPem: await readText(files.key) };
}

export async function readText(file: string): Promise<string> {
  return Buffer.from(await readFileWithLimit(file, 2 * LIMITS.documentBytes)).toString('utf8');
}
