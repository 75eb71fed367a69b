import { type LedgerContext, readContext } from '@trefoil/core';
import { HostError, readFileWithLimit } from '@trefoil/host';
import { type Identity, identityFault } from '@trefoil/link';
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

/** @throws HostError naming the file that can't be used */
export async function readIdentity(files: {
  certificate: string;
  key: string;
  authority: string;
}): Promise<{ identity: Identity; authorityPem: string }> {
  const identity = { certificatePem: await readText(files.certificate), privateKeyPem: await readText(files.key) };
  const authorityPem = await readText(files.authority);
  const fault = identityFault(identity, authorityPem);
  if (fault === undefined) return { identity, authorityPem };
  const file = files[fault.part];
  throw new HostError('file-invalid', `${file}: ${fault.reason}`, { file, reason: fault.reason });
}

async function readText(file: string): Promise<string> {
  return Buffer.from(await readFileWithLimit(file, 2 * LIMITS.documentBytes)).toString('utf8');
}
