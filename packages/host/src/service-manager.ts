import { closeSync, writeSync } from 'node:fs';
import { reasonOf } from './errors.ts';

/** Where systemd says what it wants to know. Taken out, so that no child of this process speaks in its name. */
type Environment = Record<string, string | undefined>;

/** Tells whoever started this process how it is. */
export interface ServiceManager extends Disposable {
  /** It serves: from now on the watchdog is kept quiet. */
  ready(): void;
  stopping(reason: string): void;
}

const nobody: ServiceManager = {
  ready: () => undefined,
  stopping: () => undefined,
  [Symbol.dispose]: () => undefined,
};

/**
 * systemd, when it has started this process as `Type=notify` (sd_notify(3)); nobody otherwise. What cannot be said is complained
 * about once and costs nothing more: a server that serves is worth more than one that is reported.
 */
export async function findServiceManager(
  environment: Environment,
  complain: (reason: string) => void,
): Promise<ServiceManager> {
  const { NOTIFY_SOCKET: address, WATCHDOG_USEC: watchdogUs, WATCHDOG_PID: watchdogPid } = environment;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  if (address === undefined) return nobody;
  try {
    const watched = watchdogUs !== undefined && (watchdogPid ?? String(process.pid)) === String(process.pid);
    const watchdogMs = watched ? Number(watchdogUs) / 1_000 : undefined;
    return new Systemd({ connect: await datagramSockets(address), watchdogMs, complain });
  } catch (error) {
    complain(reasonOf(error));
    return nobody;
  }
}

interface SystemdOptions {
  /** Opens a socket that leads to systemd. */
  readonly connect: () => number;
  readonly watchdogMs: number | undefined;
  readonly complain: (reason: string) => void;
}

class Systemd implements ServiceManager {
  readonly #options: SystemdOptions;
  #socket: number | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #complained = false;

  constructor(options: SystemdOptions) {
    this.#options = options;
  }

  ready(): void {
    this.#say('READY=1\nSTATUS=serving');
    const { watchdogMs } = this.#options;
    // A timer of the very event loop that serves: when that one hangs, systemd hears nothing and starts the server anew.
    if (watchdogMs !== undefined) this.#watchdog ??= setInterval(() => this.#say('WATCHDOG=1'), watchdogMs * 0.4);
  }

  stopping(reason: string): void {
    this.#say(`STOPPING=1\nSTATUS=stopping: ${reason.replaceAll('\n', ' ')}`);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#watchdog);
    if (this.#socket !== undefined) closeSync(this.#socket);
    this.#socket = undefined;
  }

  #say(message: string): void {
    try {
      this.#write(message);
    } catch (error) {
      if (!this.#complained) this.#options.complain(reasonOf(error));
      this.#complained = true;
    }
  }

  #write(message: string): void {
    const before = this.#socket;
    this.#socket ??= this.#options.connect();
    try {
      writeSync(this.#socket, message);
    } catch (error) {
      closeSync(this.#socket);
      this.#socket = undefined;
      if (before === undefined) throw error;
      this.#write(message); // whoever listened there may have been replaced since
    }
  }
}

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
/** Not for children, and never a reason to wait: a systemd that does not read must not stop a server. */
const SOCK_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
const MAX_PATH_BYTES = 107;

/**
 * Node has no Unix datagram sockets, so two calls of the C library open one; what is said then is an ordinary write. Starting
 * `systemd-notify` for each word instead would stop a server of 1 GiB for 40 ms each time: that is how long a fork takes.
 */
async function datagramSockets(address: string): Promise<() => number> {
  const { load, errno } = await import('koffi');
  const library = load(null);
  const socket = library.func('int socket(int, int, int)') as (
    family: number,
    type: number,
    protocol: number,
  ) => number;
  const connect = library.func('int connect(int, void *, unsigned int)') as (
    socket: number,
    address: Buffer,
    bytes: number,
  ) => number;
  const to = socketAddress(address);
  return () => {
    const descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC_NONBLOCK, 0);
    if (descriptor < 0) throw new Error(`no socket (errno ${errno()})`);
    if (connect(descriptor, to, to.length) === 0) return descriptor;
    const reason = `nobody listens at NOTIFY_SOCKET ${address} (errno ${errno()})`;
    closeSync(descriptor);
    throw new Error(reason);
  };
}

/** struct sockaddr_un: the family, then a path, or with "@" a name that is in no file system. */
function socketAddress(address: string): Buffer {
  const path = Buffer.from(address.startsWith('@') ? `\0${address.slice(1)}` : address);
  const isPath = address.startsWith('/') || (address.startsWith('@') && address.length > 1);
  if (!isPath || path.length > MAX_PATH_BYTES)
    throw new Error(`NOTIFY_SOCKET ${address} is no address of a Unix socket`);
  return Buffer.concat([new Uint8Array(Uint16Array.of(AF_UNIX).buffer), path]);
}
