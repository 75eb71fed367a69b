import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * One process on this machine uses the seat with this key, from whatever copy of its folder: each copy has a lock of its own, the name of a
 * local socket is the whole machine's, and gone with the process. Elsewhere than on Linux and Windows there are no such names, and
 * nothing is held. Undefined: another process has it.
 */
export async function holdAlone(key: Uint8Array): Promise<AsyncDisposable | undefined> {
  const name = `trefoil-borrowed-${Buffer.from(key).toString('hex')}`;
  const path = { linux: `\0${name}`, win32: `\\\\.\\pipe\\${name}` }[process.platform as 'linux'];
  if (path === undefined) return { [Symbol.asyncDispose]: async () => undefined };
  const server = createServer((socket) => socket.destroy()).unref();
  server.listen(path);
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}
