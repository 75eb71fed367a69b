import { hearsAbout, LINK_LIMITS, LINK_PROTOCOLS, parseAddress, PORTS, ROLES } from '@trefoil/api';
import { decodeToProposer } from '@trefoil/core';
import type { Log } from '@trefoil/host';
import { bytesKey, type Member, SET_ID_BYTES } from '@trefoil/license';
import { dial, type FrameConnection, type Identity, LinkError } from '@trefoil/link';
import type { ProposerRuntime } from './proposer-runtime.ts';

const FIRST_RETRY_MS = 20;
const LAST_RETRY_MS = 500;

export interface LinkOptions {
  readonly member: Member;
  readonly address: string;
  readonly identity: Identity;
  readonly authorityPem: string;
  readonly runtimes: ReadonlyMap<string, ProposerRuntime>;
  readonly log: Log;
}

/** Keeps a connection to one license server, for ever: it may be down for a week and comes back. */
export class LicenseServerLink implements AsyncDisposable {
  readonly #options: LinkOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#done = this.#keep();
  }

  async #keep(): Promise<void> {
    const { member, address, log } = this.#options;
    let retryMs = FIRST_RETRY_MS;
    let saidUnreachable = false;
    while (!this.#stop.signal.aborted) {
      try {
        await using connection = await this.#dial();
        log.info({ licenseServer: member, address }, 'connected to a license server');
        retryMs = FIRST_RETRY_MS;
        saidUnreachable = false;
        const reason = await this.#serve(connection);
        if (!this.#stop.signal.aborted)
          log.warn({ licenseServer: member, reason: reason?.message }, 'a license server is gone');
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (!saidUnreachable)
          log.warn({ licenseServer: member, address, reason: reasonOf(error) }, 'a license server cannot be reached');
        saidUnreachable = true;
      }
      await pause(retryMs, this.#stop.signal);
      retryMs = Math.min(2 * retryMs, LAST_RETRY_MS);
    }
  }

  #dial(): Promise<FrameConnection> {
    const { member, address, identity, authorityPem } = this.#options;
    const { host, port } = parseAddress(address, PORTS.links) ?? { host: address, port: PORTS.links };
    return dial({
      host,
      port,
      identity,
      authorityPem,
      expectRole: ROLES.licenseServer(member),
      timeoutMs: 2_000,
      signal: this.#stop.signal,
      limits: LINK_LIMITS,
      protocols: LINK_PROTOCOLS,
    });
  }

  #serve(connection: FrameConnection): Promise<Error | undefined> {
    const { member, runtimes } = this.#options;
    for (const runtime of runtimes.values()) {
      runtime.links[member] = connection;
      runtime.handle({ kind: 'linkUp', member, hearsAbout: hearsAbout(connection.protocol) });
    }
    connection.onFrame((frame) => {
      const runtime = runtimes.get(bytesKey(frame.subarray(0, SET_ID_BYTES)));
      runtime?.handle({ kind: 'message', member, message: decodeToProposer(frame.subarray(SET_ID_BYTES)) });
    });
    connection.onClose(() => {
      for (const runtime of runtimes.values()) {
        delete runtime.links[member];
        runtime.handle({ kind: 'linkDown', member });
      }
    });
    const { signal } = this.#stop;
    const close = (): void => connection.close();
    signal.addEventListener('abort', close);
    return connection.closed.finally(() => signal.removeEventListener('abort', close));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }
}

/** What a link says in one sentence needs no stack. */
function reasonOf(error: unknown): unknown {
  return error instanceof LinkError ? error.message : error;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
