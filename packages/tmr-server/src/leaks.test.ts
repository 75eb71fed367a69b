/** What a TMR server must not keep. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { create, encodeCallFrame, toBinary, WatchRequestSchema } from '@trefoil/api';
import { silentLog } from '@trefoil/host';
import { LicenseServerLink } from './license-server-link.ts';
import { SET, testClient, testServer } from './test-door.ts';
import { Turns } from './turns.ts';

test('who asks to watch and is gone before it is taken in leaves no watcher', async () => {
  const { runtime, service } = testServer();
  const turns = new Turns(); // the real ones, busy for the rest of this turn of the event loop
  const busyUntil = performance.now() + 12;
  turns.run(() => {
    while (performance.now() < busyUntil);
  });
  const body = toBinary(WatchRequestSchema, create(WatchRequestSchema, { set: SET }));
  for (let client = 0; client < 100; client++) {
    const { says, goes } = testClient(service, turns);
    for (let call = 1; call <= 1_000; call++) says(encodeCallFrame({ kind: 'request', call, method: 'watch', body }));
    goes();
  }
  await new Promise((done) => setTimeout(done, 500));
  const watchers = runtime.watchers.size;
  await runtime[Symbol.asyncDispose]();
  assert.equal(watchers, 0);
});

test('a license server that is away costs no memory', async (t) => {
  const controllers: AbortController[] = [];
  const Original = globalThis.AbortController;
  globalThis.AbortController = class extends Original {
    constructor() {
      super();
      controllers.push(this);
    }
  };
  t.after(() => {
    globalThis.AbortController = Original;
  });
  const link = new LicenseServerLink({
    member: 1,
    address: '127.0.0.1:1',
    identity: undefined as never,
    authorityPem: '',
    runtimes: new Map(),
    log: silentLog,
  });
  const counts: number[] = [];
  for (let i = 0; i < 4; i++) {
    await new Promise((done) => setTimeout(done, 1_500));
    counts.push(Math.max(...controllers.map(({ signal }) => getEventListeners(signal, 'abort').length)));
  }
  await link[Symbol.asyncDispose]();
  assert.ok((counts.at(-1) ?? 0) <= 2);
});
