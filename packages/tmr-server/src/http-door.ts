import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import {
  type AwaitTurnReply,
  type AwaitTurnRequest,
  type SubmitReply,
  VirtualContainer,
  type WatchEvent,
} from '@trefoil/api';
import type { HttpHandler } from '@trefoil/link/listen';
import { type Service, ServiceError, submitReply } from './service.ts';

/** Events that wait for a slow reader; more, and the stream ends: it can be opened again. */
const MAX_WAITING_EVENTS = 1_000;

const CODES = {
  'unknown-set': Code.InvalidArgument,
  malformed: Code.InvalidArgument,
  'not-found': Code.NotFound,
  'too-many': Code.ResourceExhausted,
  'not-now': Code.FailedPrecondition,
} as const;

/** The same service over HTTP/2 and HTTP/1.1, as Connect, gRPC, gRPC-Web or JSON: for every other language and for curl. */
export function serveHttp(service: Service): HttpHandler {
  const routes = (router: ConnectRouter): void => {
    router.service(VirtualContainer, {
      describe: (request) => guarded(() => service.describe(request)),
      status: (request) => guarded(() => service.status(request)),
      listLicenses: (request) => guarded(() => service.listLicenses(request)),
      listSessions: (request) => guarded(() => service.listSessions(request)),
      getLicense: (request) => guarded(() => service.getLicense(request)),
      submit: (request) =>
        new Promise<SubmitReply>((resolve) =>
          guarded(() => service.submit(request, (answer) => resolve(submitReply(answer)))),
        ),
      getRules: (request) => guarded(() => service.getRules(request)),
      getUsage: (request) => guarded(() => service.getUsage(request)),
      tryRules: (request) => guarded(() => service.tryRules(request)),
      handOver: (request) => service.handOver(request).catch(refused),
      awaitTurn: (request, context) => awaitTurn(service, request, context.signal),
      watch: (request, context) => watch(service, request, context.signal),
    });
  };
  const handler = connectNodeAdapter({ routes, readMaxBytes: 2 * 1024 * 1024 });
  return (request, response) => handler(request, response);
}

function guarded<T>(serve: () => T): T {
  try {
    return serve();
  } catch (error) {
    return refused(error);
  }
}

function refused(error: unknown): never {
  if (error instanceof ServiceError) throw new ConnectError(error.message, CODES[error.code]);
  throw error;
}

function awaitTurn(service: Service, request: AwaitTurnRequest, signal: AbortSignal): Promise<AwaitTurnReply> {
  return new Promise((resolve) => {
    const callOff = guarded(() => service.awaitTurn(request, resolve));
    signal.addEventListener('abort', () => callOff(), { once: true });
  });
}

async function* watch(service: Service, request: { set: Uint8Array }, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  const waiting: WatchEvent[] = [];
  let wake: () => void = () => undefined;
  let tooSlow = false;
  const isTooSlow = (): boolean => tooSlow;
  const stop = guarded(() =>
    service.watch(request, (event) => {
      if (waiting.length < MAX_WAITING_EVENTS) waiting.push(event);
      else {
        // At once: who doesn't read doesn't come back here either.
        tooSlow = true;
        waiting.length = 0;
        stop();
      }
      wake();
    }),
  );
  signal.addEventListener('abort', () => wake(), { once: true });
  try {
    while (!signal.aborted) {
      for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) yield event;
      if (isTooSlow()) throw new ConnectError('read faster', Code.ResourceExhausted);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    stop();
  }
}
