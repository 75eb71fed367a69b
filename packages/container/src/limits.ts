/** Every maximum of this room. */
export const CONTAINER_LIMITS = {
  /** A license has at most 256 KiB (FORMATS), and is kept in a few versions at most. */
  documentBytes: 256 * 1024,
  constituents: 4_000,
  /** The file is rewritten whole for each new constituent: above this that takes too long. */
  fileBytes: 64 * 1024 * 1024,
  traits: 16,
  passphraseBytes: 1_024,
  /** scrypt with N = 2^17, r = 8: 128 MiB and some 0.4 s at each start. */
  scryptLogN: 17,
  /** An edited file must not make us fill the memory before its checksum's author is known. */
  maxScryptLogN: 20,
  /** How old the watermark on the disk may be. */
  watermarkDelayMs: 1_000,
  sealedBytes: 64 * 1024,
} as const;
