import { randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { performance } from 'node:perf_hooks';
import type { SigningKey } from '@trefoil/license';
import { generateEd25519 } from '@trefoil/license/node-crypto';
import { dial, type DialOptions, type FrameConnection } from '@trefoil/link';
import { newSecret } from './secrets.ts';
import type { Moment } from './time.ts';

/** What a client needs of the machine that it runs on. The simulator has another one. */
export interface ClientMachine {
  now(): Moment;
  /** Returns how to call it off. What is due in the background keeps no process alive. */
  later(ms: number, run: () => void, background?: 'background'): () => void;
  /** In [0, 1): spreads what many clients would else do at the same time. */
  chance(): number;
  nonce(bytes: number): Uint8Array;
  /** 32 bytes that nobody can guess. */
  secret(): Uint8Array;
  /** The first of its IP addresses that others could reach; '' = there is none. */
  address(): string;
  sessionKey(): { readonly key: SigningKey; readonly seed: Uint8Array };
  dial(options: DialOptions): Promise<FrameConnection>;
}

export const systemMachine: ClientMachine = {
  now: () => ({ monotonicMs: performance.now(), wallMs: Date.now() }),
  later(ms, run, background) {
    const timer = setTimeout(run, ms);
    if (background !== undefined) timer.unref();
    return () => clearTimeout(timer);
  },
  chance: () => Math.random(),
  nonce: (bytes) => new Uint8Array(randomBytes(bytes)),
  secret: newSecret,
  address() {
    const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    const found = all.find((one) => !one.internal && one.family === 'IPv4') ?? all.find((one) => !one.internal);
    return found?.address ?? '';
  },
  sessionKey: generateEd25519,
  dial,
};
