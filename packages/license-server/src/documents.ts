import { type LedgerContext, readContext } from '@trefoil/core';
import { fileInvalid, readTextFile } from '@trefoil/host';
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
    vendorRoot: await readTextFile(files.vendorRoot),
    issuingKey: await readTextFile(files.issuingKey),
    configuration: await readTextFile(files.configuration),
    group: await readTextFile(files.group),
  });
  if ('context' in result) return result.context;
  throw fileInvalid(files[result.faulty], result.fault.message);
}
