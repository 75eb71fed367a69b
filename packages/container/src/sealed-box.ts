import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Random } from '@trefoil/host';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** How much longer a box is than what is in it. */
export const BOX_OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES;
export const KEY_BYTES = 32;

/** AES-256-GCM with a random nonce in front: nonce (12) ‖ ciphertext ‖ tag (16). Fine for 2^32 boxes under one key. */
export function lockBox(random: Random, key: Uint8Array, content: Uint8Array, associated: Uint8Array): Buffer {
  const nonce = random.bytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(associated);
  return Buffer.concat([nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined if the key is another one, or box or associated data were altered. */
export function unlockBox(key: Uint8Array, box: Uint8Array, associated: Uint8Array): Buffer | undefined {
  if (box.length < BOX_OVERHEAD_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, NONCE_BYTES)).setAAD(associated);
  decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
  const start = decipher.update(box.subarray(NONCE_BYTES, box.length - TAG_BYTES));
  try {
    return Buffer.concat([start, decipher.final()]);
  } catch {
    return undefined;
  } finally {
    start.fill(0);
  }
}
