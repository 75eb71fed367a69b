import type { Certified } from '@trefoil/api';
import {
  type Accept,
  type AcquireItem,
  bytesKey,
  type Configuration,
  type Crypto,
  decodeCertificate,
  decodeOutcome,
  encodeUtf8,
  equalBytes,
  fromBase64url,
  type Grant,
  type GrantBundle,
  type IssuingKey,
  type License,
  LicenseError,
  type Outcome,
  type PublicKey,
  publicKeyFault,
  verifyCertificate,
  verifyConfiguration,
  verifyIssuingKey,
  verifyLicense,
  verifyOutcome,
} from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { ClientError } from './errors.ts';

/** Many answers share one certificate: those seen last are not verified again. */
const REMEMBERED_CERTIFICATES = 16;

/** What everything else is checked against. */
export interface Documents {
  readonly issuing: IssuingKey;
  readonly configuration: Configuration;
}

/**
 * Checks what a group answers, from the vendor's root key down. One for a process is enough, for any number of clients: it
 * remembers documents, licenses and the newest certificates.
 */
export class Verifier {
  readonly crypto: Crypto;
  readonly vendorRoot: PublicKey;
  readonly #documents = new Map<string, Documents>();
  /** By set: who was replaced in it must not come back with an older configuration (PROTOCOL §4.9). */
  readonly #newest = new Map<string, Configuration>();
  readonly #licenses = new Map<string, License>();
  #certificates: { configuration: Configuration; bytes: Uint8Array; accept: Accept }[] = [];

  /** @throws ClientError `bad-vendor-root` */
  constructor(vendorRoot: string | PublicKey, crypto: Crypto = nodeCrypto()) {
    this.crypto = crypto;
    this.vendorRoot = typeof vendorRoot === 'object' ? vendorRoot : readRoot(vendorRoot);
  }

  /** @throws ClientError `not-trusted` */
  documents(issuingKey: string, configuration: string): Documents {
    const known = this.#documents.get(configuration);
    if (known !== undefined) return this.#notReplaced(known);
    try {
      const issuing = verifyIssuingKey(this.crypto, this.vendorRoot, issuingKey);
      const documents = { issuing, configuration: verifyConfiguration(this.crypto, issuing, configuration) };
      this.#documents.set(configuration, documents);
      return this.#notReplaced(documents);
    } catch (error) {
      if (!(error instanceof LicenseError)) throw error;
      throw new ClientError('not-trusted', `the servers are not vouched for by this vendor: ${error.message}`, {
        cause: error,
      });
    }
  }

  /** @throws ClientError `not-trusted` */
  #notReplaced(documents: Documents): Documents {
    const { set, version } = documents.configuration;
    const newest = this.#newest.get(bytesKey(set));
    if (newest !== undefined && newest.version > version)
      throw new ClientError(
        'not-trusted',
        `the servers show version ${version} of the configuration, which version ${newest.version} has replaced`,
      );
    this.#newest.set(bytesKey(set), documents.configuration);
    return documents;
  }

  /** The certified statement. @throws LicenseError */
  certificate(configuration: Configuration, bytes: Uint8Array): Accept {
    // Of another set it may prove just as much, and nothing here.
    for (const one of this.#certificates)
      if (one.configuration === configuration && equalBytes(one.bytes, bytes)) return one.accept;
    const accept = verifyCertificate(this.crypto, configuration, decodeCertificate(bytes));
    this.#certificates.unshift({ configuration, bytes: new Uint8Array(bytes), accept });
    if (this.#certificates.length > REMEMBERED_CERTIFICATES) this.#certificates.pop();
    return accept;
  }

  /** The outcome of the very command with this hash; anything else that a server might hand over is refused. @throws LicenseError */
  answer(configuration: Configuration, certified: Certified, commandHash: Uint8Array): Outcome {
    const accept = this.certificate(configuration, certified.certificate);
    const outcome = verifyOutcome(this.crypto, accept, certified);
    if (!equalBytes(outcome.commandHash, commandHash))
      throw new LicenseError('wrong-command', 'the outcome answers another request');
    return outcome;
  }

  /** Whether a grant of this set may name it. */
  knows({ set }: Configuration, digest: Uint8Array): boolean {
    const license = this.#licenses.get(bytesKey(digest));
    return license !== undefined && equalBytes(license.set, set);
  }

  /** Takes a license in that a grant names. @throws LicenseError if it isn't the vendor's, or isn't for this set. */
  learn({ issuing, configuration }: Documents, text: string): License {
    const license = verifyLicense(this.crypto, issuing, text);
    if (!equalBytes(license.set, configuration.set))
      throw new LicenseError('wrong-set', 'a license for another container set');
    if (license.tmrId !== 0 && configuration.threshold !== 2)
      throw new LicenseError('needs-two-votes', 'a TMR license is valid with two votes only');
    this.#licenses.set(bytesKey(this.crypto.sha256(encodeUtf8(text))), license);
    return license;
  }

  /** A grant fits its license and this session. @throws LicenseError */
  grant(grant: Grant, own: { sessionKey: Uint8Array; releaseHash: Uint8Array }): License {
    const license = this.#licenses.get(bytesKey(grant.licenseDigest));
    if (license === undefined || license.id !== grant.license || license.product !== grant.product)
      throw new LicenseError('wrong-license', 'the grant names a license that is not the vendor\u2019s');
    // A release hash of somebody else's would let the server free the seat behind our back and sell it again.
    if (!equalBytes(grant.sessionKey, own.sessionKey) || !equalBytes(grant.releaseHash, own.releaseHash))
      throw new LicenseError('wrong-session', 'the grant belongs to another session');
    return license;
  }

  /** With the licenses of all that the outcome grants: a renewal covers all seats of the session, and is proved as a whole. */
  bundle({ issuing, configuration }: Documents, certified: Certified): GrantBundle {
    const outcome = decodeOutcome(certified.outcome);
    const grants = outcome.kind === 'granted' || outcome.kind === 'renewed' ? outcome.grants : [];
    const digests = new Set(grants.map((grant) => bytesKey(grant.licenseDigest)));
    return {
      issuingKey: issuing.text,
      configuration: configuration.text,
      licenses: [...digests].map((digest) => this.#licenses.get(digest)?.text ?? ''),
      outcome: certified.outcome,
      leafIndex: certified.leafIndex,
      path: certified.path,
      certificate: certified.certificate,
    };
  }
}

function readRoot(text: string | undefined): PublicKey {
  if (typeof text !== 'string' || text.trim() === '')
    throw new ClientError(
      'bad-vendor-root',
      "the vendor's root key is missing: an application pins it, see vendor-root.pub",
    );
  try {
    const key = { alg: 'ed25519', bytes: fromBase64url(text.trim()) } as const;
    const fault = publicKeyFault(key);
    if (fault === undefined) return key;
    throw new ClientError('bad-vendor-root', `the vendor's root key is ${fault}`);
  } catch (error) {
    if (error instanceof ClientError) throw error;
    throw new ClientError('bad-vendor-root', "the vendor's root key is not 32 bytes in base64url");
  }
}

/** Those of one hold that a renewal names. */
export function grantsOf(outcome: Outcome, hold: number): readonly Grant[] {
  return outcome.kind === 'renewed' ? outcome.grants.filter((grant) => grant.hold === hold) : [];
}

/** Each item may be answered by grants of several licenses. @throws LicenseError */
export function checkItems(grants: readonly Grant[], items: readonly AcquireItem[]): void {
  for (const [i, item] of items.entries()) {
    const own = grants.filter((grant) => grant.item === i);
    const fits = own.every(({ product, feature }) => product === item.product && feature === item.feature);
    if (!fits || own.reduce((seats, grant) => seats + grant.seats, 0) !== item.seats)
      throw new LicenseError('wrong-license', 'the grant is for something else than was asked for');
  }
}
