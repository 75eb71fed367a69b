import { createPrivateKey, X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { readFileWithLimit } from './atomic-file.ts';
import { HostError } from './errors.ts';
import { platform } from './platform.ts';

/** Certificates, keys and documents: far smaller, all of them. */
const MAX_BYTES = 512 * 1024;

/** A file that a configuration names. Throws `HostError` `file-unreadable` or `file-too-large`. */
export async function readTextFile(file: string, maximumBytes = MAX_BYTES): Promise<string> {
  return Buffer.from(await readFileWithLimit(file, maximumBytes)).toString('utf8');
}

/** As `readTextFile`, of a secret: others than its owner must not be able to read it. `key`: that of the configuration. */
export async function readSecretFile(file: string, key?: string): Promise<string> {
  const text = await readTextFile(file);
  const { mode } = await stat(file);
  if (platform.isOpenToOthers(mode))
    throw fileInvalid(file, `others may read it; give it mode 0600: chmod 600 ${file}`, key);
  return text;
}

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  /** Of the certificates that are believed; '' where none are asked for. */
  readonly authority: string;
}

export interface Certificates {
  readonly identity: { readonly certificatePem: string; readonly privateKeyPem: string };
  readonly authorityPem: string;
}

/** What these files say, checked one by one: TLS would not tell which of them it can't use. Throws `HostError`. */
export async function readCertificateFiles(files: CertificateFiles): Promise<Certificates> {
  const certificatePem = await readTextFile(files.certificate);
  const certificate = parsed(() => new X509Certificate(certificatePem));
  if (certificate === undefined) throw fileInvalid(files.certificate, NO_CERTIFICATE, 'certificate');
  const privateKeyPem = await readTextFile(files.key);
  const key = parsed(() => createPrivateKey(privateKeyPem));
  if (key === undefined) throw fileInvalid(files.key, 'not a private key in PEM', 'key');
  if (!certificate.checkPrivateKey(key))
    throw fileInvalid(files.key, 'not the key of the certificate beside it', 'key');
  const authorityPem = files.authority === '' ? '' : await readTextFile(files.authority);
  if (files.authority !== '' && parsed(() => new X509Certificate(authorityPem)) === undefined)
    throw fileInvalid(files.authority, NO_CERTIFICATE, 'authority');
  return { identity: { certificatePem, privateKeyPem }, authorityPem };
}

const NO_CERTIFICATE = 'not a certificate in PEM';

/** Read, but not what it has to be. `key`: that of the configuration under which it is named. */
export function fileInvalid(file: string, reason: string, key?: string): HostError {
  return new HostError('file-invalid', `${file}: ${reason}`, { file, reason, ...(key !== undefined && { key }) });
}

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
