/** What keeps a container from being used. The payload of each is what gets logged; no secret is ever in it. */
export interface ContainerErrorDetails {
  missing: { readonly file: string };
  exists: { readonly file: string };
  unreadable: { readonly file: string; readonly reason: string };
  unwritable: { readonly file: string; readonly reason: string };
  /** Other users may read or write the file. */
  'too-open': { readonly file: string; readonly mode: string };
  'not-a-container': { readonly file: string };
  'other-version': { readonly file: string; readonly version: number };
  truncated: { readonly file: string; readonly bytes: number; readonly expectedBytes: number };
  damaged: { readonly file: string; readonly what: string };
  /** Another process has it open; `pid` is 0 when it can't be told which. */
  'in-use': { readonly file: string; readonly pid: number };
  'wrong-machine': { readonly file: string; readonly changed: readonly string[]; readonly same: readonly string[] };
  /** The machine tells nothing that a container could be bound to. */
  'no-traits': object;
  'passphrase-needed': { readonly file: string };
  'passphrase-not-used': { readonly file: string };
  'wrong-passphrase': { readonly file: string };
  'passphrase-invalid': { readonly file: string; readonly reason: string };
  'recovery-code-invalid': object;
  'wrong-recovery-code': { readonly file: string };
  'too-large': { readonly what: string; readonly maximum: number };
  /** Something sealed wasn't sealed to this container for this purpose, or was altered. */
  'cannot-open': object;
  /** A statement below one that was already signed. */
  'watermark-falls': { readonly epoch: number; readonly index: number };
  closed: object;
}

export type ContainerErrorCode = keyof ContainerErrorDetails;

/** The one error class of this room. `message` is one sentence for the person who can repair it. */
export class ContainerError<C extends ContainerErrorCode = ContainerErrorCode> extends Error {
  override readonly name = 'ContainerError';
  readonly code: C;
  readonly details: ContainerErrorDetails[C];

  constructor(code: C, message: string, details: ContainerErrorDetails[C], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}
