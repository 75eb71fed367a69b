import { hash } from 'node:crypto';
import { encodeUtf8, equalBytes, LicenseError, type PublicKey, Reader, Writer } from '@trefoil/license';
import { type Binding, SALT_BYTES } from './binding.ts';
import { ContainerError } from './errors.ts';
import { CONTAINER_LIMITS } from './limits.ts';
import { BOX_OVERHEAD_BYTES, KEY_BYTES } from './sealed-box.ts';

/** The first bytes of the file; the rest is in docs/formats/software-container.md. */
const MAGIC = encodeUtf8('trefoil software container\n');
const VERSION = 1;
const PREFIX_BYTES = MAGIC.length + 2 + 4 + 4;
const CHECKSUM_BYTES = 32;
const KEY_BOX_BYTES = KEY_BYTES + BOX_OVERHEAD_BYTES;
export const SERIAL_BYTES = 16;

/** The part of the file that can be read without a key. */
export interface ContainerHeader {
  readonly serial: Uint8Array;
  readonly signingKey: PublicKey;
  readonly sealingKey: Uint8Array;
  /** How often it was bound to a machine by hand: 1 when created. */
  readonly timesBound: number;
  readonly binding: Binding;
}

export interface ContainerFile {
  readonly header: ContainerHeader;
  /** The header as it stands in the file: what `box` is bound to. */
  readonly headerBytes: Uint8Array;
  /** Keys and constituents, locked with the file key. */
  readonly box: Uint8Array;
}

export function encodeFile(headerBytes: Uint8Array, box: Uint8Array): Uint8Array {
  const writer = new Writer();
  writer.raw(MAGIC).u16(VERSION).u32(headerBytes.length).u32(box.length).raw(headerBytes).raw(box);
  const bytes = writer.done();
  return Buffer.concat([bytes, hash('sha256', bytes, 'buffer')]);
}

/**
 * The checksum has no key: it tells accidents (truncated, damaged) from a wrong key. Intent is met by AES-GCM.
 * @throws ContainerError `not-a-container`, `other-version`, `truncated`, `damaged`
 */
export function decodeFile(file: string, bytes: Uint8Array): ContainerFile {
  const start = bytes.subarray(0, MAGIC.length);
  if (!equalBytes(start, MAGIC.subarray(0, start.length))) {
    throw new ContainerError('not-a-container', `${file} is not a software container.`, { file });
  }
  if (bytes.length < PREFIX_BYTES) throw truncated(file, bytes.length, PREFIX_BYTES);
  const reader = new Reader(bytes.subarray(MAGIC.length));
  const version = reader.u16();
  if (version !== VERSION) {
    const message = `${file} is a software container of format ${version}; this program reads format ${VERSION}.`;
    throw new ContainerError('other-version', message, { file, version });
  }
  const headerBytes = reader.u32();
  const boxBytes = reader.u32();
  const expectedBytes = PREFIX_BYTES + headerBytes + boxBytes + CHECKSUM_BYTES;
  const covered = bytes.subarray(0, Math.max(0, bytes.length - CHECKSUM_BYTES));
  const isSound = equalBytes(hash('sha256', covered, 'buffer'), bytes.subarray(covered.length));
  if (bytes.length < expectedBytes && !isSound) throw truncated(file, bytes.length, expectedBytes);
  if (bytes.length !== expectedBytes || !isSound) throw damaged(file, 'its checksum is wrong');
  const raw = reader.raw(headerBytes);
  return { header: decodeHeader(file, raw), headerBytes: raw, box: reader.raw(boxBytes) };
}

export function encodeHeader(header: ContainerHeader): Uint8Array {
  const { binding, signingKey } = header;
  const writer = new Writer()
    .raw(header.serial)
    .u8(signingKey.alg === 'ed25519' ? 1 : 2)
    .bytes(signingKey.bytes);
  writer.raw(header.sealingKey).u32(header.timesBound).raw(binding.salt).u8(binding.traits.length);
  for (const { name, tag } of binding.traits) writer.text(name).u16(tag);
  writer.u8(binding.passphrase === undefined ? 0 : binding.passphrase.logN);
  if (binding.passphrase !== undefined) writer.raw(binding.passphrase.salt);
  writer.u8(binding.locks.length);
  for (const { without, box } of binding.locks) writer.u8(without).raw(box);
  return writer.raw(binding.recoveryBox).done();
}

function decodeHeader(file: string, bytes: Uint8Array): ContainerHeader {
  try {
    const reader = new Reader(bytes);
    // Copies: these outlive the file's bytes.
    const serial = Uint8Array.from(reader.raw(SERIAL_BYTES));
    const alg = reader.code(1, 2, 'algorithm') === 1 ? 'ed25519' : 'p256';
    const signingKey = { alg, bytes: Uint8Array.from(reader.bytes(33)) } as const;
    const sealingKey = Uint8Array.from(reader.raw(32));
    const timesBound = reader.u32();
    const binding = decodeBinding(reader);
    reader.end();
    return { serial, signingKey, sealingKey, timesBound, binding };
  } catch (error) {
    if (!(error instanceof LicenseError)) throw error;
    throw damaged(file, `its header can't be read (${error.message})`);
  }
}

function decodeBinding(reader: Reader): Binding {
  const salt = reader.raw(SALT_BYTES);
  const traits = Array.from({ length: reader.code(1, CONTAINER_LIMITS.traits, 'number of traits') }, () => {
    return { name: reader.text(64), tag: reader.u16() };
  });
  const logN = reader.code(0, CONTAINER_LIMITS.maxScryptLogN, 'cost of the passphrase');
  const passphrase = logN === 0 ? undefined : { salt: reader.raw(SALT_BYTES), logN };
  const locks = Array.from({ length: reader.code(1, CONTAINER_LIMITS.traits, 'number of locks') }, () => {
    return { without: reader.u8(), box: reader.raw(KEY_BOX_BYTES) };
  });
  return { salt, traits, passphrase, locks, recoveryBox: reader.raw(KEY_BOX_BYTES) };
}

export function damaged(file: string, what: string): ContainerError<'damaged'> {
  return new ContainerError('damaged', `${file} is damaged: ${what}. Restore it from a backup.`, { file, what });
}

function truncated(file: string, bytes: number, expectedBytes: number): ContainerError<'truncated'> {
  const message = `${file} was cut short: ${bytes} of ${expectedBytes} bytes are left. Restore it from a backup.`;
  return new ContainerError('truncated', message, { file, bytes, expectedBytes });
}
