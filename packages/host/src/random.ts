import { randomBytes } from 'node:crypto';

/** Unpredictable bytes. */
export interface Random {
  bytes(count: number): Uint8Array;
}

export const systemRandom: Random = {
  bytes: (count) => new Uint8Array(randomBytes(count)),
};
