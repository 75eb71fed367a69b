import { readdir, readFile, readlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Link } from './way.ts';

const HOST = '127.0.0.1';
const FIRST_PORT = 15_000;
const PORTS = 15_000;

/**
 * Free ports below those that the system hands out to whoever dials: a server gets the same one again after it was killed,
 * and nobody must have taken it meanwhile.
 */
export async function steadyPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}

export interface RelayOptions {
  /** Where others dial, and where the server really listens. */
  readonly port: number;
  readonly target: number;
  /** The link that a connection belongs to, by who has dialled; undefined = nobody knows any more. */
  readonly linkOf: (socket: Socket) => Promise<Link | undefined>;
}

/** Stands before one server's port and passes on what the links let through. */
export class Relay implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(options: RelayOptions) {
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      this.#hold(socket);
      this.#accept(socket, options).catch(() => socket.destroy());
    });
  }

  static async listen(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options);
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject);
      relay.#server.listen(options.port, HOST, resolve);
    });
    return relay;
  }

  async #accept(socket: Socket, { target, linkOf }: RelayOptions): Promise<void> {
    const link = await linkOf(socket);
    if (link === undefined || socket.destroyed) return void socket.destroy();
    const onward = connect({ host: HOST, port: target, allowHalfOpen: true });
    this.#hold(onward);
    link.carry(socket, onward);
    socket.resume();
  }

  #hold(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** Which of these processes of this machine has dialled; TLS hides it from everybody else on the way. */
export async function dialler(socket: Socket, pids: ReadonlyMap<string, number>): Promise<string | undefined> {
  const inode = await inodeOf(socket.remotePort ?? 0, socket.localPort ?? 0);
  if (inode === undefined) return undefined;
  for (const [name, pid] of pids) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors)
      if ((await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => '')) === `socket:[${inode}]`) return name;
  }
  return undefined;
}

async function inodeOf(port: number, toPort: number): Promise<string | undefined> {
  const end = (at: number): string => `0100007F:${at.toString(16).toUpperCase().padStart(4, '0')}`;
  const [local, remote] = [end(port), end(toPort)];
  for (const line of (await readFile('/proc/net/tcp', 'utf8')).split('\n')) {
    const columns = line.trim().split(/\s+/);
    if (columns[1] === local && columns[2] === remote) return columns[9];
  }
  return undefined;
}
