/** What the nemesis tells a client process to do, and what it hears of it. Times: ms of the one monotonic clock of this machine. */
export type Order =
  | { readonly kind: 'live'; readonly products: Products }
  | { readonly kind: 'set-clock'; readonly offsetMs: number }
  /** Nothing more is asked for; what it has it gives back. */
  | { readonly kind: 'rest' }
  /** Acquires, uses up and gives back once: is everybody served? */
  | { readonly kind: 'be-served'; readonly products: Products }
  | { readonly kind: 'end' };

export interface Products {
  /** Fewer seats than clients, and more than enough. */
  readonly hot: string;
  readonly cold: string;
  readonly units: string;
}

export type Said =
  /** A command has left for the first time. */
  | { readonly kind: 'asked'; readonly at: number; readonly hash: Uint8Array; readonly command: Uint8Array }
  /** An answer to it was believed. */
  | { readonly kind: 'answered'; readonly at: number; readonly hash: Uint8Array; readonly outcome: Uint8Array }
  /** What it has, and the way the SDK has proved it. */
  | { readonly kind: 'proved'; readonly bundle: string }
  | { readonly kind: 'used'; readonly use: Use }
  /** `reason`: why it is not answered. */
  | { readonly kind: 'did'; readonly what: string; readonly reason: string | undefined; readonly tookMs: number }
  | { readonly kind: 'resting' }
  | { readonly kind: 'served'; readonly tookMs: number }
  | { readonly kind: 'not-served'; readonly reason: string };

/** By its own clocks the client could use these seats all the time. */
export interface Use {
  readonly license: string;
  readonly seats: number;
  readonly from: number;
  readonly until: number;
}
