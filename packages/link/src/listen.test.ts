import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpsRequest } from 'node:https';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { createAuthority, issueCertificate, type Identity } from './authority.ts';
import type { FrameConnection } from './connection.ts';
import { dial, type DialOptions } from './dial.ts';
import { listen, type HttpHandler, type Listener, type ListenOptions, type Refusal } from './listen.ts';

const host = '127.0.0.1';
const authority = await createAuthority({ name: 'ours' });
const stranger = await createAuthority({ name: 'theirs' });
const issue = (role: string, by: Identity = authority) =>
  issueCertificate(by, { commonName: role, role, hosts: [host, 'localhost'], days: 1 });
const server = await issue('license-server-1');
const leader = await issue('tmr-server-A');
const client = await issue('client');
const forged = await issue('tmr-server-A', stranger);

const frame = (text: string) => new TextEncoder().encode(text);
const words = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** Greets everybody at once and sends every frame back. */
const greetAndEcho = (connection: FrameConnection, list: FrameConnection[] = []) => {
  list.push(connection);
  connection.send(frame('hello'));
  connection.onFrame((bytes) => connection.send(bytes.slice()));
};

const start = (options: Partial<ListenOptions> = {}) =>
  listen({ host, port: 0, identity: server, onConnection: (connection) => greetAndEcho(connection), ...options });

const guarded = (options: Partial<ListenOptions> = {}) =>
  start({
    clientAuthorityPem: authority.certificatePem,
    requireRole: (role) => role.startsWith('tmr-server-'),
    ...options,
  });

const call = ({ port }: Listener, options: Partial<DialOptions> = {}) =>
  dial({ host, port, authorityPem: authority.certificatePem, timeoutMs: 2_000, ...options });

async function next(connection: FrameConnection): Promise<string> {
  return new Promise((resolve, reject) => {
    connection.onFrame((bytes) => resolve(words(bytes)));
    connection.onClose((error) => reject(error ?? new Error('closed')));
  });
}

describe('a link', () => {
  test('carries frames both ways, and knows who is at the other end', async () => {
    const seen: FrameConnection[] = [];
    await using listener = await guarded({
      onConnection: (connection) => greetAndEcho(connection, seen),
    });
    await using connection = await call(listener, { identity: leader, expectRole: 'license-server-1' });
    assert.equal(await next(connection), 'hello');
    assert.deepEqual(connection.peer, { role: 'license-server-1', address: host });
    assert.deepEqual(seen[0]?.peer, { role: 'tmr-server-A', address: host });
    connection.send(frame('again'));
    assert.equal(await next(connection), 'again');
    connection.close();
    assert.equal(await connection.closed, undefined);
    assert.equal(await seen[0]?.closed, undefined);
  });

  const unwelcome: readonly (readonly [who: string, identity: Identity | undefined, reason: RegExp])[] = [
    ['without a certificate', undefined, /^no certificate$/],
    ['with a certificate of another authority', forged, /^certificate not accepted/],
    ['with a role that is not let in', client, /^role client is not let in here$/],
  ];
  for (const [who, identity, reason] of unwelcome) {
    test(`gives no application byte to somebody ${who}, and tells of it once`, async () => {
      const refusals: Refusal[] = [];
      const connected: FrameConnection[] = [];
      const onConnection = (connection: FrameConnection) => greetAndEcho(connection, connected);
      await using listener = await guarded({ onConnection, onRefused: (refusal) => refusals.push(refusal) });
      for (let attempt = 0; attempt < 3; attempt++) {
        const connection = await call(listener, identity && { identity });
        const frames: Uint8Array[] = [];
        connection.onFrame((bytes) => frames.push(bytes));
        connection.send(frame('let me in'));
        await connection.closed;
        assert.equal(frames.length, 0);
      }
      assert.equal(connected.length, 0);
      assert.deepEqual(
        refusals.map(({ address, suppressed }) => [address, suppressed]),
        [[host, 0]],
      );
      assert.match(refusals[0]?.reason ?? '', reason);
    });
  }

  test('gives no application byte to plain text either, and offers nothing but TLS 1.3', async () => {
    const refusals: Refusal[] = [];
    await using listener = await guarded({ onRefused: (refusal) => refusals.push(refusal) });
    const socket = connectTcp(listener.port, host).on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    assert.doesNotMatch(await text(socket).catch(() => ''), /HTTP|hello/);
    const old = connectTls({
      host,
      port: listener.port,
      ca: authority.certificatePem,
      maxVersion: 'TLSv1.2',
      ALPNProtocols: ['trefoil/1'],
    });
    const [error] = (await once(old, 'error')) as [Error];
    assert.match(error.message, /version|handshake/i);
    assert.equal(refusals.length, 1);
  });

  test('is refused by the one who dials when the other end is not who it should be', async () => {
    await using listener = await start();
    const wrongRole = {
      code: 'peer-untrusted',
      message: /is not trusted: it is license-server-1, not license-server-2$/,
    };
    await assert.rejects(call(listener, { expectRole: 'license-server-2' }), wrongRole);
    await assert.rejects(call(listener, { authorityPem: stranger.certificatePem }), { code: 'peer-untrusted' });
    await assert.rejects(call(listener, { serverName: 'elsewhere.example' }), { code: 'peer-untrusted' });
    await using _connection = await call(listener, { serverName: 'localhost' });
  });

  test('says what is wrong when it cannot come about', async () => {
    await using listener = await start();
    const { port } = listener;
    const inUse = { code: 'port-in-use', message: `port ${port} on ${host} is in use by another process` };
    await assert.rejects(start({ port }), inUse);
    await assert.rejects(start({ host: '192.0.2.1' }), { code: 'address-unavailable' });
    const mixed = { certificatePem: server.certificatePem, privateKeyPem: client.privateKeyPem };
    await assert.rejects(start({ identity: mixed }), { code: 'identity-invalid' });
    await assert.rejects(call(listener, { identity: mixed }), { code: 'identity-invalid' });
    await listener.close();
    const refused = { code: 'unreachable', message: `cannot reach ${host}:${port}: nobody listens there` };
    await assert.rejects(call(listener), refused);
    await assert.rejects(call(listener, { signal: AbortSignal.abort() }), { code: 'unreachable' });
  });

  test('is given up when the other end accepts and stays silent', async () => {
    const { createServer } = await import('node:net');
    const silent = createServer(() => undefined).listen(0, host);
    after(() => silent.close());
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const options = { host, port, authorityPem: authority.certificatePem, timeoutMs: 50 };
    await assert.rejects(dial(options), { code: 'unreachable', message: /no answer within 50 ms$/ });
  });

  test('shows a new certificate after it was replaced, to those who connect from then on', async () => {
    await using listener = await start();
    await using before = await call(listener);
    listener.replaceIdentity(await issue('license-server-3'));
    await using afterwards = await call(listener);
    assert.deepEqual([before.peer.role, afterwards.peer.role], ['license-server-1', 'license-server-3']);
    assert.throws(() => listener.replaceIdentity({ ...server, privateKeyPem: 'nonsense' }), {
      code: 'identity-invalid',
    });
    await using still = await call(listener);
    assert.equal(still.peer.role, 'license-server-3');
  });

  test('sends what waits before the listener closes', async () => {
    const listener = await start({
      onConnection: (connection) => connection.onFrame(() => connection.send(frame('last'))),
    });
    const connection = await call(listener);
    const answer = next(connection);
    connection.send(frame('x'));
    assert.equal(await answer, 'last');
    await listener.close();
    assert.equal(await connection.closed, undefined);
  });

  test('takes no more connections than it should', async () => {
    await using listener = await start({ maxConnections: 1 });
    await using _first = await call(listener);
    await assert.rejects(call(listener), { code: 'unreachable' });
  });
});

describe('one port', () => {
  const http: HttpHandler = (request, response, peer) => {
    response.end(`HTTP/${request.httpVersion} for ${peer.role ?? 'somebody'}`);
  };
  const options = { http, clientAuthorityPem: authority.certificatePem };
  const tls = { ca: authority.certificatePem, cert: client.certificatePem, key: client.privateKeyPem };

  async function getHttp1(port: number): Promise<string> {
    const request = httpsRequest({ host, port, ...tls, agent: false }).end();
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
    return text(response);
  }

  async function getHttp2(port: number): Promise<string> {
    const session = connectHttp2(`https://${host}:${port}`, tls);
    session.on('error', () => session.destroy());
    const body = await text(session.request({ ':path': '/' }));
    session.close();
    return body;
  }

  test('speaks frames, HTTP/2 and HTTP/1.1', async () => {
    await using listener = await start(options);
    await using connection = await call(listener, { identity: client });
    assert.equal(await next(connection), 'hello');
    assert.equal(await getHttp1(listener.port), 'HTTP/1.1 for client');
    assert.equal(await getHttp2(listener.port), 'HTTP/2.0 for client');
  });

  test('refuses HTTP where it speaks only frames', async () => {
    const refusals: Refusal[] = [];
    await using listener = await start({ onRefused: (refusal) => refusals.push(refusal) });
    await assert.rejects(getHttp1(listener.port));
    await assert.rejects(getHttp2(listener.port));
    assert.equal(refusals.length, 1);
  });

  test('refuses a dialler that finds no frames there', async () => {
    const { createServer } = await import('node:https');
    const web = createServer({ key: server.privateKeyPem, cert: server.certificatePem }).listen(0, host);
    after(() => web.close());
    await once(web, 'listening');
    const { port } = web.address() as { port: number };
    await assert.rejects(dial({ host, port, authorityPem: authority.certificatePem, timeoutMs: 2_000 }), {
      code: 'protocol-unknown',
    });
  });
});
