import { LicenseError, type Reader, SIGNATURE_BYTES, type Writer } from '@trefoil/license';

/** A statement and its signature, as they travel. */
export interface Signed {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** The statement in a signed text, or undefined: what somebody signs may still be anything. */
export function parsed<I, T>(decode: (input: I) => T, input: I): T | undefined {
  try {
    return decode(input);
  } catch (error) {
    if (error instanceof LicenseError) return undefined;
    throw error;
  }
}

const MAX_STATEMENT_BYTES = 1024;
export const MAX_CERTIFICATE_BYTES = 4096;

export function writeSigned(writer: Writer, signed: Signed): Writer {
  return writer.bytes(signed.bytes).raw(signed.signature);
}

export function readSigned(reader: Reader): Signed {
  return { bytes: reader.bytes(MAX_STATEMENT_BYTES), signature: reader.raw(SIGNATURE_BYTES) };
}

export function readMany<T>(reader: Reader, count: number, read: (reader: Reader) => T): T[] {
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(read(reader));
  return items;
}
