import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { PublicKey, SigningKey } from '@trefoil/license';
import { ed25519FromSeed, generateEd25519 } from '@trefoil/license/node-crypto';
import { VendorError } from './errors.ts';

/** A vendor's key pair: root or issuing. `toPem` is the only way in which the secret leaves. */
export interface VendorKey extends SigningKey {
  /** PKCS#8 PEM, encrypted when a passphrase is given (AES-256-CBC, PBKDF2); readable with openssl. Keep it mode 0600. */
  toPem(passphrase?: string): string;
}

/** A fresh Ed25519 key. */
export function createKey(): VendorKey {
  return fromSeed(generateEd25519().seed);
}

/** Reads what `toPem` wrote. @throws VendorError `bad-key-file` when it is none, `wrong-passphrase` when it doesn't open. */
export function keyFromPem(pem: string, passphrase?: string): VendorKey {
  const encrypted = pem.includes('ENCRYPTED PRIVATE KEY');
  if (encrypted && passphrase === undefined)
    throw new VendorError('wrong-passphrase', 'the key is encrypted: give its passphrase');
  try {
    const key = createPrivateKey({ key: pem, format: 'pem', ...(encrypted && { passphrase }) });
    if (key.asymmetricKeyType !== 'ed25519')
      throw new VendorError('bad-key-file', `an ${key.asymmetricKeyType} key, not Ed25519`);
    return fromSeed(key.export({ format: 'der', type: 'pkcs8' }).subarray(-32));
  } catch (error) {
    if (error instanceof VendorError) throw error;
    throw encrypted
      ? new VendorError('wrong-passphrase', 'the passphrase does not open the key')
      : new VendorError('bad-key-file', 'not a private key in PEM (PKCS#8)');
  }
}

function fromSeed(seed: Uint8Array): VendorKey {
  const key = ed25519FromSeed(seed);
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  return {
    ...key,
    toPem: (passphrase) =>
      createPrivateKey({ key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' }).export({
        format: 'pem',
        type: 'pkcs8',
        ...(passphrase !== undefined && { cipher: 'aes-256-cbc', passphrase }),
      }) as string,
  };
}

/** SubjectPublicKeyInfo PEM of a key, for tools that want that. */
export function publicPem(key: PublicKey): string {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.bytes]);
  return createPublicKey({ key: der, format: 'der', type: 'spki' }).export({ format: 'pem', type: 'spki' }) as string;
}
