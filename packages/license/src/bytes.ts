import { LicenseError } from './errors.ts';

/**
 * Canonical bytes: fixed-width big-endian integers, length-prefixed UTF-8. One value has one encoding; a reader refuses
 * anything else, so what was signed is what was meant (FORMATS §1).
 */
export class Writer {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor() {
    const scratch = spareScratch.pop() ?? newScratch(SCRATCH_BYTES);
    this.#bytes = scratch.bytes;
    this.#view = scratch.view;
  }

  u8(value: number): this {
    fits(value, 0xff);
    this.#need(1);
    this.#view.setUint8(this.#length, value);
    this.#length += 1;
    return this;
  }

  u16(value: number): this {
    fits(value, 0xffff);
    this.#need(2);
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
    return this;
  }

  u32(value: number): this {
    fits(value, 0xffff_ffff);
    this.#need(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
    return this;
  }

  /** A non-negative safe integer in eight bytes. */
  u64(value: number): this {
    fits(value, Number.MAX_SAFE_INTEGER);
    this.#need(8);
    this.#view.setUint32(this.#length, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(this.#length + 4, value % 0x1_0000_0000);
    this.#length += 8;
    return this;
  }

  /** Bytes of a length that the reader knows. */
  raw(bytes: Uint8Array): this {
    this.#need(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** Length in four bytes, then the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** Length in two bytes, then UTF-8. */
  text(text: string): this {
    const room = text.length * 3;
    this.#need(2 + room);
    const { written } = utf8Encoder.encodeInto(text, this.#bytes.subarray(this.#length + 2));
    if (written > 0xffff) throw new RangeError('a text above 65,535 bytes');
    this.#view.setUint16(this.#length, written);
    this.#length += 2 + written;
    return this;
  }

  get length(): number {
    return this.#length;
  }

  /** What was written, as bytes of its own. The writer can't be used any more: the next one gets its memory. */
  done(): Uint8Array {
    if (Number.isNaN(this.#length)) throw new Error('done twice');
    const written = allocate(this.#length);
    written.set(this.#bytes.subarray(0, this.#length));
    this.#bytes.fill(0, 0, this.#length); // it may have been a secret
    if (this.#bytes.length <= MAX_SPARE_BYTES) spareScratch.push({ bytes: this.#bytes, view: this.#view });
    this.#bytes = NO_BYTES;
    this.#view = NO_VIEW;
    this.#length = Number.NaN; // fits nowhere: the next write comes to #need's slow path
    return written;
  }

  #need(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    if (Number.isNaN(this.#length)) throw new Error('written to after done');
    const grown = newScratch(Math.max(2 * this.#bytes.length, this.#length + bytes));
    grown.bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown.bytes;
    this.#view = grown.view;
  }
}

interface Scratch {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

const SCRATCH_BYTES = 1_024;
const MAX_SPARE_BYTES = 64 * 1_024;
const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);
/** As many as writers were at work at once: one within the other, so a handful. */
const spareScratch: Scratch[] = [];

function newScratch(length: number): Scratch {
  const bytes = new Uint8Array(length);
  return { bytes, view: new DataView(bytes.buffer) };
}

const SLAB_BYTES = 4_096;
const LARGEST_IN_SLAB = 1_024;
let slab = new Uint8Array(0);
let slabUsed = 0;

/**
 * Zeros, to be written once. Small ones share a slab: an ArrayBuffer of its own for each costs ten times more, in malloc and in
 * the garbage collector, and this is where half of a server's time went. A small result that is kept keeps its slab, so slabs are
 * small too.
 */
export function allocate(length: number): Uint8Array {
  if (length > LARGEST_IN_SLAB) return new Uint8Array(length);
  if (slabUsed + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES);
    slabUsed = 0;
  }
  const bytes = slab.subarray(slabUsed, slabUsed + length);
  slabUsed += length;
  return bytes;
}

/** A copy that outlives the buffer that the bytes came in. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const copy = allocate(bytes.length);
  copy.set(bytes);
  return copy;
}

/** DataView would store the low bits of anything: 2^32 + 1 seats would travel, signed, as one. */
function fits(value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(`${value} is not within 0 … ${max}`);
}

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads what Writer wrote. Every fault is a LicenseError `malformed`; results of `raw` and `bytes` are views, not copies. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): number {
    const at = this.#take(8);
    const value = this.#view.getUint32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4);
    if (!Number.isSafeInteger(value)) throw malformed('an integer above 2^53');
    return value;
  }

  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  bytes(maxBytes: number): Uint8Array {
    const length = this.u32();
    if (length > maxBytes) throw malformed(`a field of ${length} bytes, ${maxBytes} allowed`);
    return this.raw(length);
  }

  text(maxBytes: number): string {
    const length = this.u16();
    if (length > maxBytes) throw malformed(`a text of ${length} bytes, ${maxBytes} allowed`);
    const bytes = this.raw(length);
    return asciiText(bytes) ?? decodeUtf8(bytes);
  }

  /** A text that people are shown: no control characters, which could forge lines of a log or drive a terminal. */
  name(maxBytes: number): string {
    const name = this.text(maxBytes);
    if (CONTROL.test(name)) throw malformed('a control character in a name');
    return name;
  }

  /** One of the codes from `first` to `last`. */
  code(first: number, last: number, what: string): number {
    const value = this.u8();
    if (value < first || value > last) throw malformed(`unknown ${what} ${value}`);
    return value;
  }

  expect(expected: Uint8Array, what: string): void {
    if (!equalBytes(this.raw(expected.length), expected)) throw malformed(`wrong ${what}`);
  }

  /** Refuses trailing bytes. */
  end(): void {
    if (this.#offset !== this.#bytes.length) throw malformed(`${this.#bytes.length - this.#offset} bytes too many`);
  }

  #take(length: number): number {
    const at = this.#offset;
    if (at + length > this.#bytes.length) throw malformed('truncated');
    this.#offset = at + length;
    return at;
  }
}

/**
 * Cc, the line and paragraph separators that editors and terminals break lines at, and what turns the direction of the text around
 * it: a name must not change how others are read.
 */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;

/** Why a text can't be a name (Reader.name) of at most so many bytes, in words that follow the name's own; undefined = it can. */
export function nameFault(text: string, maxBytes: number): string | undefined {
  const { length } = encodeUtf8(text);
  if (length > maxBytes) return `has ${length} bytes; at most ${maxBytes} are allowed`;
  return CONTROL.test(text)
    ? 'contains a line break, another control character, or one that turns the direction of text'
    : undefined;
}

/** The nearest text that is a name: for one that a system gives, when nobody can be asked for another. */
export function toName(text: string, maxBytes: number): string {
  let name = text.replaceAll(new RegExp(CONTROL, 'gu'), ' ');
  while (encodeUtf8(name).length > maxBytes) name = [...name].slice(0, -1).join('');
  return name;
}

/** Names and codes are short and mostly ASCII, where this beats the decoder by far. */
function asciiText(bytes: Uint8Array): string | undefined {
  if (bytes.length > 64) return undefined;
  let text = '';
  for (const byte of bytes) {
    if (byte > 0x7f) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}

export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch {
    throw malformed('not UTF-8');
  }
}

export function encodeUtf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

export function malformed(problem: string): LicenseError {
  return new LicenseError('malformed', problem);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Order of bytes as unsigned numbers, shorter first: the one order of the specification (PROTOCOL §5.3). */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = allocate(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Bytes as a Map key: one UTF-16 unit a byte, so that string order is byte order. */
export function bytesKey(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const BASE64URL_VALUE = new Map([...BASE64URL].map((character, value) => [character, value]));

/** RFC 4648 §5 without padding (FORMATS §1). */
export function toBase64url(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const group = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const characters = Math.min(3, bytes.length - i) + 1;
    for (let k = 0; k < characters; k++) text += BASE64URL[(group >> (18 - 6 * k)) & 63];
  }
  return text;
}

/** Refuses padding, foreign characters and non-zero spare bits: one value, one text. */
export function fromBase64url(text: string): Uint8Array {
  if (text.length % 4 === 1) throw malformed('not base64url');
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const character of text) {
    const value = BASE64URL_VALUE.get(character);
    if (value === undefined) throw malformed('not base64url');
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (held >> bits) & 0xff;
    }
  }
  if ((held & ((1 << bits) - 1)) !== 0) throw malformed('base64url with spare bits set');
  return bytes;
}
