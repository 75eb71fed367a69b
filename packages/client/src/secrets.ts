import { randomFillSync } from 'node:crypto';

const SECRET_BYTES = 32;
const pool = new Uint8Array(128 * SECRET_BYTES);
let used = pool.length;

/** A fresh secret. Drawn many at once, for a call to the system each would cost more than all else that an acquire does here. */
export function newSecret(): Uint8Array {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const secret = pool.slice(used, used + SECRET_BYTES);
  pool.fill(0, used, used + SECRET_BYTES); // handed out once, and kept in one place
  used += SECRET_BYTES;
  return secret;
}
