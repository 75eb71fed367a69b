import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CallFrame,
  type Certified,
  create,
  decodeCallFrame,
  encodeCallFrame,
  encodeCertifiedReply,
  type SubmitReply,
  SubmitReplySchema,
  toBinary,
} from '@trefoil/api';
import { LicenseError } from '@trefoil/license';
import type { FrameConnection } from '@trefoil/link';
import { type ClientMachine, systemMachine } from './machine.ts';
import { Servers } from './servers.ts';

type Answer = (frame: CallFrame) => Uint8Array;

const answers =
  (certificate: Uint8Array): Answer =>
  ({ call }) =>
    encodeCertifiedReply(call, { outcome: new Uint8Array(1), leafIndex: 0, path: [], certificate });
const certified = answers(Uint8Array.of(1));
const provesNothing = answers(Uint8Array.of(0));
const refuses: Answer = ({ call, method }) =>
  encodeCallFrame({ kind: 'error', call, method, body: new TextEncoder().encode('not a command') });
const babbles: Answer = ({ call, method }) =>
  encodeCallFrame({ kind: 'reply', call, method, body: new Uint8Array([255, 255, 255]) });
const replies =
  (result: SubmitReply['result']): Answer =>
  ({ call, method }) => {
    const body = toBinary(SubmitReplySchema, create(SubmitReplySchema, { result }));
    return encodeCallFrame({ kind: 'reply', call, method, body });
  };
const redirects = replies({ case: 'redirect', value: { address: 'first:1', server: 'A' } } as never);
const comeBack = (retryAfterMs: number): Answer =>
  replies({ case: 'unavailable', value: { reason: 'overloaded', retryAfterMs } } as never);

/** What becomes of a request when the two servers answer so, each after its time; and how often each was asked. */
async function submit(by: Readonly<Record<string, readonly [afterMs: number, Answer]>>) {
  const asked: Record<string, number> = {};
  const machine: ClientMachine = {
    ...systemMachine,
    dial: ({ host }) => {
      let hear: (frame: Uint8Array) => void = () => undefined;
      const connection: Pick<FrameConnection, 'send' | 'onFrame' | 'onClose' | 'close'> = {
        send: (bytes) => {
          asked[host] = (asked[host] ?? 0) + 1;
          const [afterMs, answer] = by[host] ?? [0, refuses];
          setTimeout(() => hear(answer(decodeCallFrame(bytes) as CallFrame)), afterMs).unref();
        },
        onFrame: (handler) => (hear = handler),
        onClose: () => undefined,
        close: () => undefined,
      };
      return Promise.resolve(connection as FrameConnection);
    },
  };
  const file = { group: 'g', addresses: Object.keys(by).map((host) => `${host}:1`), authority: '' };
  const servers = new Servers(file, new Uint8Array(16), machine);
  const prove = ({ certificate: [first] }: Certified): Promise<string> =>
    first === 0 ? Promise.reject(new LicenseError('bad-signature', 'nobody signed it')) : Promise.resolve('proved');
  const result = await servers.submit(new Uint8Array(3), 3_000, prove);
  const { address: preferred } = servers.preferred;
  servers.close();
  return { result, asked, preferred };
}

test('one alone says that it will not be done: the other is asked, or waited for', async () => {
  for (const afterMs of [1, 400]) {
    const { result } = await submit({ first: [1, refuses], second: [afterMs, certified] });
    assert.equal(result.kind, 'certified');
  }
});

test('both say so: it is told, with the reason', async () => {
  const { result, asked } = await submit({ first: [1, refuses], second: [1, refuses] });
  assert.deepEqual(result, { kind: 'rejected', reason: 'not a command' });
  assert.deepEqual(asked, { first: 1, second: 1 });
});

test('an answer that is none is as good as a lost connection: the other is asked at once', async () => {
  const { result } = await submit({ first: [1, babbles], second: [1, certified] });
  assert.equal(result.kind, 'certified');
});

test('who sends to itself is not asked over and over', async () => {
  const { result, asked } = await submit({ first: [1, redirects], second: [1, certified] });
  assert.equal(result.kind, 'certified');
  assert.ok((asked.first ?? 0) <= 3, `${asked.first}`);
});

test('an answer that proves nothing is none: the other is asked, and is the one to be asked from then on', async () => {
  const { result, preferred } = await submit({ first: [1, provesNothing], second: [50, certified] });
  assert.equal(result.kind, 'certified');
  assert.equal(preferred, 'second:1');
});

test('nobody proves anything: nobody knows, and it is told why', async () => {
  const { result } = await submit({ first: [1, provesNothing], second: [1, provesNothing] });
  assert.deepEqual(result, { kind: 'unknown', reason: 'the answer is not to be believed: nobody signed it' });
});

const lies: Readonly<Record<string, Answer>> = {
  refuses,
  babbles,
  'proves nothing': provesNothing,
  'redirects to itself': redirects,
  'redirects to nowhere': replies({ case: 'redirect', value: { address: 'nowhere:1', server: 'B' } } as never),
  'says to come back at once': comeBack(1),
  'says to come back in an hour': comeBack(3_600_000),
};
for (const [what, lie] of Object.entries(lies))
  for (const by of [
    { first: [1, lie], second: [1, certified] },
    { virtual: [1, lie], first: [1, lie], second: [1, certified] },
  ] as const)
    test(`who ${what} keeps nobody from the other one, ${'virtual' in by ? 'also if it holds the virtual IP' : 'alone'}`, async () => {
      assert.equal((await submit(by)).result.kind, 'certified');
    });

test('who is silent, and holds the virtual IP, keeps nobody from the other one', async () => {
  const silent = [60_000, certified] as const;
  const { result } = await submit({ virtual: silent, first: silent, second: [1, certified] });
  assert.equal(result.kind, 'certified');
});
