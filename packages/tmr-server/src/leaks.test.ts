/** What a TMR server must not keep. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { create, encodeCallFrame, toBinary, WatchRequestSchema } from '@trefoil/api';
import { silentLog, systemClock, systemRandom } from '@trefoil/host';
import { bytesKey } from '@trefoil/license';
import { fixture } from '@trefoil/license/fixtures';
import type { FrameConnection } from '@trefoil/link';
import { serveFrames } from './frame-door.ts';
import { LicenseServerLink } from './license-server-link.ts';
import { ProposerRuntime } from './proposer-runtime.ts';
import { Service } from './service.ts';
import { Turns } from './turns.ts';

const one = fixture();
const { set, crypto, root, configuration, group, issuingKey } = one;

test('who asks to watch and is gone before it is taken in leaves no watcher', async () => {
  const runtime = new ProposerRuntime({
    context: { crypto, vendorRoot: root.publicKey, configuration, group, issuingKey: issuingKey.text },
    ...{ id: 'A', key: one.tmrKeys.A, clock: systemClock, random: systemRandom, log: silentLog },
  });
  const service = new Service(new Map([[bytesKey(set), runtime]]), systemClock);
  const turns = new Turns(); // the real ones, busy for the rest of this turn of the event loop
  const busyUntil = performance.now() + 12;
  turns.run(() => {
    while (performance.now() < busyUntil);
  });
  const body = toBinary(WatchRequestSchema, create(WatchRequestSchema, { set }));
  for (let client = 0; client < 100; client++) {
    let hear: (frame: Uint8Array) => void = () => undefined;
    let gone: () => void = () => undefined;
    serveFrames(
      {
        onClose: (handler: () => void) => (gone = handler),
        onFrame: (handler: typeof hear) => (hear = handler),
        send: () => undefined,
        close: () => undefined,
        pauseReading: () => undefined,
        resumeReading: () => undefined,
      } as unknown as FrameConnection,
      service,
      turns,
    );
    for (let call = 1; call <= 1_000; call++) hear(encodeCallFrame({ kind: 'request', call, method: 'watch', body }));
    gone();
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
