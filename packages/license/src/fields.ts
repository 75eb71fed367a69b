import { encodeUtf8, fromBase64url, malformed, nameFault } from './bytes.ts';
import { type Algorithm, type PublicKey, publicKeyFault } from './crypto.ts';
import { LicenseError, quoted } from './errors.ts';
import type { Json, JsonObject } from './json.ts';
import { LIMITS } from './limits.ts';

/**
 * Takes named, checked fields out of a JSON object; `end()` refuses what is left. Messages carry the path of the field, as
 * the person who wrote the document knows it: `terms.features[2].quantity`.
 */
export class Fields {
  readonly path: string;
  readonly #object: JsonObject;
  readonly #taken = new Set<string>();

  constructor(value: Json | undefined, path: string) {
    if (value === undefined || value === null || typeof value !== 'object' || Array.isArray(value))
      throw malformed(`${path || 'the document'} is not an object`);
    this.#object = value as JsonObject;
    this.path = path;
  }

  has(name: string): boolean {
    return this.#object[name] !== undefined;
  }

  take(name: string): Json | undefined {
    this.#taken.add(name);
    return this.#object[name];
  }

  /** Every key that nobody took. */
  rest(): string[] {
    return Object.keys(this.#object).filter((key) => !this.#taken.has(key));
  }

  /** Of all fields, in the order of the document. */
  names(): string[] {
    return Object.keys(this.#object);
  }

  end(): void {
    const [unknown] = this.rest();
    if (unknown !== undefined) throw malformed(`unknown field ${quoted(this.at(unknown))}`);
  }

  at(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  text(name: string, maxBytes: number = LIMITS.nameBytes): string {
    const value = this.take(name);
    if (typeof value !== 'string' || value.length === 0) throw malformed(`${this.at(name)} is not a text`);
    if (value.length > maxBytes || encodeUtf8(value).length > maxBytes)
      throw malformed(`${this.at(name)} is above ${maxBytes} bytes`);
    return value;
  }

  /** A text that people are shown: one line, without anything that hides. */
  name(name: string, maxBytes: number = LIMITS.nameBytes): string {
    const value = this.text(name, maxBytes);
    const fault = nameFault(value, maxBytes);
    if (fault !== undefined) throw malformed(`${this.at(name)} ${fault}`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.take(name);
    if (typeof value !== 'boolean') throw malformed(`${this.at(name)} is neither true nor false`);
    return value;
  }

  /** A code: lower-case letters, digits, `.`, `_`, `-`; what people type and machines compare. */
  code(name: string): string {
    const value = this.text(name, LIMITS.codeBytes);
    if (!/^[a-z0-9][a-z0-9._-]*$/.test(value))
      throw malformed(`${this.at(name)} is not a code (a-z, 0-9, ".", "_", "-", beginning with a letter or digit)`);
    return value;
  }

  oneOf<const T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.take(name);
    const found = allowed.find((one) => one === value);
    if (found === undefined) throw malformed(`${this.at(name)} is not one of ${allowed.join(', ')}`);
    return found;
  }

  integer(name: string, min: number, max: number): number {
    const value = this.take(name);
    if (typeof value !== 'number' || !Number.isInteger(value))
      throw malformed(`${this.at(name)} is not a whole number`);
    if (value < min || value > max) throw malformed(`${this.at(name)} is ${value}, allowed are ${min} to ${max}`);
    return value;
  }

  optionalInteger(name: string, min: number, max: number): number | undefined {
    return this.has(name) ? this.integer(name, min, max) : undefined;
  }

  bytes(name: string, length: number): Uint8Array {
    const bytes = this.base64url(name);
    if (bytes.length !== length) throw malformed(`${this.at(name)} has ${bytes.length} bytes, not ${length}`);
    return bytes;
  }

  /** Of any length but 0. */
  base64url(name: string): Uint8Array {
    const text = this.text(name, LIMITS.documentBytes);
    try {
      return fromBase64url(text);
    } catch (error) {
      throw error instanceof LicenseError ? malformed(`${this.at(name)} is ${error.message}`) : error;
    }
  }

  /** `2027-01-31T12:00:00Z` → ms since 1970. One spelling only. */
  time(name: string): number {
    const value = this.text(name);
    const ms = parseUtc(value);
    if (ms === undefined) throw malformed(`${this.at(name)} is not a time like 2027-01-31T12:00:00Z`);
    return ms;
  }

  optionalTime(name: string): number | undefined {
    return this.has(name) ? this.time(name) : undefined;
  }

  list(name: string, maxItems: number): readonly Json[] {
    const value = this.take(name);
    if (!Array.isArray(value)) throw malformed(`${this.at(name)} is not a list`);
    if (value.length > maxItems) throw malformed(`${this.at(name)} has ${value.length} items, ${maxItems} allowed`);
    return value as readonly Json[];
  }

  texts(name: string, maxItems: number, maxBytes: number): readonly string[] {
    return this.list(name, maxItems).map((item, i) => {
      if (typeof item !== 'string') throw malformed(`${this.at(name)}[${i}] is not a text`);
      if (item.length > maxBytes || encodeUtf8(item).length > maxBytes)
        throw malformed(`${this.at(name)}[${i}] is above ${maxBytes} bytes`);
      return item;
    });
  }

  /** A key and the algorithm beside it; weak keys are refused here, once, for every document. */
  publicKey(algName: string, keyName: string): PublicKey {
    const alg: Algorithm = this.oneOf(algName, ['ed25519', 'p256']);
    const key = { alg, bytes: this.bytes(keyName, alg === 'ed25519' ? 32 : 33) };
    const fault = publicKeyFault(key);
    if (fault !== undefined) throw new LicenseError('weak-key', `${this.at(keyName)} is ${fault}`);
    return key;
  }
}

const UTC = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/;

export function parseUtc(text: string): number | undefined {
  const match = UTC.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  return formatUtc(ms) === text && ms >= 0 ? ms : undefined; // refuses 31 February and the like
}

/** Whole seconds; what signed documents carry. */
export function formatUtc(ms: number): string {
  return `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}
