/** What goes wrong between two ends of a link, and what is known about it. The payload is what gets logged. */
export interface LinkErrorDetails {
  'port-in-use': { readonly host: string; readonly port: number };
  'address-unavailable': { readonly host: string; readonly port: number; readonly reason: string };
  /** The key or certificate of this end cannot be used. */
  'identity-invalid': { readonly reason: string };
  /** Nobody answered at that address, or nobody in time. */
  unreachable: { readonly host: string; readonly port: number; readonly reason: string };
  /** The other end has no certificate of the expected authority, name or role. */
  'peer-untrusted': { readonly host: string; readonly port: number; readonly reason: string };
  /** The other end does not want this certificate. */
  'peer-refuses': { readonly reason: string };
  /** The other end does not speak `trefoil/1`. */
  'protocol-unknown': { readonly host: string; readonly port: number };
  'frame-invalid': { readonly bytes: number; readonly maximumBytes: number };
  /** The other end does not read as fast as it is written to. */
  'reader-too-slow': { readonly bufferedBytes: number };
  /** Nothing arrived for too long: the other end, or the way to it, is gone. */
  silent: { readonly idleTimeoutMs: number };
  'connection-lost': { readonly reason: string };
}

export type LinkErrorCode = keyof LinkErrorDetails;

/** An operational failure of a link; the message is one sentence. */
export class LinkError<C extends LinkErrorCode = LinkErrorCode> extends Error {
  override readonly name = 'LinkError';
  readonly code: C;
  readonly details: LinkErrorDetails[C];

  constructor(code: C, message: string, details: LinkErrorDetails[C], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the other end broke the connection',
  EPIPE: 'the other end broke the connection',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ENOTFOUND: 'the name is unknown',
  EAI_AGAIN: 'the name cannot be looked up just now',
  ETIMEDOUT: 'no answer in time',
  EACCES: 'no permission',
  EADDRNOTAVAIL: 'this machine does not have that address',
};

/** A system error in words; falls back to the system's own. */
export function reasonOf(error: unknown): string {
  return reasons[codeOf(error)] ?? (error instanceof Error ? error.message : String(error));
}

/** `ECONNREFUSED`, `ERR_SSL_…`, or '' if the error carries no such code. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}
