import { type DocumentType, encodeUtf8, keyId, type SigningKey, toBase64url } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';

/** The payload's text of a document, to be bent. */
export function payloadText(document: string): string {
  return Buffer.from(document.split('.')[1] ?? '', 'base64url').toString();
}

export function headerOf(type: DocumentType, key: SigningKey): Record<string, unknown> {
  const alg = key.publicKey.alg === 'ed25519' ? 'Ed25519' : 'ES256';
  return { alg, kid: keyId(nodeCrypto(), key.publicKey), typ: type };
}

/** A document with any header and any payload text, signed as it should be: what `sealEnvelope` would never write. */
export function sealText(header: object | string, payload: string, key: SigningKey): string {
  const headerText = typeof header === 'string' ? header : JSON.stringify(header);
  const input = `${toBase64url(encodeUtf8(headerText))}.${toBase64url(encodeUtf8(payload))}`;
  return `${input}.${toBase64url(key.sign(encodeUtf8(input)))}`;
}

/** The document again with changed fields (`undefined` = left out), signed by `key`. */
export function changed(type: DocumentType, document: string, changes: object, key: SigningKey): string {
  const payload = { ...(JSON.parse(payloadText(document)) as object), ...changes };
  return sealText(headerOf(type, key), JSON.stringify(payload), key);
}

/** The document again with its payload's text changed, signed by `key`. */
export function rewritten(type: DocumentType, document: string, from: string, to: string, key: SigningKey): string {
  const text = payloadText(document);
  if (!text.includes(from)) throw new Error(`"${from}" is not in the document`);
  return sealText(headerOf(type, key), text.replace(from, to), key);
}
