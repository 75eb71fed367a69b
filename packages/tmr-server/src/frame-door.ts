import {
  type CallFrame,
  type CallKind,
  decodeCallFrame,
  DescribeReplySchema,
  DescribeRequestSchema,
  encodeCallFrame,
  fromBinary,
  GetLicenseReplySchema,
  GetLicenseRequestSchema,
  ListLicensesReplySchema,
  ListLicensesRequestSchema,
  ListSessionsReplySchema,
  ListSessionsRequestSchema,
  StatusReplySchema,
  StatusRequestSchema,
  SubmitReplySchema,
  SubmitRequestSchema,
  toBinary,
  WatchEventSchema,
  WatchRequestSchema,
} from '@trefoil/api';
import type { FrameConnection } from '@trefoil/link';
import { type Service, ServiceError } from './service.ts';

/** More open calls than this on one connection are an attack or a bug. */
const MAX_OPEN_CALLS = 4_096;

/** Serves one client connection that speaks our frames. */
export function serveFrames(connection: FrameConnection, service: Service): void {
  const watches = new Map<number, () => void>();
  let open = 0;
  connection.onClose(() => {
    for (const stop of watches.values()) stop();
  });
  connection.onFrame((bytes) => {
    const frame = decodeCallFrame(bytes);
    if (frame === undefined || (frame.kind !== 'request' && frame.kind !== 'end')) throw new Error('not a call');
    if (frame.kind === 'end') {
      watches.get(frame.call)?.();
      watches.delete(frame.call);
      return;
    }
    if (open + watches.size >= MAX_OPEN_CALLS) return fail(connection, frame, 'too many open calls on this connection');
    const reply = (kind: CallKind, body: Uint8Array): void =>
      connection.send(encodeCallFrame({ kind, call: frame.call, method: frame.method, body }));
    try {
      if (frame.method === 'submit') {
        open++;
        service.submit(fromBinary(SubmitRequestSchema, frame.body), (answer) => {
          open--;
          reply('reply', toBinary(SubmitReplySchema, answer));
        });
      } else if (frame.method === 'watch') {
        const item = (body: Uint8Array): void => reply('item', body);
        watches.set(
          frame.call,
          service.watch(fromBinary(WatchRequestSchema, frame.body), (event) => item(toBinary(WatchEventSchema, event))),
        );
      } else reply('reply', read(service, frame));
    } catch (error) {
      if (frame.method === 'submit') open--;
      if (!(error instanceof ServiceError)) throw error;
      fail(connection, frame, error.message);
    }
  });
}

function read(service: Service, { method, body }: CallFrame): Uint8Array {
  switch (method) {
    case 'describe':
      return toBinary(DescribeReplySchema, service.describe(fromBinary(DescribeRequestSchema, body)));
    case 'getLicense':
      return toBinary(GetLicenseReplySchema, service.getLicense(fromBinary(GetLicenseRequestSchema, body)));
    case 'status':
      return toBinary(StatusReplySchema, service.status(fromBinary(StatusRequestSchema, body)));
    case 'listLicenses':
      return toBinary(ListLicensesReplySchema, service.listLicenses(fromBinary(ListLicensesRequestSchema, body)));
    case 'listSessions':
      return toBinary(ListSessionsReplySchema, service.listSessions(fromBinary(ListSessionsRequestSchema, body)));
    case 'submit':
    case 'watch':
      throw new Error(`${method} is served elsewhere`);
  }
}

function fail(connection: FrameConnection, { call, method }: CallFrame, message: string): void {
  connection.send(encodeCallFrame({ kind: 'error', call, method, body: new TextEncoder().encode(message) }));
}
