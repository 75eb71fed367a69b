import { encodeUtf8, decodeUtf8, Reader, Writer } from '@trefoil/license';
import type { StoredConstituent, Watermark } from './container.ts';
import { ContainerError } from './errors.ts';
import { exportPrivate, importPrivate, type KeyPairs } from './key-pairs.ts';
import { CONTAINER_LIMITS } from './limits.ts';

/** What is locked in the container's file. */
export interface Contents {
  readonly keys: KeyPairs;
  /** As of the last time the file was written; the newest stands in the watermark file. */
  readonly watermark: Watermark;
  readonly constituents: readonly StoredConstituent[];
}

/** The caller overwrites the result after use: it holds private keys. */
export function encodeContents({ keys, watermark, constituents }: Contents): Buffer {
  const rest = new Writer().u64(watermark.epoch).u64(watermark.index).u32(constituents.length);
  for (const { license, version, document } of constituents) {
    rest.text(license).u32(version).bytes(encodeUtf8(document));
  }
  // Not through the writer: it would leave copies of the keys in memory that nobody overwrites.
  const secrets = [exportPrivate(keys.signing), exportPrivate(keys.sealing)];
  const bytes = Buffer.concat([...secrets.flatMap((secret) => [lengthOf(secret), secret]), rest.done()]);
  for (const secret of secrets) secret.fill(0);
  return bytes;
}

function lengthOf(bytes: Uint8Array): Uint8Array {
  return new Writer().u32(bytes.length).done();
}

/** Overwrites `bytes`. @throws LicenseError `malformed` */
export function decodeContents(bytes: Buffer): Contents {
  try {
    const reader = new Reader(bytes);
    const keys = { signing: importPrivate(reader.bytes(256)), sealing: importPrivate(reader.bytes(256)) };
    const watermark = { epoch: reader.u64(), index: reader.u64() };
    const constituents = Array.from({ length: reader.u32() }, () => ({
      license: reader.text(64),
      version: reader.u32(),
      document: decodeUtf8(reader.bytes(CONTAINER_LIMITS.documentBytes)),
    }));
    reader.end();
    return { keys, watermark, constituents };
  } finally {
    bytes.fill(0);
  }
}

/** The list with this one added or replaced. @throws ContainerError `too-large` */
export function withConstituent(
  list: readonly StoredConstituent[],
  added: StoredConstituent,
): readonly StoredConstituent[] {
  if (encodeUtf8(added.document).length > CONTAINER_LIMITS.documentBytes) {
    throw tooLarge('a constituent', CONTAINER_LIMITS.documentBytes);
  }
  const others = withoutConstituent(list, added.license, added.version);
  if (others.length >= CONTAINER_LIMITS.constituents) {
    throw tooLarge('the number of constituents', CONTAINER_LIMITS.constituents);
  }
  return [...others, { ...added }];
}

/** As `withConstituent`, and without the versions before it. */
export function withNewest(list: readonly StoredConstituent[], added: StoredConstituent): readonly StoredConstituent[] {
  const others = list.filter((one) => one.license !== added.license || one.version > added.version);
  return withConstituent(others, added);
}

export function withoutConstituent(
  list: readonly StoredConstituent[],
  license: string,
  version: number,
): readonly StoredConstituent[] {
  return list.filter((one) => one.license !== license || one.version !== version);
}

function tooLarge(what: string, maximum: number): ContainerError<'too-large'> {
  return new ContainerError('too-large', `The container can't take this: ${what} is above ${maximum}.`, {
    what,
    maximum,
  });
}
