import type { PublicKey } from '@trefoil/license';

/** What the world may know of a container: goes into the request that the vendor makes a configuration from. */
export interface ContainerDescription {
  readonly kind: ContainerKind;
  /** 16 random bytes, made with the container. */
  readonly serial: Uint8Array;
  readonly signingKey: PublicKey;
  /** X25519, 32 bytes. */
  readonly sealingKey: Uint8Array;
}

export type ContainerKind = 'software';

/** Epoch and index of the newest statement that this container's key has signed (PROTOCOL §7.1). */
export interface Watermark {
  readonly epoch: number;
  readonly index: number;
}

/** One signed document of the vendor, kept as received. */
export interface StoredConstituent {
  readonly license: string;
  readonly version: number;
  readonly document: string;
}

/** Keys that never leave, and what belongs beside them. Software, PKCS#11 and TPM implement it. */
export interface Container extends ContainerDescription, AsyncDisposable {
  /**
   * 64 bytes by the signing key, over exactly `message`. At once where the key is in software, later where it is in
   * hardware. Whether the statement *may* be signed is the caller's to know.
   */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;

  /**
   * Opens what was sealed to `sealingKey` (HPKE, RFC 9180; see `seal`) under the same `info`.
   * @throws ContainerError `cannot-open`
   */
  open(sealed: Uint8Array, info: Uint8Array): Promise<Uint8Array>;

  readonly constituents: readonly StoredConstituent[];
  /** Durable on return. The same license and version again replaces the document. */
  putConstituent(constituent: StoredConstituent): Promise<void>;
  /** All of them in one write, each in place of the older versions of its license. Durable on return. */
  putConstituents(constituents: readonly StoredConstituent[]): Promise<void>;
  /** Durable on return. Nothing happens if there is none. */
  removeConstituent(license: string, version: number): Promise<void>;

  /**
   * The newest statement that was signed, as this container remembers it. Undefined = the memory was lost, altered or
   * put back (see `watermarkFault`): whatever the log says, it is suspect.
   * After a crash it may lag by what was signed in the last second.
   */
  readonly watermark: Watermark | undefined;
  readonly watermarkFault: WatermarkFault | undefined;
  /**
   * Call before each signature. Strict at once in memory, on the disk within a second and at the end.
   * @throws ContainerError `watermark-falls` if `mark` is lower than the present one; `unwritable` once it could not be
   *   stored: a key whose memory fails must not go on signing.
   */
  raiseWatermark(mark: Watermark): void;
}

export type WatermarkFault = 'missing' | 'damaged' | 'fallen';
