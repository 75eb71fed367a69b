import { encodeUtf8, fromBase64url, malformed, toBase64url } from './bytes.ts';
import type { Algorithm, Crypto, PublicKey, SigningKey } from './crypto.ts';
import { LicenseError, quoted } from './errors.ts';
import { Fields } from './fields.ts';
import { type JsonObject, parseStrictJson } from './json.ts';
import { LIMITS } from './limits.ts';
import { TAGS } from './statements.ts';
import { taggedHash } from './merkle.ts';

/**
 * Signed documents: JWS compact serialization (RFC 7515) over JSON, readable with any JOSE library. The header is exactly
 * `alg`, `kid`, `typ`; the algorithm is the one of the key record, never the message's choice (FORMATS §2).
 */
export type DocumentType =
  | 'trefoil-issuing-key'
  | 'trefoil-configuration'
  | 'trefoil-license'
  | 'trefoil-constituent'
  | 'trefoil-update'
  | 'trefoil-group'
  | 'trefoil-request'
  | 'trefoil-hand-over'
  | 'trefoil-reconfiguration';

const JWS_ALG: Record<Algorithm, string> = { ed25519: 'Ed25519', p256: 'ES256' };

/** The name of a key in `kid`: base64url of the first 16 bytes of H(tag ‖ algorithm ‖ key). */
export function keyId(crypto: Crypto, key: PublicKey): string {
  return toBase64url(keyIdBytes(crypto, key));
}

export function keyIdBytes(crypto: Crypto, key: PublicKey): Uint8Array {
  return taggedHash(crypto, TAGS.keyId, encodeUtf8(key.alg), key.bytes).subarray(0, 16);
}

/** A document as it travels; `signedBy` not yet checked. */
export interface Envelope {
  readonly type: DocumentType;
  readonly keyId: string;
  readonly alg: string;
  readonly payload: JsonObject;
  /** The whole text as received: what is stored, hashed and passed on. */
  readonly text: string;
  readonly signingInput: Uint8Array;
  readonly signature: Uint8Array;
}

export function sealEnvelope(crypto: Crypto, type: DocumentType, payload: JsonObject, key: SigningKey): string {
  const header = { alg: JWS_ALG[key.publicKey.alg], kid: keyId(crypto, key.publicKey), typ: type };
  const part = (value: unknown): string => toBase64url(encodeUtf8(JSON.stringify(value)));
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${toBase64url(key.sign(encodeUtf8(input)))}`;
}

/** Splits and parses, without trusting anything yet. */
export function readEnvelope(text: string, expected: DocumentType): Envelope {
  const limit = expected === 'trefoil-update' ? LIMITS.updateBytes : LIMITS.documentBytes;
  if (text.length > limit)
    throw new LicenseError('too-large', `${text.length} characters, above the limit of a ${expected}`);
  const parts = text.split('.');
  if (parts.length !== 3) throw malformed('not a signed document (three parts with dots between)');
  const [header, payload, signature] = parts as [string, string, string];
  const fields = new Fields(parseStrictJson(fromBase64url(header), 1024), 'header');
  const type = fields.text('typ');
  const envelope = {
    alg: fields.text('alg'),
    keyId: fields.text('kid'),
    signature: fromBase64url(signature),
    signingInput: encodeUtf8(`${header}.${payload}`),
    text,
  };
  fields.end(); // `crit`, `jwk`, `b64` …: nothing that could change what the signature means
  if (type !== expected) throw new LicenseError('wrong-type', `a document of type ${quoted(type)}, not a ${expected}`);
  const json = parseStrictJson(fromBase64url(payload), limit);
  if (json === null || typeof json !== 'object' || Array.isArray(json))
    throw malformed('the document is not an object');
  return { ...envelope, type: expected, payload: json as JsonObject };
}

/** Refuses unless `key` signed exactly these bytes with its own algorithm. */
export function checkEnvelope(crypto: Crypto, envelope: Envelope, key: PublicKey): void {
  if (envelope.alg !== JWS_ALG[key.alg] || envelope.keyId !== keyId(crypto, key))
    throw new LicenseError('unknown-key', `the ${envelope.type} is not signed by the key that it has to be signed by`);
  if (!crypto.verify(key, envelope.signingInput, envelope.signature))
    throw new LicenseError('bad-signature', `the signature of the ${envelope.type} does not fit: it was altered`);
}
