import { isIP } from 'node:net';
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  type ConnectionOptions,
  type PeerCertificate,
  type TLSSocket,
} from 'node:tls';
import { lost, TlsFrameConnection, type FrameConnection } from './connection.ts';
import { codeOf, LinkError, reasonOf } from './errors.ts';
import { roleInNames, type Identity } from './identity.ts';
import { defaultLimits, frameProtocol, type ConnectionLimits } from './limits.ts';

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  /** What this end shows of itself, if it has something to show. */
  readonly identity?: Identity;
  /** The only authority whose certificates are believed; those of the operating system are not. */
  readonly authorityPem: string;
  /** The name to ask for and to find in the certificate, when it is not `host`. */
  readonly serverName?: string;
  /** The role that the other end has to have. Whoever has it may have any name: the role is checked instead. */
  readonly expectRole?: string;
  /** Names of the protocols that are spoken here, the best first; the other end takes one of them. Default: `trefoil/1`. */
  readonly protocols?: readonly string[];
  /** For connecting and the handshake together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly limits?: Partial<ConnectionLimits>;
}

/**
 * Connects over TLS 1.3 and returns the connection once the other end has proved who it is. Throws `LinkError`:
 * `unreachable`, `peer-untrusted`, `protocol-unknown`, `peer-refuses`, `identity-invalid`. A server that refuses our
 * certificate says so only after the handshake: the connection then closes with `peer-refuses` or `connection-lost`
 * before a frame arrives.
 */
export function dial(options: DialOptions): Promise<FrameConnection> {
  return new Promise((resolve, reject) => {
    const socket = connect(tlsOptions(options));
    const { host, port, timeoutMs, signal, protocols = [frameProtocol] } = options;
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      socket.off('end', onEnd);
      socket.off('secureConnect', onSecure);
      finish();
    };
    const fail = (error: Error) =>
      settle(() => {
        socket.on('error', () => undefined);
        socket.destroy();
        reject(error);
      });
    const onError = (error: Error) => fail(explain(error, options));
    const onEnd = () => fail(unreachable(options, 'the other end hung up'));
    const onAbort = () => fail(unreachable(options, 'given up'));
    const onSecure = () => {
      if (!protocols.some((one) => one === socket.alpnProtocol)) {
        const message = `${host}:${port} does not speak ${frameProtocol}`;
        return fail(new LinkError('protocol-unknown', message, { host, port }));
      }
      settle(() => resolve(connectionOver(socket, options)));
    };
    const timer = setTimeout(() => fail(unreachable(options, `no answer within ${timeoutMs} ms`)), timeoutMs);
    socket.on('error', onError);
    socket.on('end', onEnd);
    socket.on('secureConnect', onSecure);
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted === true) onAbort();
  });
}

function connectionOver(socket: TLSSocket, { host, limits }: DialOptions): FrameConnection {
  const role = roleInNames(socket.getPeerX509Certificate()?.subjectAltName);
  const peer = { role, address: socket.remoteAddress ?? host };
  return new TlsFrameConnection(socket, peer, { ...defaultLimits, ...limits });
}

function tlsOptions(options: DialOptions): ConnectionOptions {
  const { host, port, identity, authorityPem, serverName, expectRole, protocols = [frameProtocol] } = options;
  const name = serverName ?? host;
  return {
    host,
    port,
    secureContext: contextOf(identity, authorityPem),
    // A server name in the handshake must not be an address (RFC 6066 §3).
    servername: isIP(name) === 0 ? name : '',
    ALPNProtocols: [...protocols],
    rejectUnauthorized: true,
    checkServerIdentity: (_name: string, certificate: PeerCertificate) =>
      expectRole === undefined
        ? checkServerIdentity(name, certificate)
        : roleMismatch(options, certificate, expectRole),
  };
}

function contextOf(identity: Identity | undefined, authorityPem: string) {
  try {
    return createSecureContext({
      ...(identity && { cert: identity.certificatePem, key: identity.privateKeyPem }),
      ca: authorityPem,
      minVersion: 'TLSv1.3',
    });
  } catch (error) {
    const reason = reasonOf(error);
    throw new LinkError(
      'identity-invalid',
      `the certificate or key cannot be used: ${reason}`,
      { reason },
      { cause: error },
    );
  }
}

function roleMismatch(options: DialOptions, certificate: PeerCertificate, expected: string): Error | undefined {
  const { host, port } = options;
  const role = roleInNames(certificate.subjectaltname);
  if (role === expected) return undefined;
  const reason = `it is ${role ?? 'nobody we know'}, not ${expected}`;
  return new LinkError('peer-untrusted', `${host}:${port} is not trusted: ${reason}`, { host, port, reason });
}

/** OpenSSL's words for a chain that does not lead to the authority, or not now. */
const untrusted = /^(CERT_|ERR_TLS_CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_|PATH_LENGTH_)/;

function explain(error: Error, options: DialOptions): LinkError {
  if (error instanceof LinkError) return error;
  const { host, port } = options;
  const code = codeOf(error);
  const reason = reasonOf(error);
  if (untrusted.test(code)) {
    const message = `${host}:${port} is not trusted: ${reason}`;
    return new LinkError('peer-untrusted', message, { host, port, reason }, { cause: error });
  }
  if (code.endsWith('ALERT_NO_APPLICATION_PROTOCOL')) {
    const message = `${host}:${port} does not speak ${frameProtocol}`;
    return new LinkError('protocol-unknown', message, { host, port }, { cause: error });
  }
  const after = lost(error);
  return after.code === 'peer-refuses' ? after : unreachable(options, reason, error);
}

function unreachable({ host, port }: DialOptions, reason: string, cause?: Error): LinkError {
  return new LinkError('unreachable', `cannot reach ${host}:${port}: ${reason}`, { host, port, reason }, { cause });
}
