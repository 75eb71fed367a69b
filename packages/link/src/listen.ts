import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import { TlsFrameConnection, type FrameConnection } from './connection.ts';
import { codeOf, LinkError, reasonOf } from './errors.ts';
import { openHttpDoor, type HttpDoor, type HttpHandler } from './http-door.ts';
import { roleInNames, type Identity, type Peer } from './identity.ts';
import { acceptingLimits, frameProtocol, type ConnectionLimits } from './limits.ts';
import { RefusalReports, type Refusal } from './refusals.ts';

export type { HttpHandler } from './http-door.ts';
export type { Refusal } from './refusals.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly identity: Identity;
  /** The only authority whose client certificates are believed. Without it clients are not asked for one. */
  readonly clientAuthorityPem?: string;
  /** Whom to let in. With this, a client without a certificate of that authority and such a role gets no application byte. */
  readonly requireRole?: (role: string) => boolean;
  /** Names of the protocols whose frames are understood here, the best first; default: `trefoil/1`. */
  readonly protocols?: readonly string[];
  readonly onConnection: (connection: FrameConnection) => void;
  /** Serves HTTP/2 and HTTP/1.1 on the same port; without it the port speaks frames only. */
  readonly http?: HttpHandler;
  readonly maxConnections?: number;
  readonly handshakeTimeoutMs?: number;
  /** Told of those turned away, at most once a minute for each address. */
  readonly onRefused?: (refusal: Refusal) => void;
  readonly limits?: Partial<ConnectionLimits>;
}

export interface Listener extends AsyncDisposable {
  readonly port: number;
  /** Shows another certificate to all who connect from now on. Throws `LinkError` `identity-invalid`, and keeps the old one. */
  replaceIdentity(identity: Identity): void;
  /** Stops listening, lets connections send what waits, and resolves when all are closed. */
  close(): Promise<void>;
}

/** How long connections have to come to their end when the listener closes. */
const closeTimeoutMs = 2_000;

/**
 * Listens for TLS 1.3 connections: frames for whoever asks for such a protocol in the handshake, HTTP for everybody else if
 * there is a handler. Throws `LinkError`: `port-in-use`, `address-unavailable`, `identity-invalid`.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { host, port, maxConnections = 10_000 } = options;
  const entrance = new Entrance(options);
  const server = createTlsServer(options);
  server.maxConnections = maxConnections;
  server.on('connection', (socket: Socket) => entrance.arrive(socket));
  server.on('secureConnection', (socket: TLSSocket) => entrance.admit(socket));
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    if (codeOf(error) !== 'ECONNRESET') entrance.refuse(socket, reasonOf(error));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, host, port)));
    server.listen({ host, port }, resolve);
  });
  server.on('error', () => undefined); // accept errors (too many open files): the next connection may succeed
  const address = server.address();
  const close = () => entrance.close(server);
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    replaceIdentity: (next) =>
      orInvalid(() => server.setSecureContext(secureContextOptions(next, options.clientAuthorityPem))),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function createTlsServer(options: ListenOptions): Server {
  const { identity, clientAuthorityPem, handshakeTimeoutMs = 5_000, http, protocols = [frameProtocol] } = options;
  return orInvalid(() =>
    createServer({
      ...secureContextOptions(identity, clientAuthorityPem),
      ALPNProtocols: http === undefined ? [...protocols] : [...protocols, 'h2', 'http/1.1'],
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: clientAuthorityPem !== undefined,
      // Checked by `Entrance`, which can say who was turned away and why.
      rejectUnauthorized: false,
    }),
  );
}

function secureContextOptions(identity: Identity, clientAuthorityPem: string | undefined): SecureContextOptions {
  return {
    cert: identity.certificatePem,
    key: identity.privateKeyPem,
    ...(clientAuthorityPem !== undefined && { ca: clientAuthorityPem }),
    minVersion: 'TLSv1.3',
    // No resumption: every connection shows its certificate anew, to the authority that is believed now.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Decides who comes in, and keeps track of those who did. */
class Entrance {
  readonly #options: ListenOptions;
  readonly #limits: ConnectionLimits;
  readonly #refusals: RefusalReports;
  readonly #http: HttpDoor | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<FrameConnection>();

  constructor(options: ListenOptions) {
    this.#options = options;
    this.#limits = { ...acceptingLimits, ...options.limits };
    this.#refusals = new RefusalReports((refusal) => options.onRefused?.(refusal));
    this.#http = options.http && openHttpDoor(options.http);
  }

  arrive(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  admit(socket: TLSSocket): void {
    const reason = this.#reasonToRefuse(socket);
    if (reason !== undefined) return this.refuse(socket, reason);
    const peer: Peer = { role: roleOf(socket), address: addressOf(socket) };
    const { protocols = [frameProtocol] } = this.#options;
    if (protocols.some((one) => one === socket.alpnProtocol)) return this.#connect(socket, peer);
    // Without a word about the protocol it is an old HTTP/1.1 client.
    if (this.#http !== undefined) return this.#http.accept(socket, peer);
    this.refuse(socket, `does not speak ${frameProtocol}`);
  }

  refuse(socket: TLSSocket, reason: string): void {
    socket.on('error', () => undefined);
    // The address is gone with the connection, so it is read first.
    const address = addressOf(socket);
    socket.destroy();
    this.#refusals.refused(address, reason, performance.now());
  }

  async close(server: Server): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    for (const connection of this.#connections) connection.close();
    this.#http?.close();
    const timer = setTimeout(
      () => this.#destroyAll(),
      this.#connections.size > 0 ? closeTimeoutMs : closeTimeoutMs / 10,
    );
    await closed;
    clearTimeout(timer);
  }

  #connect(socket: TLSSocket, peer: Peer): void {
    const connection = new TlsFrameConnection(socket, peer, this.#limits);
    this.#connections.add(connection);
    connection.onClose(() => this.#connections.delete(connection));
    this.#options.onConnection(connection);
  }

  /**
   * A certificate that is shown has to be good, even where none is needed. A role counts only from a certificate of our
   * authority: anybody can write any role into a certificate of their own.
   */
  #reasonToRefuse(socket: TLSSocket): string | undefined {
    const { clientAuthorityPem, requireRole } = this.#options;
    const shown = socket.getPeerX509Certificate() !== undefined;
    if (clientAuthorityPem !== undefined && shown && !socket.authorized) {
      return `certificate not accepted: ${String(socket.authorizationError)}`;
    }
    if (requireRole === undefined) return undefined;
    if (clientAuthorityPem === undefined || !shown) return 'no certificate';
    const role = roleOf(socket);
    if (role === undefined) return 'certificate without a role';
    return requireRole(role) ? undefined : `role ${role} is not let in here`;
  }

  #destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** The role of a peer whose certificate leads to the authority that was asked for. */
function roleOf(socket: TLSSocket): string | undefined {
  return socket.authorized ? roleInNames(socket.getPeerX509Certificate()?.subjectAltName) : undefined;
}

function addressOf(socket: TLSSocket): string {
  return (socket.remoteAddress ?? 'unknown').replace(/^::ffff:(?=\d+\.)/, '');
}

function orInvalid<T>(create: () => T): T {
  try {
    return create();
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

function listenError(error: Error, host: string, port: number): LinkError {
  if (codeOf(error) === 'EADDRINUSE') {
    const message = `port ${port} on ${host} is in use by another process`;
    return new LinkError('port-in-use', message, { host, port }, { cause: error });
  }
  const reason = codeOf(error) === 'EACCES' ? 'no permission; ports below 1024 need privileges' : reasonOf(error);
  const message = `cannot listen on port ${port} of ${host}: ${reason}`;
  return new LinkError('address-unavailable', message, { host, port, reason }, { cause: error });
}
