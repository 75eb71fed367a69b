import {
  type Crypto,
  fromBase64url,
  LicenseError,
  publicKeyFault,
  verifyConfigurations,
  verifyGroupFile,
  verifyIssuingKey,
} from '@trefoil/license';
import type { LedgerContext } from './ledger/state.ts';

/** The four texts that a virtual container stands on; each is one file of a server. */
export interface ContextTexts {
  /** The vendor's root public key: base64url, 32 bytes. */
  readonly vendorRoot: string;
  readonly issuingKey: string;
  /** A line for each version, from the set's first on; the later ones may be missing. */
  readonly configuration: string;
  /** Likewise. */
  readonly group: string;
}

/** Verifies them. A fault names the text that doesn't fit. */
export function readContext(
  crypto: Crypto,
  texts: ContextTexts,
): { context: LedgerContext } | { faulty: keyof ContextTexts; fault: LicenseError } {
  const vendors = readVendorsTexts(crypto, texts);
  if ('faulty' in vendors) return vendors;
  try {
    return { context: { ...vendors.context, group: verifyGroupFile(crypto, texts.group) } };
  } catch (error) {
    if (error instanceof LicenseError) return { faulty: 'group', fault: error };
    throw error;
  }
}

/** Those that the vendor has signed: all that an auditor needs who must not see whose group it is. */
export function readVendorsTexts(
  crypto: Crypto,
  texts: Omit<ContextTexts, 'group'>,
): { context: Omit<LedgerContext, 'group'> } | { faulty: keyof ContextTexts; fault: LicenseError } {
  let reading: keyof ContextTexts = 'vendorRoot';
  try {
    const vendorRoot = { alg: 'ed25519', bytes: fromBase64url(texts.vendorRoot.trim()) } as const;
    const weak = publicKeyFault(vendorRoot);
    if (weak !== undefined) throw new LicenseError('weak-key', `the vendor's root key is ${weak}`);
    reading = 'issuingKey';
    const issuing = verifyIssuingKey(crypto, vendorRoot, texts.issuingKey.trim());
    reading = 'configuration';
    const [configuration, ...laterConfigurations] = verifyConfigurations(crypto, issuing, texts.configuration);
    return { context: { crypto, vendorRoot, configuration, laterConfigurations, issuingKey: issuing.text } };
  } catch (error) {
    if (error instanceof LicenseError) return { faulty: reading, fault: error };
    throw error;
  }
}
