/**
 * Every maximum of what is signed, in one place. A parser applies them before it allocates.
 * Relations are asserted in limits.test.ts.
 */
export const LIMITS = {
  /** A signed document's text, as it travels. A license with many features fits; a hostile one can't fill memory. */
  documentBytes: 256 * 1024,
  /** An update's text: licenses and three constituents each, room for some hundred licenses. Fits an entry of the log. */
  updateBytes: 700 * 1024,
  jsonDepth: 12,
  /** Product, feature, license and vendor codes. */
  codeBytes: 64,
  /** User, host and program names: claims made by clients. */
  nameBytes: 128,
  reasonBytes: 256,
  /** An IP address. */
  addressBytes: 45,
  /** Four numbers of nine digits. */
  versionBytes: 39,
  featuresPerLicense: 1_000,
  licensesPerUpdate: 500,
  /** Of one container, with more than one version of a license where it is not known which the group has. */
  constituentsPerChange: 1_500,
  /** Seats of several licenses in one command, all or nothing. */
  itemsPerAcquire: 16,
  /** An admin's rules: they stand in the log, and each that fits is looked at for each seat. */
  rulesBytes: 64 * 1024,
  adminRules: 500,
  namesInRule: 1_000,
  /** Licenses that the units of one command may come from: their number is a u8. */
  partsPerConsume: 255,
  /** Who waits longer than a week has gone home. */
  waitMs: 7 * 86_400_000,
  /** Licenses in a grant bundle: a renewal speaks of all that a session holds. */
  licensesPerBundle: 256,
  quantity: 1_000_000_000,
  units: Number.MAX_SAFE_INTEGER,
  /** terms: 10 s … 24 h (FORMATS §2.4). */
  sessionTimeoutMinMs: 10_000,
  sessionTimeoutMaxMs: 86_400_000,
  sessionTimeoutDefaultMs: 60_000,
  lingerMaxMs: 86_400_000,
  /** Ten years: what is longer is a slip of the finger. */
  durationMs: 3_650 * 86_400_000,
  borrowingMs: 366 * 86_400_000,
  /** Modules in modules. */
  featureDepth: 8,
  /** Seats of the quantity, or units, that one seat of a feature takes. */
  tokens: 1_000_000,
  namedChanges: 1_000,
  /** Texts of a license: of each language, and what the customer had written into it. */
  licenseTexts: 100,
  licenseTextBytes: 1_024,
  vendorDataBytes: 64 * 1024,
  /** Holders named in a denial: enough to go and ask, not a directory of everyone. */
  holdersInDenial: 10,
  /** 2^20 leaves: a path never has more hashes. */
  proofHashes: 20,
  grantBundleBytes: 512 * 1024,
  /** A client that asks for more than it was answered for is told to wait. */
  requestsInFlight: 32,
} as const;
