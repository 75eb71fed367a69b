import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { ContainerError } from './errors.ts';
import { rawPublicKey } from './key-pairs.ts';
import { CONTAINER_LIMITS } from './limits.ts';

/**
 * HPKE (RFC 9180), base mode, one message per encapsulation: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
 * Own code, because a token does the Diffie–Hellman step inside and hands out its result: libraries want the private key.
 * Checked against the RFC's vectors. Sealed = encapsulated key (32) ‖ ciphertext ‖ tag (16); no associated data.
 */
export interface Suite {
  readonly aeadId: number;
  readonly cipher: 'aes-128-gcm' | 'aes-256-gcm';
  readonly keyBytes: number;
}

const SUITE: Suite = { aeadId: 2, cipher: 'aes-256-gcm', keyBytes: 32 };
const ENCAPSULATED_BYTES = 32;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const KEM_ID = Buffer.from('KEM\x00\x20', 'latin1');
const EMPTY = Buffer.alloc(0);
const SPKI_X25519 = Buffer.from('302a300506032b656e032100', 'hex');

/** The private half: what a token can do without giving its key away. */
export interface KeyAgreement {
  readonly publicKey: Uint8Array;
  /** X25519 with a peer's raw public key, 32 bytes. Throws if the result is all zeros. */
  agree(peer: Uint8Array): Buffer;
}

/** Seals `plaintext` to an X25519 public key (raw, 32 bytes). `info` says what it is for; opening needs the same. */
export function seal(sealingKey: Uint8Array, info: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const pair = generateKeyPairSync('x25519');
  return sealWith(SUITE, ephemeral(pair.privateKey), sealingKey, info, plaintext);
}

/** As `seal`, with everything given that is otherwise fixed or random. */
export function sealWith(
  suite: Suite,
  sender: KeyAgreement,
  receiver: Uint8Array,
  info: Uint8Array,
  plaintext: Uint8Array,
  associated: Uint8Array = EMPTY,
): Uint8Array {
  const shared = sharedSecret(sender.agree(receiver), sender.publicKey, receiver);
  const { key, nonce } = schedule(suite, shared, info);
  const cipher = createCipheriv(suite.cipher, key, nonce).setAAD(associated);
  return Buffer.concat([sender.publicKey, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** @throws ContainerError `cannot-open`, whatever is wrong: which part it was helps only an attacker. */
export function openSealed(receiver: KeyAgreement, info: Uint8Array, sealed: Uint8Array): Uint8Array {
  return openWith(SUITE, receiver, info, sealed);
}

export function openWith(
  suite: Suite,
  receiver: KeyAgreement,
  info: Uint8Array,
  sealed: Uint8Array,
  associated: Uint8Array = EMPTY,
): Uint8Array {
  try {
    if (sealed.length < ENCAPSULATED_BYTES + TAG_BYTES || sealed.length > CONTAINER_LIMITS.sealedBytes) {
      throw new RangeError('length');
    }
    const sender = sealed.subarray(0, ENCAPSULATED_BYTES);
    const shared = sharedSecret(receiver.agree(sender), sender, receiver.publicKey);
    const { key, nonce } = schedule(suite, shared, info);
    const decipher = createDecipheriv(suite.cipher, key, nonce).setAAD(associated);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const body = sealed.subarray(ENCAPSULATED_BYTES, sealed.length - TAG_BYTES);
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch {
    throw new ContainerError('cannot-open', 'A secret was not sealed to this container for this purpose.', {});
  }
}

export function ephemeral(privateKey: KeyObject): KeyAgreement {
  return { publicKey: rawPublicKey(createPublicKey(privateKey)), agree: (peer) => agreeWith(privateKey, peer) };
}

function agreeWith(privateKey: KeyObject, peer: Uint8Array): Buffer {
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI_X25519, peer]), format: 'der', type: 'spki' });
  return diffieHellman({ privateKey, publicKey });
}

/** RFC 9180 §4.1. */
function sharedSecret(dh: Buffer, sender: Uint8Array, receiver: Uint8Array): Buffer {
  const prk = labeledExtract(KEM_ID, EMPTY, 'eae_prk', dh);
  dh.fill(0);
  return labeledExpand(KEM_ID, prk, 'shared_secret', Buffer.concat([sender, receiver]), 32);
}

/** RFC 9180 §5.1, mode 0. */
function schedule(suite: Suite, shared: Buffer, info: Uint8Array): { key: Buffer; nonce: Buffer } {
  const id = Buffer.from([...Buffer.from('HPKE'), 0, 0x20, 0, 1, 0, suite.aeadId]);
  const mode = Buffer.from([0]);
  const pskIdHash = labeledExtract(id, EMPTY, 'psk_id_hash', EMPTY);
  const context = Buffer.concat([mode, pskIdHash, labeledExtract(id, EMPTY, 'info_hash', info)]);
  const secret = labeledExtract(id, shared, 'secret', EMPTY);
  return {
    key: labeledExpand(id, secret, 'key', context, suite.keyBytes),
    nonce: labeledExpand(id, secret, 'base_nonce', context, NONCE_BYTES),
  };
}

function labeledExtract(suiteId: Buffer, salt: Buffer, label: string, input: Uint8Array): Buffer {
  const hmac = createHmac('sha256', salt);
  return hmac.update('HPKE-v1').update(suiteId).update(label).update(input).digest();
}

/** At most one block of HMAC-SHA-256: nothing longer is asked for. */
function labeledExpand(suiteId: Buffer, key: Buffer, label: string, info: Uint8Array, length: number): Buffer {
  const hmac = createHmac('sha256', key)
    .update(Buffer.from([0, length]))
    .update('HPKE-v1')
    .update(suiteId);
  return hmac
    .update(label)
    .update(info)
    .update(Buffer.from([1]))
    .digest()
    .subarray(0, length);
}
