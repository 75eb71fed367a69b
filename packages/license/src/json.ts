import { decodeUtf8, malformed } from './bytes.ts';
import { quoted } from './errors.ts';
import { LIMITS } from './limits.ts';

/** What signed documents may contain: no fractions, no duplicate keys, no trailing bytes (FORMATS §2). */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * Strict reader of JSON (RFC 8259) for signed bytes. `JSON.parse` keeps the last of two equal keys and rounds big numbers:
 * two readers could then see two licenses under one signature.
 */
export function parseStrictJson(bytes: Uint8Array, maxBytes: number): Json {
  if (bytes.length > maxBytes) throw malformed(`${bytes.length} bytes, ${maxBytes} allowed`);
  const parser = new Parser(decodeUtf8(bytes));
  return parser.whole();
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Json {
    const value = this.#value(0, '');
    this.#space();
    if (this.#at !== this.#text.length) throw this.#fault('trailing characters');
    return value;
  }

  /** `name`: of the field, for whoever has to find it. */
  #value(depth: number, name: string): Json {
    if (depth > LIMITS.jsonDepth) throw this.#fault('nested too deeply');
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth, name);
      case '[':
        return this.#array(depth, name);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#integer(name);
    }
  }

  #object(depth: number, name: string): JsonObject {
    this.#at++;
    // Without a prototype, "__proto__" is a key like any other.
    const object: Record<string, Json> = Object.create(null) as Record<string, Json>;
    this.#space();
    if (this.#take('}')) return object;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') throw this.#fault('expected a key');
      const key = this.#string();
      if (key in object) throw this.#fault(`duplicate key ${quoted(key)}`);
      this.#space();
      if (!this.#take(':')) throw this.#fault('expected ":"');
      object[key] = this.#value(depth + 1, name === '' ? key : `${name}.${key}`);
      this.#space();
    } while (this.#take(','));
    if (!this.#take('}')) throw this.#fault('expected "," or "}"');
    return object;
  }

  #array(depth: number, name: string): Json[] {
    this.#at++;
    const items: Json[] = [];
    this.#space();
    if (this.#take(']')) return items;
    do {
      items.push(this.#value(depth + 1, `${name}[${items.length}]`));
      this.#space();
    } while (this.#take(','));
    if (!this.#take(']')) throw this.#fault('expected "," or "]"');
    return items;
  }

  #string(): string {
    const start = ++this.#at;
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at);
      if (Number.isNaN(unit)) throw this.#fault('unterminated string');
      if (unit < 0x20) throw this.#fault('control character in a string');
      if (unit === 0x22) break;
      this.#at += unit === 0x5c ? 2 : 1;
    }
    const raw = this.#text.slice(start, this.#at++);
    const text = raw.includes('\\') ? this.#unescape(raw) : raw;
    if (!text.isWellFormed()) throw this.#fault('half a surrogate pair');
    return text;
  }

  #unescape(raw: string): string {
    return raw.replace(/\\(u[0-9a-fA-F]{4}|.|$)/gs, (_, escape: string) => {
      if (escape.length === 5) return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
      const plain = ESCAPES[escape];
      if (plain === undefined) throw this.#fault('unknown escape');
      return plain;
    });
  }

  #integer(name: string): number {
    const match = /-?(0|[1-9][0-9]*)/y;
    match.lastIndex = this.#at;
    const digits = match.exec(this.#text)?.[0];
    if (digits === undefined) throw this.#fault('expected a value');
    this.#at += digits.length;
    if (/[.eE0-9]/.test(this.#text[this.#at] ?? '')) throw this.#fault(`${subject(name)}not an integer`);
    const value = Number(digits);
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw this.#fault(`${subject(name)}not a safe integer`);
    return value;
  }

  #word<T extends Json>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#fault('expected a value');
    this.#at += word.length;
    return value;
  }

  #space(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #fault(problem: string): Error {
    return malformed(`JSON at character ${this.#at}: ${problem}`);
  }
}

function subject(name: string): string {
  return name === '' ? '' : `${quoted(name)} is `;
}

const ESCAPES: Record<string, string> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
