import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { HostError, reasonOf, systemCodeOf } from './errors.ts';
import type { Metrics } from './metrics.ts';

export interface HealthOptions {
  /** Loopback unless told: health and metrics say much about a group. */
  readonly host?: string;
  /** 7413 unless told; 0 takes any free port. */
  readonly port?: number;
  readonly metrics: Metrics;
  /** Why this process cannot do its work right now, in short sentences; nothing when it can. */
  readonly reasonsNotReady: () => readonly string[];
}

export interface HealthServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/**
 * Serves `/healthz` (200 while the process runs), `/readyz` (200, or 503 with the reasons) and `/metrics`.
 * Throws `HostError` `port-in-use` or `address-unavailable`.
 */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  const { host = '127.0.0.1', port = 7413 } = options;
  const server = createServer((request, response) => {
    answer(request, response, options).catch(() => response.destroy());
  });
  server.maxConnections = 64;
  server.headersTimeout = 5_000;
  server.requestTimeout = 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, host, port)));
    server.listen({ host, port }, resolve);
  });
  const address = server.address();
  return {
    host,
    port: typeof address === 'object' && address !== null ? address.port : port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The sentence for a port that could not be listened on. */
function listenError(error: unknown, host: string, port: number): HostError {
  if (systemCodeOf(error) === 'EADDRINUSE') {
    const message = `port ${port} on ${host} is in use by another process`;
    return new HostError('port-in-use', message, { host, port }, { cause: error });
  }
  const reason = systemCodeOf(error) === 'EACCES' ? 'no permission; ports below 1024 need privileges' : reasonOf(error);
  const message = `cannot listen on port ${port} of ${host}: ${reason}`;
  return new HostError('address-unavailable', message, { host, port, reason }, { cause: error });
}

async function answer(request: IncomingMessage, response: ServerResponse, options: HealthOptions): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, { error: 'only GET' });
  switch (new URL(request.url ?? '/', 'http://health').pathname) {
    case '/healthz':
      return send(response, 200, { status: 'ok' });
    case '/readyz': {
      const reasons = options.reasonsNotReady();
      return send(response, reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons });
    }
    case '/metrics': {
      const text = await options.metrics.text();
      response.writeHead(200, { 'content-type': options.metrics.contentType }).end(text);
      return;
    }
    default:
      return send(response, 404, { error: 'only /healthz, /readyz and /metrics' });
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(body)}\n`);
}
