import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Peer } from './identity.ts';

/** Serves a request that came over HTTP/2 or HTTP/1.1; `peer` is whoever the TLS connection belongs to. */
export type HttpHandler = (
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  peer: Peer,
) => void;

/** HTTP for TLS connections that another server has accepted. */
export interface HttpDoor {
  accept(socket: TLSSocket, peer: Peer): void;
  /** Lets requests that run come to their end, and takes no more. */
  close(): void;
}

const idleTimeoutMs = 120_000;
const headersTimeoutMs = 10_000;

/** Survives the stand-in for the socket that an HTTP/2 session gives out: it passes property reads on. */
const peerKey = Symbol('peer');
type WithPeer = { [peerKey]?: Peer };

const unknownPeer: Peer = { role: undefined, address: '' };

export function openHttpDoor(handler: HttpHandler): HttpDoor {
  const sessions = new Set<ServerHttp2Session>();
  const server = createSecureServer({
    allowHTTP1: true,
    settings: { maxConcurrentStreams: 256 },
    maxSessionMemory: 10,
  });
  // Not in the types, yet there for HTTP/1.1; the event starts the timer that looks after slow requests.
  Object.assign(server, { headersTimeout: headersTimeoutMs, requestTimeout: 6 * headersTimeoutMs });
  server.emit('listening');
  server.on('request', (request, response) =>
    handler(request, response, (request.socket as WithPeer)[peerKey] ?? unknownPeer),
  );
  server.on('session', (session) => {
    sessions.add(session);
    session.setTimeout(idleTimeoutMs, () => session.close());
    session.on('error', () => session.destroy());
    session.on('close', () => sessions.delete(session));
  });
  return {
    accept: (socket, peer) => {
      (socket as WithPeer)[peerKey] = peer;
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
      if (socket.alpnProtocol !== 'h2') socket.setTimeout(idleTimeoutMs, () => socket.destroy());
      // Node looks up its HTTP/1.1 classes on the socket's server, which has to be the one that speaks HTTP.
      Object.assign(socket, { server });
      server.emit('secureConnection', socket);
    },
    close: () => {
      for (const session of sessions) session.close();
    },
  };
}
