import assert from 'node:assert/strict';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { dialler, Relay, steadyPorts } from './relay.ts';
import { Link } from './way.ts';

const HOST = '127.0.0.1';

/** A server that says everything back, behind a relay with one link. */
async function echoBehindRelay(stack: AsyncDisposableStack, onDial: (socket: Socket) => void = () => undefined) {
  const [target = 0, port = 0] = await steadyPorts(2);
  const echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(target, HOST, resolve));
  stack.defer(() => close(echo));
  const link = new Link();
  const linkOf = async (socket: Socket): Promise<Link> => {
    onDial(socket);
    return link;
  };
  stack.use(await Relay.listen({ port, target, linkOf }));
  const socket = connect({ host: HOST, port });
  socket.on('error', () => undefined);
  stack.defer(() => void socket.destroy());
  let heard = '';
  socket.on('data', (bytes: Buffer) => {
    heard += bytes.toString();
  });
  return { link, socket, heard: () => heard };
}

/** What comes by itself, on a machine with a lot to do. */
async function comes(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !holds(); tries++) await sleep(10);
  assert.ok(holds());
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

describe('a relay', () => {
  test('passes on what is said; what a cut has held back comes afterwards, in order', async () => {
    await using stack = new AsyncDisposableStack();
    const { link, socket, heard } = await echoBehindRelay(stack);
    socket.write('one ');
    await comes(() => heard() === 'one ');
    link.back.cut();
    socket.write('two ');
    await sleep(50);
    link.there.cut();
    socket.write('three ');
    await sleep(50);
    assert.equal(heard(), 'one ');
    link.heal();
    await comes(() => heard() === 'one two three ');
  });

  test('through a cut nobody learns that the other end is gone', async () => {
    await using stack = new AsyncDisposableStack();
    const { link, socket, heard } = await echoBehindRelay(stack);
    socket.write('hello');
    await comes(() => heard() === 'hello');
    link.there.cut();
    link.back.cut();
    socket.end();
    await sleep(50);
    assert.equal(socket.closed, false);
    link.heal();
    await comes(() => socket.closed);
  });

  test('a reset reaches both ends, and delay is delay', async () => {
    await using stack = new AsyncDisposableStack();
    const { link, socket, heard } = await echoBehindRelay(stack);
    socket.write('at once, ');
    await comes(() => heard() === 'at once, ');
    link.there.delayMs = 300;
    socket.write('late');
    await sleep(100);
    assert.equal(heard(), 'at once, ');
    await comes(() => heard() === 'at once, late');
    link.reset();
    await comes(() => socket.closed);
  });

  test('tells who has dialled by the processes of this machine', async () => {
    await using stack = new AsyncDisposableStack();
    const names: (string | undefined)[] = [];
    const pids = new Map([
      ['init', 1],
      ['this test', process.pid],
    ]);
    const { socket } = await echoBehindRelay(stack, (one) => {
      void dialler(one, pids).then((name) => names.push(name));
    });
    socket.write('x');
    await comes(() => names.length > 0);
    assert.deepEqual(names, ['this test']);
  });
});
