import type { CountingMode } from './terms/index.ts';

export interface Waiting {
  /** The request id of the acquire; its hold's, when it is served. */
  readonly hold: number;
  readonly place: number;
}

/** Of one item; several where its units came from several licenses. */
export interface Consumed {
  readonly item: number;
  readonly license: string;
  readonly version: number;
  readonly units: number;
  /** In this license; LIMITS.units where there is no limit. */
  readonly left: number;
}

export const GRANT_FLAGS = { grace: 1, overdraft: 2, waited: 4, borrowed: 8 } as const;

/** One seat, or several of one license, given to a session. With its certificate it can be checked by anyone. */
export interface Grant {
  readonly license: string;
  readonly version: number;
  /** SHA-256 of the license document's text. */
  readonly licenseDigest: Uint8Array;
  readonly tmrId: number;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly mode: CountingMode;
  readonly user: string;
  readonly host: string;
  readonly sessionKey: Uint8Array;
  readonly hold: number;
  /** Which item of the acquire it answers; several grants do where the seats came from several licenses. */
  readonly item: number;
  /** GRANT_FLAGS: what is to be said beside it. */
  readonly flags: number;
  readonly releaseHash: Uint8Array;
  readonly issuedLogTime: number;
  readonly issuedUtc: number;
  /** D: how long the client may use it, from its own first sending of the request; of a borrowed seat, for how long it was. */
  readonly lifeMs: number;
  /** End of the license or feature, ms since 1970; 0 = none. */
  readonly notAfter: number;
}

export interface Holder {
  readonly user: string;
  readonly host: string;
  readonly sinceUtc: number;
  readonly seats: number;
  /** For how long nobody has used it, ms, as it says itself; 0 = in use, or not said. */
  readonly idleMs: number;
  /** It was borrowed until then (utc); 0 = it was not. */
  readonly untilUtc: number;
}

export interface InstalledLicense {
  readonly license: string;
  readonly version: number;
  readonly product: string;
  readonly quantity: number;
  /** As the group has it at that moment: for whoever takes a license back, or issues it anew. */
  readonly used: number;
  readonly borrowed: number;
  readonly unitsUsed: number;
  /** 0 = no usage period has begun. */
  readonly firstUseUtc: number;
}
