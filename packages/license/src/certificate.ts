import { equalBytes, malformed, Reader, Writer } from './bytes.ts';
import { type Crypto, SIGNATURE_BYTES } from './crypto.ts';
import { LicenseError } from './errors.ts';
import { ACCEPT_BYTES, type Accept, decodeAccept, type Member, readMember } from './statements.ts';
import type { Configuration } from './documents.ts';

export interface Vote {
  readonly member: Member;
  readonly signature: Uint8Array;
}

/**
 * A log head with two valid votes over identical bytes: proof that the group decided. Bytes: the ACCEPT statement, the
 * number of votes, then (member, signature) in ascending member order (FORMATS §3.2).
 */
export interface Certificate {
  readonly statement: Uint8Array;
  readonly votes: readonly Vote[];
}

export function encodeCertificate(certificate: Certificate): Uint8Array {
  const writer = new Writer().raw(certificate.statement).u8(certificate.votes.length);
  for (const vote of certificate.votes) writer.u8(vote.member).raw(vote.signature);
  return writer.done();
}

export function decodeCertificate(bytes: Uint8Array): Certificate {
  const reader = new Reader(bytes);
  const certificate = readCertificate(reader);
  reader.end();
  return certificate;
}

export function readCertificate(reader: Reader): Certificate {
  const statement = reader.raw(ACCEPT_BYTES);
  const count = reader.u8();
  if (count < 1 || count > 3) throw malformed(`${count} votes`);
  const votes: Vote[] = [];
  let previous = 0;
  for (let i = 0; i < count; i++) {
    const member = readMember(reader);
    // One vote shown twice must not count as two; ascending order also leaves one encoding only.
    if (member <= previous)
      throw new LicenseError('not-enough-votes', `member ${member} is listed twice or out of order`);
    previous = member;
    votes.push({ member, signature: reader.raw(SIGNATURE_BYTES) });
  }
  return { statement, votes };
}

/**
 * The certified statement, or a LicenseError that says why it proves nothing. Every listed vote must be valid: an extra
 * bad one is a sign of tampering, not something to look away from.
 */
export function verifyCertificate(crypto: Crypto, configuration: Configuration, certificate: Certificate): Accept {
  const accept = decodeAccept(certificate.statement);
  if (!equalBytes(accept.set, configuration.set)) throw new LicenseError('wrong-set', 'votes of another container set');
  if (accept.configVersion !== configuration.version)
    throw new LicenseError(
      'wrong-configuration',
      `votes under configuration version ${accept.configVersion}, not ${configuration.version}`,
    );
  // Also for votes that were collected, not decoded: one member, one vote.
  if (new Set(certificate.votes.map((vote) => vote.member)).size !== certificate.votes.length)
    throw new LicenseError('not-enough-votes', 'a member is listed twice');
  for (const vote of certificate.votes) {
    const container = configuration.containers.find((one) => one.member === vote.member);
    if (container === undefined)
      throw new LicenseError('not-a-member', `member ${vote.member} is not in this configuration`);
    if (!crypto.verify(container.signingKey, certificate.statement, vote.signature))
      throw new LicenseError('bad-signature', `the vote of license server ${vote.member} is not valid`);
  }
  if (certificate.votes.length < configuration.threshold)
    throw new LicenseError(
      'not-enough-votes',
      `${certificate.votes.length} of ${configuration.threshold} votes: one constituent alone decides nothing`,
    );
  return accept;
}
