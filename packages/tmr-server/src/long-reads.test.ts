/** What one client must not do to a TMR server without a command. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { create, encodeCallFrame, ListSessionsRequestSchema, toBinary } from '@trefoil/api';
import { bytesKey } from '@trefoil/license';
import { serveHttp } from './http-door.ts';
import { SET, testClient, testServer } from './test-door.ts';
import { Turns } from './turns.ts';

test('who watches over HTTP and does not read is dropped', async () => {
  const { runtime, service } = testServer();
  const http = createServer(serveHttp(service) as unknown as RequestListener).listen(0, '127.0.0.1');
  await new Promise((done) => http.once('listening', done));
  const socket = connect((http.address() as AddressInfo).port, '127.0.0.1');
  const json = Buffer.from('{}');
  const envelope = Buffer.concat([Buffer.from([0, 0, 0, 0, json.length]), json]);
  const head = [
    'POST /trefoil.v1.VirtualContainer/Watch HTTP/1.1',
    'Host: x',
    'Content-Type: application/connect+json',
    'Connect-Protocol-Version: 1',
    `Content-Length: ${envelope.length}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  socket.write(envelope);
  socket.pause(); // connected, and reads nothing
  for (let i = 0; i < 100 && runtime.watchers.size === 0; i++) await new Promise((done) => setTimeout(done, 20));
  assert.equal(runtime.watchers.size, 1);
  for (let index = 1; index <= 5_000; index++) {
    for (const watcher of runtime.watchers)
      watcher({
        index,
        entry: new Uint8Array(1),
        utc: 0,
        certificate: new Uint8Array(0),
        outcomes: [new Uint8Array(100_000)],
      });
    if (index % 50 === 0) await new Promise((done) => setTimeout(done, 5));
  }
  await new Promise((done) => setTimeout(done, 300));
  const watchers = runtime.watchers.size;
  socket.destroy();
  http.closeAllConnections();
  http.close();
  await runtime[Symbol.asyncDispose]();
  assert.equal(watchers, 0, 'more than 1,000 events wait');
});

for (const count of [10_000, 100_000])
  test(`a list of ${count} sessions does not hold up the beats`, async () => {
    const { runtime, service } = testServer();
    const { sessions } = runtime.proposer.replica.ledger;
    for (let i = 0; i < count; i++) {
      const id = new Uint8Array(16);
      new DataView(id.buffer).setUint32(0, i);
      const window = { lowestUnanswered: 0, answered: new Map() };
      const hold = {
        id: 1,
        releaseHash: new Uint8Array(32),
        sinceLogTime: 0,
        sinceUtc: 0,
        items: [
          {
            ...{ item: 0, license: 'cad-1', feature: '', chain: [], seats: 1, mode: 'session' as const },
            ...{ tokens: 1, overdraft: false, times: 0 },
          },
        ],
        lifeMs: 1,
        timeoutMs: 1,
        issuedLogTime: 0,
        freeAt: 0,
        lingering: false,
        borrowed: false,
        extended: 0,
        waited: false,
      };
      sessions.set(bytesKey(id), {
        id,
        handle: id,
        key: new Uint8Array(32),
        closeHash: new Uint8Array(32),
        user: `user-${i}`,
        host: `host-${i}`,
        program: 'cad',
        address: '',
        client: 2,
        idleSince: 0,
        waits: new Map(),
        openedUtc: (i * 7919) % 100_003,
        deadline: 0,
        evicted: '',
        closed: false,
        holds: new Map([[1, hold]]),
        proven: window,
        free: window,
      });
    }
    const turns = new Turns();
    const { says } = testClient(service, turns);
    const body = toBinary(ListSessionsRequestSchema, create(ListSessionsRequestSchema, { set: SET }));
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    for (let call = 1; call <= 20; call++)
      says(encodeCallFrame({ kind: 'request', call, method: 'listSessions', body }));
    await new Promise((done) => setTimeout(done, 100));
    await new Promise<void>((done) => turns.run(done));
    clearInterval(timer);
    await runtime[Symbol.asyncDispose]();
    assert.ok(longest < 150, 'three beats missed: the license servers take it for dead');
  });
