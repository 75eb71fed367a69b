/** Why something signed was refused. Closed: SDKs and the CLI make their sentences from these. */
export type LicenseErrorCode =
  | 'malformed' // not the published format: truncated, extended, wrong type, duplicate key …
  | 'too-large'
  | 'bad-signature'
  | 'unknown-key' // signed by a key that nobody in the chain vouches for
  | 'weak-key' // small order, not canonical
  | 'wrong-type' // a document of another kind
  | 'wrong-vendor'
  | 'wrong-set' // another container set
  | 'wrong-configuration'
  | 'not-enough-votes'
  | 'not-a-member'
  | 'wrong-proof' // the outcome is not under the certified root
  | 'wrong-license'
  | 'wrong-session'
  | 'wrong-command' // the outcome answers other bytes than those sent
  | 'not-yet'
  | 'expired'
  | 'needs-two-votes' // a TMR license under threshold 1
  | 'unknown-term' // a critical term this version doesn't know
  | 'not-fraud'; // statements that an honest server can have signed

/** Foreign text as part of a message: short, printable ASCII, so that it can stand in any log and any outcome. */
export function quoted(text: string): string {
  return `"${text.slice(0, 40).replaceAll(/[^\x20-\x7e]|["\\]/g, '?')}"`;
}

/** The one error class of this room. `message` is a whole clause without secrets; it may be shown to a person. */
export class LicenseError extends Error {
  override readonly name = 'LicenseError';
  readonly code: LicenseErrorCode;

  constructor(code: LicenseErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
