import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls';
import { frameProtocol, roleOfCertificate } from '@trefoil/link';
import type { Place } from './host.ts';

/** Who is at an address. */
export type Answer =
  | { readonly kind: 'silent'; readonly reason: string }
  /** Somebody listens, and doesn't speak as our servers do. */
  | { readonly kind: 'stranger' }
  | {
      readonly kind: 'certificate';
      /** What the certificate claims. */
      readonly role: string | undefined;
      /** Why it is not believed. */
      readonly fault: string | undefined;
      readonly fingerprint: string;
    };

const PROBE_MS = 2_000;

export interface ProbeOptions {
  /** Undefined: whatever the certificate, it is not judged. */
  readonly authorityPem: string | undefined;
  /** Whether the certificate has to name the address: it does where clients come. */
  readonly byName?: boolean;
}

/**
 * Shakes hands, looks at the certificate and leaves. Without one of its own: a license server that is shown a TMR server's takes the new
 * connection for that server's, and lets the one go on which the group works.
 */
export function probe({ host, port }: Place, { authorityPem, byName = false }: ProbeOptions): Promise<Answer> {
  return new Promise((resolve) => {
    let connected = false;
    const socket = connect({
      ...{ host, port, rejectUnauthorized: false, minVersion: 'TLSv1.3', ALPNProtocols: [frameProtocol] },
      ...(authorityPem !== undefined && { ca: authorityPem }),
      servername: isIP(host) === 0 ? host : '',
      checkServerIdentity: (_name, certificate) => (byName ? checkServerIdentity(host, certificate) : undefined),
    });
    const end = (answer: Answer): void => {
      clearTimeout(timer);
      socket.on('error', () => undefined);
      socket.destroy();
      resolve(answer);
    };
    const lost = (reason: string): void => end(connected ? { kind: 'stranger' } : { kind: 'silent', reason });
    const timer = setTimeout(() => lost(`no answer within ${PROBE_MS / 1_000} s`), PROBE_MS);
    socket.once('connect', () => (connected = true));
    socket.once('error', (error) => lost(inWords(error)));
    socket.once('end', () => lost('it hangs up'));
    socket.once('secureConnect', () => end(seen(socket, host, authorityPem !== undefined)));
  });
}

function seen(socket: TLSSocket, host: string, judged: boolean): Answer {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined || socket.alpnProtocol !== frameProtocol) return { kind: 'stranger' };
  return {
    kind: 'certificate',
    role: roleIn(certificate),
    fault: judged && !socket.authorized ? faultOf(String(socket.authorizationError), host) : undefined,
    fingerprint: certificate.fingerprint256,
  };
}

function roleIn(certificate: X509Certificate): string | undefined {
  return roleOfCertificate(certificate.toString());
}

/** OpenSSL's words for a chain that does not lead to the authority, or not now. */
export function faultOf(code: string, host: string): string {
  if (code.includes('CERT_HAS_EXPIRED')) return 'its certificate has expired';
  if (code.includes('CERT_NOT_YET_VALID')) return 'its certificate is not good yet, by the clock of this host';
  if (code.includes('ALTNAME')) return `its certificate does not name ${host}`;
  return 'its certificate is of another authority';
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ENOTFOUND: 'the name is unknown',
  ETIMEDOUT: 'no answer in time',
};

function inWords(error: Error): string {
  return ('code' in error ? REASONS[String(error.code)] : undefined) ?? error.message;
}
