import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeCallFrame,
  encodeCallFrame,
  ListSessionsRequestSchema,
  type Method,
  create,
  toBinary,
  WatchRequestSchema,
} from '@trefoil/api';
import { silentLog, systemClock, systemRandom } from '@trefoil/host';
import { bytesKey } from '@trefoil/license';
import { fixture } from '@trefoil/license/fixtures';
import { defaultLimits, type FrameConnection, LinkError } from '@trefoil/link';
import { serveFrames } from './frame-door.ts';
import { ProposerRuntime } from './proposer-runtime.ts';
import { Service } from './service.ts';

const one = fixture();
const { set, crypto, root, configuration, group, issuingKey } = one;

/** A TMR server's door, and a client that notes what comes out of it. */
function door(turns: { run(work: () => void): void } = { run: (work) => work() }) {
  const runtime = new ProposerRuntime({
    context: { crypto, vendorRoot: root.publicKey, configuration, group, issuingKey: issuingKey.text },
    ...{ id: 'A', key: one.tmrKeys.A, clock: systemClock, random: systemRandom, log: silentLog },
  });
  const service = new Service(new Map([[bytesKey(set), runtime]]), systemClock);
  const { maximumFrameBytes: maximumBytes } = defaultLimits;
  const told: string[] = [];
  let hear: (frame: Uint8Array) => void = () => undefined;
  let reads = true;
  const connection: Omit<FrameConnection, 'peer' | 'closed' | 'bufferedBytes' | symbol> = {
    protocol: 'trefoil/1',
    onClose: () => undefined,
    onFrame: (handler) => (hear = handler),
    send: ({ length: bytes }) => {
      if (bytes > maximumBytes) throw new LinkError('frame-invalid', 'a frame is too long', { bytes, maximumBytes });
    },
    close: () => undefined,
    pauseReading: () => (reads = false),
    resumeReading: () => (reads = true),
  };
  const note: typeof connection = {
    ...connection,
    send: (frame) => {
      connection.send(frame);
      const { kind, body } = decodeCallFrame(frame) ?? { kind: 'none', body: frame };
      told.push(kind === 'error' ? `error: ${new TextDecoder().decode(body)}` : kind);
    },
  };
  serveFrames(note as FrameConnection, service, turns);
  const asks = (method: Method, body: Uint8Array): void =>
    hear(encodeCallFrame({ kind: 'request', call: 1, method, body }));
  return { runtime, told, asks, reads: () => reads };
}

const TOO_LONG = 'error: the answer does not fit: a frame is too long. Ask the HTTP door';

test('a list that is longer than a frame may be is told, and harms nobody', async () => {
  const { runtime, told, asks } = door();
  const { sessions } = runtime.proposer.replica.ledger;
  const name = 'x'.repeat(80);
  const window = { lowestUnanswered: 0, answered: new Map() };
  for (let i = 0; i < 5_000; i++) {
    const id = new Uint8Array(16);
    new DataView(id.buffer).setUint32(0, i);
    const digests = { key: new Uint8Array(32), closeHash: new Uint8Array(32) };
    const who = { user: name, host: name, program: name, address: '', client: 2, openedUtc: 0, idleSince: 0 };
    const state = { deadline: 0, evicted: '', closed: false, holds: new Map(), waits: new Map() };
    sessions.set(bytesKey(id), { id, handle: id, ...digests, ...who, ...state, proven: window, free: window });
  }
  asks('listSessions', toBinary(ListSessionsRequestSchema, create(ListSessionsRequestSchema, { set })));
  assert.deepEqual(told, [TOO_LONG]);
  await runtime[Symbol.asyncDispose]();
});

test('who watches is told when an entry is longer than a frame may be, and watches no more; the step goes on', async () => {
  const { runtime, told, asks } = door();
  asks('watch', toBinary(WatchRequestSchema, create(WatchRequestSchema, { set })));
  const before = told.length;
  const entry = { index: 1, entry: new Uint8Array(1), utc: 0, certificate: new Uint8Array(0) };
  const outcomes = Array.from({ length: 1_000 }, () => new Uint8Array(1_100));
  for (const watcher of runtime.watchers) watcher({ ...entry, outcomes });
  assert.deepEqual(told.slice(before), [TOO_LONG]);
  assert.equal(runtime.watchers.size, 0);
  await runtime[Symbol.asyncDispose]();
});

test('who sends faster than it is taken in waits at the other end of the connection', async () => {
  const works: (() => void)[] = [];
  const { runtime, asks, reads, told } = door({ run: (work) => works.push(work) });
  const submits = (): void => asks('submit', new Uint8Array(100 * 1024));
  for (let i = 0; i < 2; i++) submits();
  assert.ok(reads());
  submits();
  assert.ok(!reads());
  works.shift()?.();
  assert.ok(reads());
  assert.deepEqual(told, ['error: not a trefoil.v1.SubmitRequest']);
  await runtime[Symbol.asyncDispose]();
});
