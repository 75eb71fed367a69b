import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { createAuthority, issueCertificate } from './authority.ts';
import type { FrameConnection } from './connection.ts';
import { dial, type DialOptions } from './dial.ts';
import { listen, type ListenOptions } from './listen.ts';

const host = '127.0.0.1';
const authority = await createAuthority({ name: 'ours' });
const identity = await issueCertificate(authority, {
  commonName: 'a',
  role: 'license-server-1',
  hosts: [host],
  days: 1,
});

/** Both ends of one connection. */
class Pair implements AsyncDisposable {
  readonly near: FrameConnection;
  readonly far: FrameConnection;
  readonly #close: () => Promise<void>;

  constructor(near: FrameConnection, far: FrameConnection, close: () => Promise<void>) {
    this.near = near;
    this.far = far;
    this.#close = close;
  }

  static async connect(options: Partial<DialOptions> = {}, listenOptions: Partial<ListenOptions> = {}): Promise<Pair> {
    const { promise, resolve } = Promise.withResolvers<FrameConnection>();
    const listener = await listen({ host, port: 0, identity, onConnection: resolve, ...listenOptions });
    const near = await dial({
      host,
      port: listener.port,
      authorityPem: authority.certificatePem,
      timeoutMs: 2_000,
      ...options,
    });
    return new Pair(near, await promise, () => listener.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

/** A way to the port that can be cut without either end being told. */
async function startCuttableWay(
  toPort: number,
): Promise<{ port: number; cut: () => void; server: Server; end: () => void }> {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connectTcp(toPort, host);
    sockets.push(near, far);
    for (const socket of [near, far]) socket.on('error', () => undefined);
    near.on('data', (chunk) => far.write(chunk));
    far.on('data', (chunk) => near.write(chunk));
  }).listen(0, host);
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.removeAllListeners('data').pause();
  };
  const end = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, cut, server, end };
}

const kibibyte = new Uint8Array(1_024);

describe('a connection', () => {
  test('joins the frames of one turn into few packets, in order', async () => {
    await using pair = await Pair.connect();
    const received: number[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    pair.far.onFrame((frame) => {
      received.push(new DataView(frame.buffer, frame.byteOffset).getUint32(0));
      if (received.length === 10_000) resolve();
    });
    for (let index = 0; index < 10_000; index++) {
      const frame = new Uint8Array(4);
      new DataView(frame.buffer).setUint32(0, index);
      pair.near.send(frame);
    }
    assert.equal(pair.near.bufferedBytes, 80_000);
    await promise;
    assert.deepEqual(
      received,
      Array.from({ length: 10_000 }, (_, index) => index),
    );
    while (pair.near.bufferedBytes > 0) await new Promise(setImmediate);
  });

  test('does not send an empty or too long frame', async () => {
    await using pair = await Pair.connect({ limits: { maximumFrameBytes: 10 } });
    assert.throws(() => pair.near.send(new Uint8Array(0)), { code: 'frame-invalid' });
    assert.throws(() => pair.near.send(new Uint8Array(11)), { code: 'frame-invalid' });
  });

  test('is closed when a frame is too long', async () => {
    await using pair = await Pair.connect({}, { limits: { maximumFrameBytes: 10 } });
    pair.far.onFrame(() => assert.fail('no frame should come'));
    pair.near.onFrame(() => undefined);
    pair.near.send(new Uint8Array(11));
    const error = await pair.far.closed;
    assert.equal(error?.message, 'a frame of 11 bytes is longer than 10');
    await pair.near.closed;
  });

  test('is closed when the other end does not read', async () => {
    await using pair = await Pair.connect({}, { limits: { maximumBufferedBytes: 1_000_000 } });
    // The near end never calls onFrame, so it reads nothing.
    for (let turn = 0; turn < 1_000 && pair.far.bufferedBytes < 1_000_000; turn++) {
      for (let index = 0; index < 100; index++) pair.far.send(kibibyte);
      await new Promise(setImmediate);
    }
    const error = await pair.far.closed;
    assert.match(error?.message ?? '', /^the other end does not read: \d+ bytes wait to be sent$/);
  });

  test('stops reading requests while answers wait, and goes on afterwards', async () => {
    await using pair = await Pair.connect({}, { limits: { pauseReadingAboveBytes: 100_000 } });
    let asked = 0;
    pair.far.onFrame(() => {
      asked++;
      for (let index = 0; index < 64; index++) pair.far.send(kibibyte);
    });
    let answered = 0;
    for (let index = 0; index < 400; index++) {
      pair.near.send(kibibyte);
      await new Promise(setImmediate);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(asked < 400, `all ${asked} were read while nobody took the answers`);
    const { promise, resolve } = Promise.withResolvers<void>();
    pair.near.onFrame(() => {
      if (++answered === 400 * 64) resolve();
    });
    await promise;
    assert.equal(asked, 400);
  });

  test('can be paused, which makes the other end wait', async () => {
    await using pair = await Pair.connect();
    const received: Uint8Array[] = [];
    pair.far.onFrame((frame) => received.push(frame));
    pair.far.pauseReading();
    pair.near.send(kibibyte);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(received.length, 0);
    pair.far.resumeReading();
    while (received.length === 0) await new Promise(setImmediate);
  });

  test('is closed when a handler throws', async () => {
    await using pair = await Pair.connect();
    pair.far.onFrame(() => {
      throw new Error('cannot be understood');
    });
    pair.near.send(kibibyte);
    assert.equal((await pair.far.closed)?.message, 'cannot be understood');
  });

  test('delivers nothing after it was closed by a handler', async () => {
    await using pair = await Pair.connect();
    let received = 0;
    pair.far.onFrame(() => {
      received++;
      pair.far.close();
    });
    pair.near.send(kibibyte);
    pair.near.send(kibibyte);
    await pair.far.closed;
    assert.equal(received, 1);
    pair.far.send(kibibyte);
    let told = 'not told';
    pair.far.onClose((error) => (told = String(error)));
    assert.equal(told, 'undefined');
  });

  test('notices when the other end is gone without a word', async () => {
    const { promise, resolve } = Promise.withResolvers<FrameConnection>();
    await using listener = await listen({
      host,
      port: 0,
      identity,
      onConnection: resolve,
      limits: { idleTimeoutMs: 100 },
    });
    const way = await startCuttableWay(listener.port);
    const near = await dial({
      host,
      port: way.port,
      authorityPem: authority.certificatePem,
      timeoutMs: 2_000,
      limits: { idleTimeoutMs: 100 },
    });
    const far = await promise;
    for (const end of [near, far]) end.onFrame(() => undefined);
    const heartbeats = setInterval(() => {
      near.send(kibibyte);
      far.send(kibibyte);
    }, 20);
    const first = await Promise.race([near.closed, new Promise((resolve) => setTimeout(() => resolve('open'), 400))]);
    assert.equal(first, 'open');
    way.cut();
    assert.equal((await near.closed)?.message, 'nothing arrived for 100 ms');
    assert.equal((await far.closed)?.message, 'nothing arrived for 100 ms');
    clearInterval(heartbeats);
    way.end();
  });

  test('tells an end within a frame from a proper end', async () => {
    const { promise, resolve } = Promise.withResolvers<FrameConnection>();
    await using listener = await listen({ host, port: 0, identity, onConnection: resolve });
    const options = { host, port: listener.port, ca: authority.certificatePem, ALPNProtocols: ['trefoil/1'] };
    const socket = connectTls(options, () => socket.end(new Uint8Array([0, 0, 0, 9, 1])));
    const far = await promise;
    far.onFrame(() => undefined);
    assert.equal((await far.closed)?.message, 'the connection ended within a frame');
  });
});
