/** What goes wrong around a process, and what is known about it. The payload is what gets logged. */
export interface HostErrorDetails {
  /** The configuration says something that cannot be meant. `line` counts from 1. */
  'configuration-invalid': { readonly file: string; readonly line: number | undefined };
  'file-unreadable': { readonly file: string; readonly reason: string };
  /** Read, but not what it has to be. */
  'file-invalid': { readonly file: string; readonly reason: string; readonly key?: string };
  'file-unwritable': { readonly file: string; readonly reason: string };
  'file-too-large': { readonly file: string; readonly maximumBytes: number };
  'port-in-use': { readonly host: string; readonly port: number };
  'address-unavailable': { readonly host: string; readonly port: number; readonly reason: string };
  /** Another living process holds the lock; `pid` is 0 when it cannot be told which. */
  locked: { readonly file: string; readonly pid: number };
}

export type HostErrorCode = keyof HostErrorDetails;

/** An operational failure: somebody can repair it, so the message is one sentence that says what and where. */
export class HostError<C extends HostErrorCode = HostErrorCode> extends Error {
  override readonly name = 'HostError';
  readonly code: C;
  readonly details: HostErrorDetails[C];

  constructor(code: C, message: string, details: HostErrorDetails[C], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'no permission',
  EPERM: 'no permission',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system is read-only',
  EMFILE: 'too many open files',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'the name is unknown',
};

/** A system error in words; falls back to the system's own. */
export function reasonOf(error: unknown): string {
  const code = systemCodeOf(error);
  return (code === undefined ? undefined : reasons[code]) ?? (error instanceof Error ? error.message : String(error));
}

/** `ENOENT` and the like, if the error comes from the system. */
export function systemCodeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}
