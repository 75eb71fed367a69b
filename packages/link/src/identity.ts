import { X509Certificate } from 'node:crypto';

/** What one end of a link shows of itself: a certificate (with those between it and the authority, if any) and its key. */
export interface Identity {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** Who is at the other end. */
export interface Peer {
  /** From its certificate, if it has one of the expected authority; undefined for everybody else. */
  readonly role: string | undefined;
  /** Its network address, without the port. */
  readonly address: string;
}

/** A certificate carries a role as this URI among its alternative names. */
export const roleUriPrefix = 'trefoil:role:';

/** Letters, digits and hyphens: a role can be part of a file name, a label and a list without being quoted. */
export const rolePattern = /^[A-Za-z][A-Za-z0-9-]{0,62}$/;

/** The role in a certificate's list of alternative names as Node writes it; undefined unless there is exactly one. */
export function roleInNames(subjectAltName: string | undefined): string | undefined {
  // Node quotes a name that contains a separator. No name of ours does: such a list was made to be misread.
  if (subjectAltName === undefined || subjectAltName.includes('"')) return undefined;
  const prefix = `URI:${roleUriPrefix}`;
  const roles = subjectAltName.split(', ').filter((name) => name.startsWith(prefix));
  const role = roles.length === 1 ? roles[0]?.slice(prefix.length) : undefined;
  return role !== undefined && rolePattern.test(role) ? role : undefined;
}

/** The role that a certificate carries. Says nothing about who signed it. */
export function roleOfCertificate(certificatePem: string): string | undefined {
  return roleInNames(new X509Certificate(certificatePem).subjectAltName);
}
