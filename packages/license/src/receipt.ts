import { encodeUtf8, fromBase64url, malformed, toBase64url } from './bytes.ts';
import { decodeCertificate, verifyCertificate } from './certificate.ts';
import type { Crypto, PublicKey } from './crypto.ts';
import { type Configuration, verifyConfiguration, verifyIssuingKey } from './documents.ts';
import { LicenseError } from './errors.ts';
import { Fields } from './fields.ts';
import { type GrantBundle, verifyOutcome } from './grant-bundle.ts';
import { parseStrictJson } from './json.ts';
import { LIMITS } from './limits.ts';
import { type InstalledLicense } from './outcome-parts.ts';
import type { Accept } from './statements.ts';

/** That a group has installed an update, and what it then had of each license; as a file: FORMATS §6.4. */
export type Receipt = Omit<GrantBundle, 'licenses'>;

export interface VerifiedReceipt {
  readonly configuration: Configuration;
  readonly accept: Accept;
  /** Of the command that put the update into service: which update it was. */
  readonly commandHash: Uint8Array;
  readonly licenses: readonly InstalledLicense[];
}

export function encodeReceipt(receipt: Receipt): string {
  return JSON.stringify(
    {
      format: 'trefoil-receipt-1',
      issuingKey: receipt.issuingKey,
      configuration: receipt.configuration,
      outcome: toBase64url(receipt.outcome),
      leafIndex: receipt.leafIndex,
      path: receipt.path.map(toBase64url),
      certificate: toBase64url(receipt.certificate),
    },
    undefined,
    2,
  );
}

export function decodeReceipt(text: string): Receipt {
  const fields = new Fields(parseStrictJson(encodeUtf8(text), LIMITS.grantBundleBytes), '');
  fields.oneOf('format', ['trefoil-receipt-1']);
  const receipt = {
    issuingKey: fields.text('issuingKey', LIMITS.documentBytes),
    configuration: fields.text('configuration', LIMITS.documentBytes),
    outcome: fromBase64url(fields.text('outcome', LIMITS.documentBytes)),
    leafIndex: fields.integer('leafIndex', 0, 2 ** LIMITS.proofHashes - 1),
    path: fields.texts('path', LIMITS.proofHashes, 43).map((hash, i) => {
      const bytes = fromBase64url(hash);
      if (bytes.length !== 32) throw malformed(`path[${i}] is not a hash`);
      return bytes;
    }),
    certificate: fromBase64url(fields.text('certificate', 2048)),
  };
  fields.end();
  return receipt;
}

/** From the vendor's root key down, as a grant is. @throws LicenseError */
export function verifyReceipt(crypto: Crypto, root: PublicKey, receipt: Receipt): VerifiedReceipt {
  const issuing = verifyIssuingKey(crypto, root, receipt.issuingKey);
  const configuration = verifyConfiguration(crypto, issuing, receipt.configuration);
  const accept = verifyCertificate(crypto, configuration, decodeCertificate(receipt.certificate));
  const outcome = verifyOutcome(crypto, accept, receipt);
  if (outcome.kind !== 'updated')
    throw new LicenseError('wrong-proof', `the certified outcome is "${outcome.kind}", not of an update`);
  return { configuration, accept, commandHash: outcome.commandHash, licenses: outcome.licenses };
}
