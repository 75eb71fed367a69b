import {
  AwaitTurnReplySchema,
  AwaitTurnRequestSchema,
  type CallFrame,
  type CallKind,
  decodeCallFrame,
  DescribeReplySchema,
  DescribeRequestSchema,
  encodeCallFrame,
  encodeCertifiedReply,
  fromBinary,
  GetLicenseReplySchema,
  GetLicenseRequestSchema,
  GetRulesReplySchema,
  GetRulesRequestSchema,
  HandOverReplySchema,
  HandOverRequestSchema,
  ListLicensesReplySchema,
  ListLicensesRequestSchema,
  ListSessionsReplySchema,
  ListSessionsRequestSchema,
  StatusReplySchema,
  StatusRequestSchema,
  SubmitReplySchema,
  SubmitRequestSchema,
  toBinary,
  GetUsageReplySchema,
  GetUsageRequestSchema,
  TryRulesReplySchema,
  TryRulesRequestSchema,
  WatchEventSchema,
  WatchRequestSchema,
} from '@trefoil/api';
import { type FrameConnection, LinkError } from '@trefoil/link';
import { type Service, ServiceError, submitReply } from './service.ts';
import type { Turns } from './turns.ts';

/** More open calls than this on one connection are an attack or a bug. */
const MAX_OPEN_CALLS = 4_096;
/** Who asks faster than it can be taken in waits for it at the other end of the connection. */
const MAX_WAITING_BYTES = 256 * 1024;

/** Serves one client connection that speaks our frames. `turns` is shared by all of them. */
export function serveFrames(connection: FrameConnection, service: Service, turns: Pick<Turns, 'run'>): void {
  const calls = new ClientCalls(connection, service);
  let waitingBytes = 0;
  let paused = false;
  let closed = false;
  connection.onClose(() => {
    closed = true;
    calls.end();
  });
  connection.onFrame((bytes) => {
    const frame = decodeCallFrame(bytes);
    if (frame === undefined) throw new Error('not a call'); // closes the connection
    waitingBytes += bytes.length;
    turns.run(() => {
      waitingBytes -= bytes.length;
      if (paused && waitingBytes <= MAX_WAITING_BYTES) {
        paused = false;
        connection.resumeReading();
      }
      // What it still wanted is nobody's: a watch would never end.
      if (!closed) calls.take(frame);
    });
    if (paused || waitingBytes <= MAX_WAITING_BYTES) return;
    paused = true;
    connection.pauseReading();
  });
}

class ClientCalls {
  readonly #connection: FrameConnection;
  readonly #service: Service;
  /** Calls that are not answered at once, or more than once: how to end them. */
  readonly #watches = new Map<number, () => void>();
  #open = 0;

  constructor(connection: FrameConnection, service: Service) {
    this.#connection = connection;
    this.#service = service;
  }

  take(frame: CallFrame): void {
    try {
      if (frame.kind === 'end') this.#stopWatch(frame.call);
      else if (frame.kind !== 'request')
        this.#connection.close(); // it speaks something else
      else if (this.#open + this.#watches.size >= MAX_OPEN_CALLS)
        this.#fail(frame, 'too many open calls on this connection');
      else this.#serve(frame);
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      this.#fail(frame, error.message);
    }
  }

  #serve(frame: CallFrame): void {
    switch (frame.method) {
      case 'submit':
        return this.#submit(frame);
      case 'watch':
        return this.#watch(frame);
      case 'awaitTurn':
        return this.#awaitTurn(frame);
      case 'handOver':
        return this.#handOver(frame);
      default:
        this.#reply('reply', frame, read(this.#service, frame));
    }
  }

  #submit(frame: CallFrame): void {
    const request = parse(SubmitRequestSchema, frame.body);
    let answered = false;
    this.#open++;
    try {
      this.#service.submit(request, (answer) => {
        answered = true;
        this.#open--;
        if (answer.kind === 'certified') this.#send(frame, encodeCertifiedReply(frame.call, answer.certified));
        else this.#reply('reply', frame, toBinary(SubmitReplySchema, submitReply(answer)));
      });
    } catch (error) {
      if (!answered) this.#open--;
      throw error;
    }
  }

  #watch(frame: CallFrame): void {
    const request = parse(WatchRequestSchema, frame.body);
    this.#stopWatch(frame.call);
    const stop = this.#service.watch(request, (event) => this.#reply('item', frame, toBinary(WatchEventSchema, event)));
    this.#watches.set(frame.call, stop);
  }

  #awaitTurn(frame: CallFrame): void {
    const request = parse(AwaitTurnRequestSchema, frame.body);
    this.#stopWatch(frame.call);
    let answered = false;
    const stop = this.#service.awaitTurn(request, (reply) => {
      answered = true;
      this.#watches.delete(frame.call);
      this.#reply('reply', frame, toBinary(AwaitTurnReplySchema, reply));
    });
    if (!answered) this.#watches.set(frame.call, stop);
  }

  #handOver(frame: CallFrame): void {
    const request = parse(HandOverRequestSchema, frame.body);
    this.#open++;
    void this.#service
      .handOver(request)
      .then(
        (reply) => this.#reply('reply', frame, toBinary(HandOverReplySchema, reply)),
        (error: unknown) => {
          if (!(error instanceof ServiceError)) throw error;
          this.#fail(frame, error.message);
        },
      )
      .finally(() => this.#open--);
  }

  #stopWatch(call: number): void {
    this.#watches.get(call)?.();
    this.#watches.delete(call);
  }

  end(): void {
    for (const call of [...this.#watches.keys()]) this.#stopWatch(call);
  }

  #reply(kind: CallKind, frame: CallFrame, body: Uint8Array): void {
    const { call, method } = frame;
    this.#send(frame, encodeCallFrame({ kind, call, method, body }));
  }

  /** It may be called from within a step of this server: what is too long for one client must not throw there. */
  #send(frame: CallFrame, bytes: Uint8Array): void {
    try {
      this.#connection.send(bytes);
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      this.#stopWatch(frame.call);
      this.#fail(frame, `the answer does not fit: ${error.message}. Ask the HTTP door`);
    }
  }

  #fail(frame: CallFrame, message: string): void {
    this.#reply('error', frame, new TextEncoder().encode(message));
  }
}

function read(service: Service, { method, body }: CallFrame): Uint8Array {
  switch (method) {
    case 'describe':
      return toBinary(DescribeReplySchema, service.describe(parse(DescribeRequestSchema, body)));
    case 'getLicense':
      return toBinary(GetLicenseReplySchema, service.getLicense(parse(GetLicenseRequestSchema, body)));
    case 'status':
      return toBinary(StatusReplySchema, service.status(parse(StatusRequestSchema, body)));
    case 'listLicenses':
      return toBinary(ListLicensesReplySchema, service.listLicenses(parse(ListLicensesRequestSchema, body)));
    case 'listSessions':
      return toBinary(ListSessionsReplySchema, service.listSessions(parse(ListSessionsRequestSchema, body)));
    case 'getRules':
      return toBinary(GetRulesReplySchema, service.getRules(parse(GetRulesRequestSchema, body)));
    case 'getUsage':
      return toBinary(GetUsageReplySchema, service.getUsage(parse(GetUsageRequestSchema, body)));
    case 'tryRules':
      return toBinary(TryRulesReplySchema, service.tryRules(parse(TryRulesRequestSchema, body)));
    case 'submit':
    case 'watch':
    case 'awaitTurn':
    case 'handOver':
      throw new Error(`${method} is served elsewhere`);
  }
}

/** Throws ServiceError for what is no such message. */
function parse<S extends Parameters<typeof fromBinary>[0]>(
  schema: S,
  body: Uint8Array,
): ReturnType<typeof fromBinary<S>> {
  try {
    return fromBinary(schema, body);
  } catch {
    throw new ServiceError('malformed', `not a ${schema.typeName}`);
  }
}
