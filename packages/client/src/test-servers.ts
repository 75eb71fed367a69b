import {
  type CallFrame,
  type Certified,
  create,
  decodeCallFrame,
  encodeCallFrame,
  encodeCertifiedReply,
  type SubmitReply,
  SubmitReplySchema,
  toBinary,
} from '@trefoil/api';
import { LicenseError } from '@trefoil/license';
import type { FrameConnection } from '@trefoil/link';
import { type ClientMachine, systemMachine } from './machine.ts';
import { Servers } from './servers.ts';
import type { SubmitResult } from './submission.ts';

/** How a server answers a call; undefined = not at all. */
export type Answer = (frame: CallFrame) => Uint8Array | undefined;

const certificate =
  (bytes: Uint8Array): Answer =>
  ({ call }) =>
    encodeCertifiedReply(call, { outcome: new Uint8Array(1), leafIndex: 0, path: [], certificate: bytes });
export const certified = certificate(Uint8Array.of(1));
export const provesNothing = certificate(Uint8Array.of(0));
export const refuses: Answer = ({ call, method }) =>
  encodeCallFrame({ kind: 'error', call, method, body: new TextEncoder().encode('not a command') });
export const babbles: Answer = ({ call, method }) =>
  encodeCallFrame({ kind: 'reply', call, method, body: new Uint8Array([255, 255, 255]) });
export const silent: Answer = () => undefined;
const replies =
  (result: SubmitReply['result']): Answer =>
  ({ call, method }) => {
    const body = toBinary(SubmitReplySchema, create(SubmitReplySchema, { result }));
    return encodeCallFrame({ kind: 'reply', call, method, body });
  };
export const redirectsTo = (address: string): Answer =>
  replies({ case: 'redirect', value: { address, server: 'A' } } as never);
export const comeBack = (retryAfterMs: number): Answer =>
  replies({ case: 'unavailable', value: { reason: 'overloaded', retryAfterMs } } as never);

/** Servers that answer as is told of each, after its time, and whoever asks them. */
export class TestServers {
  readonly servers: Servers;
  /** When each was asked, ms since the beginning. */
  readonly asked: Record<string, number[]> = {};
  readonly dialled: Record<string, number> = {};
  readonly by: Record<string, readonly [afterMs: number, Answer]>;
  /** Who is dialled in vain, and without a word. */
  readonly away = new Set<string>();
  readonly #lose = new Map<string, () => void>();
  readonly #since = performance.now();
  #generation = 0;

  constructor(by: Readonly<Record<string, readonly [afterMs: number, Answer]>>) {
    this.by = { ...by };
    const file = { group: 'g', addresses: Object.keys(by).map((host) => `${host}:1`), authority: '' };
    const machine: ClientMachine = { ...systemMachine, dial: ({ host }) => this.#dial(host) };
    this.servers = new Servers(file, new Uint8Array(16), machine);
  }

  #dial(host: string): Promise<FrameConnection> {
    this.dialled[host] = (this.dialled[host] ?? 0) + 1;
    if (this.away.has(host)) return new Promise(() => undefined);
    return Promise.resolve(this.#dialled(host));
  }

  #dialled(host: string): FrameConnection {
    const generation = this.#generation;
    let hear: (frame: Uint8Array) => void = () => undefined;
    const connection: Pick<FrameConnection, 'send' | 'onFrame' | 'onClose' | 'close'> = {
      send: (bytes) => {
        (this.asked[host] ??= []).push(performance.now() - this.#since);
        const [afterMs, answer] = this.by[host] ?? [0, refuses];
        const reply = (): void => {
          const said = answer(decodeCallFrame(bytes) as CallFrame);
          if (said !== undefined && generation === this.#generation) hear(said);
        };
        setTimeout(reply, afterMs).unref();
      },
      onFrame: (handler) => (hear = handler),
      onClose: (handler) => void this.#lose.set(host, () => handler(undefined)),
      close: () => undefined,
    };
    return connection as FrameConnection;
  }

  /** Its process ends. */
  lose(host: string): void {
    this.#lose.get(host)?.();
  }

  /** As when a laptop changes its network: what is connected leads nowhere any more, and nobody is told. */
  changeNetwork(): void {
    this.#generation++;
  }

  submit(patienceMs = 3_000): Promise<SubmitResult<string>> {
    const prove = ({ certificate: [first] }: Certified): Promise<string> =>
      first === 0 ? Promise.reject(new LicenseError('bad-signature', 'nobody signed it')) : Promise.resolve('proved');
    return this.servers.submit(new Uint8Array(3), patienceMs, prove);
  }

  times(host: string): number {
    return this.asked[host]?.length ?? 0;
  }
}
