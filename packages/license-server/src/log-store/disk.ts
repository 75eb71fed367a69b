/** Bytes, or parts of them. */
export type Content = Uint8Array | readonly Uint8Array[];

/**
 * The port between the log and a real or simulated disk. All offsets and lengths in bytes.
 * Every method rejects with a `StoreError` and with nothing else.
 */
export interface Disk {
  /** Names of the finished files, in no order. Left-overs of an interrupted `writeWhole` aren't listed. */
  list(): Promise<string[]>;
  /** Opens an existing file for reading and writing (`missing` otherwise). Its directory entry is durable on return. */
  open(name: string): Promise<DiskFile>;
  /** Durable on return. A missing file is no error. */
  remove(name: string): Promise<void>;
  /**
   * All or nothing, also across a power loss: temporary file, fsync, rename, fsync of the directory. Many parts are written one after
   * the other, and the process goes on between them.
   */
  writeWhole(name: string, content: Content): Promise<void>;
  /** The whole file, or undefined if there is none. Rejects with `too-large` above `maxBytes`. */
  readWhole(name: string, maxBytes: number): Promise<Uint8Array | undefined>;
}

export interface DiskFile {
  size(): Promise<number>;
  /** Exactly `length` bytes, fewer only at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** All of `bytes`; grows the file if need be. Not durable before `sync`. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** fdatasync: what was written, and the size if it grew, survives a power loss from here on. */
  sync(): Promise<void>;
  /** False once it was removed while it is open: then what is written is gone with the process. */
  isInPlace(): Promise<boolean>;
  close(): Promise<void>;
}

export type StoreErrorCode =
  | 'no-space'
  | 'io' // the device failed, or an error that isn't known here
  | 'not-permitted'
  | 'missing'
  | 'too-large'
  | 'damaged' // a record that was sound when the log was opened no longer is
  | 'closed';

/** The operational failures of the store. `message` is a whole sentence that names the file; it holds no record bytes. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  readonly file: string;

  constructor(code: StoreErrorCode, file: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.file = file;
  }
}
