/** In the order in which the ledger checks (PROTOCOL §5.8). */
export const DENIAL_CODES = [
  'unknown-product',
  'unknown-feature',
  'mode-not-allowed',
  'client',
  'version',
  'maintenance',
  'not-yet',
  'expired',
  'configuration-expired',
  'rule',
  'named',
  'units',
  'borrowing',
  'seats',
] as const;
export type DenialCode = (typeof DENIAL_CODES)[number];

export const REFUSAL_CODES = [
  'unknown-session', // never opened, ended, or opened elsewhere
  'evicted',
  'forgotten', // an id below the window: what came of it isn't known any more, and it will not run
  'other-bytes', // the id was used for another command
  'bad-signature',
  'wrong-secret',
  'unknown-hold',
  'stale', // the certified time it names is more than ten minutes ago
  'too-many',
  'unknown-admin',
  'bad-document',
  'older-license',
  'wrong-group',
  'older-rules',
  'unknown-name',
  'in-use', // a name that has a seat
  'too-soon', // as many names were taken off as may be for now
  'older-configuration',
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];
