import type { DocumentType, LicenseErrorCode, SigningKey } from '@trefoil/license';
import { acme, rootJson } from './grants.ts';
import { changed } from './jws.ts';

/** One document; who has to have signed it is said beside it, except where the document itself names the key. */
export interface DocumentVector {
  readonly description: string;
  readonly type: DocumentType;
  /** The vendor's root; for all but what customers sign. */
  readonly root?: { readonly alg: string; readonly key: string };
  /** For what an issuing key signs; an update brings its own. */
  readonly issuingKey?: string;
  /** For what an admin signs: the group document that names him. */
  readonly group?: string;
  readonly why?: string;
  readonly document: string;
}

export type Vectors = Record<string, DocumentVector>;

/** Signed by the issuing key of `by`. */
export function issued(type: DocumentType, description: string, document: string, by = acme): DocumentVector {
  return { description, type, root: rootJson(by.root.publicKey), issuingKey: by.issuingKey.text, document };
}

export function rooted(type: DocumentType, description: string, document: string, by = acme): DocumentVector {
  return { description, type, root: rootJson(by.root.publicKey), document };
}

export function own(type: DocumentType, description: string, document: string): DocumentVector {
  return { description, type, document };
}

export function ordered(type: DocumentType, description: string, document: string): DocumentVector {
  return { description, type, group: acme.group.text, document };
}

/** Changes of one document, each properly signed by `key`: name → code, what is wrong, changed fields. */
export function bent(
  vector: DocumentVector,
  key: SigningKey,
  cases: Record<string, readonly [LicenseErrorCode, string, object]>,
): Vectors {
  return Object.fromEntries(
    Object.entries(cases).map(([name, [why, description, changes]]) => [
      name,
      { ...vector, description, why, document: changed(vector.type, vector.document, changes, key) },
    ]),
  );
}
