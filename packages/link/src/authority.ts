import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { rolePattern, roleUriPrefix, type Identity } from './identity.ts';

export type { Identity } from './identity.ts';

export interface AuthorityOptions {
  readonly name: string;
  /** How long its certificate is valid; ten years unless told. */
  readonly days?: number;
}

export interface CertificateOptions {
  readonly commonName: string;
  /** What the holder may be on a link: `license-server-1`, `tmr-server-A`, `client`. */
  readonly role: string;
  /** The names and addresses at which the holder can be reached. */
  readonly hosts: readonly string[];
  readonly days: number;
}

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' };
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' };
const dayMs = 86_400_000;

/** Makes a new authority for links. Each purpose has its own, since TLS checks only where a chain ends. */
export async function createAuthority({ name, days = 3_650 }: AuthorityOptions): Promise<Identity> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      ...(await validity(days)),
      name: [{ CN: [name] }],
      keys,
      signingAlgorithm,
      extensions: [
        // Signs the certificates of servers and clients, never another authority.
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return toIdentity(certificate, keys.privateKey);
}

/** Makes a key and a certificate for one end of a link, good for both dialling and listening. */
export async function issueCertificate(authority: Identity, options: CertificateOptions): Promise<Identity> {
  const { commonName, role, hosts, days } = options;
  if (!rolePattern.test(role)) throw new RangeError(`not a role: ${role}`);
  const issuer = new x509.X509Certificate(authority.certificatePem);
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create(
    {
      ...(await validity(days)),
      subject: [{ CN: [commonName] }],
      issuer: issuer.subjectName,
      publicKey: keys.publicKey,
      signingKey: await importPrivateKey(authority.privateKeyPem),
      signingAlgorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([
          { type: 'url', value: `${roleUriPrefix}${role}` },
          ...hosts.map((host) => ({
            type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const),
            value: checkedHost(host),
          })),
        ]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return toIdentity(certificate, keys.privateKey);
}

/** From a day ago, so that a clock which is a little behind accepts it at once. */
async function validity(days: number) {
  const now = Date.now();
  // The highest bit of a serial number is a sign; this keeps it positive and without a leading zero.
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return {
    serialNumber: serial.toString('hex'),
    notBefore: new Date(now - dayMs),
    notAfter: new Date(now + days * dayMs),
  };
}

/** A name with a separator in it could pass for a list of names, a role among them. */
function checkedHost(host: string): string {
  if (isIP(host) === 0 && !/^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(host))
    throw new RangeError(`not a host: ${host}`);
  return host;
}

function generateKeys() {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
}

function importPrivateKey(pem: string) {
  return webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(pem), keyAlgorithm, false, ['sign']);
}

async function toIdentity(certificate: x509.X509Certificate, privateKey: webcrypto.CryptoKey): Promise<Identity> {
  const exported = await webcrypto.subtle.exportKey('pkcs8', privateKey);
  return {
    certificatePem: `${certificate.toString('pem')}\n`,
    privateKeyPem: `${x509.PemConverter.encode(exported, 'PRIVATE KEY')}\n`,
  };
}
