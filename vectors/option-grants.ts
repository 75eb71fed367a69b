import {
  concatBytes,
  encodeOutcome,
  type Grant,
  type GrantBundle,
  type LicenseErrorCode,
  type Outcome,
} from '@trefoil/license';
import {
  certifyOutcome,
  fixtureGrant,
  fixtureOutcome,
  GRANTED_UTC,
  type LicenseOptions,
} from '@trefoil/license/fixtures';
import { acme, bundleOf, type GrantVector, session, underTerms, valid } from './grants.ts';
import { good, invalid, type Vectors } from './invalid-decisions.ts';

type Terms = NonNullable<LicenseOptions['terms']>;
type Kind = 'granted' | 'renewed';

const SECOND = 1_000;
const DAY = 86_400 * SECOND;
const LAST = GRANTED_UTC - DAY / 2;
const [GRACE, OVERDRAFT, WAITED, BORROWED] = [1, 2, 4, 8];
const borrowable = { quantity: 5, borrowing: { seats: 2, longest: 'P14D' } };

const graced = { quantity: 5, notAfter: '2026-11-01T12:00:00Z', grace: 'P1D' };
/** Ends at the very moment of the decision. */
const endsNow = { quantity: 5, notAfter: '2026-11-02T00:00:00Z', grace: 'P1D' };
const usage = { quantity: 5, usagePeriod: 'P30D' };
const overdrawn = { quantity: 5, overdraft: { seats: 1 } };
/** `inner` is within `middle`, which is within `outer`. */
const nested = {
  quantity: 5,
  grace: 'P1D',
  features: [
    { name: 'inner', within: 'middle' },
    { name: 'middle', within: 'outer', tokens: 2 },
    { name: 'outer', quantity: 2, notBefore: '2026-11-02T00:00:00Z', notAfter: '2026-11-03T00:00:00Z' },
    { name: 'single', within: 'middle', tokens: 1 },
  ],
};
const NESTED_END = GRANTED_UTC + DAY;
const later = {
  quantity: 5,
  features: [
    { name: 'a', notBefore: '2026-11-02T00:00:01Z' },
    { name: 'b', within: 'a' },
  ],
};
const twoTokens = {
  quantity: 5,
  features: [
    { name: 'a', tokens: 2 },
    { name: 'b', within: 'a' },
  ],
};

/** Name → what is shown, terms, how the grant differs, until when after its issue (60 s if not said), granted or renewed. */
type Valid = readonly [string, Terms, Partial<Grant>, number?, Kind?];
type Invalid = readonly [string, Terms, Partial<Grant>, Kind?, LicenseErrorCode?];

const VALID: Readonly<Record<string, Valid>> = {
  'in-grace': ['after its end, flagged', graced, { flags: GRACE, notAfter: LAST + DAY }],
  'in-grace-from-its-end-on': ['at its very end', endsNow, { flags: GRACE, notAfter: GRANTED_UTC + DAY }],
  'in-grace-until-its-end': [
    'the grace ends before the grant would',
    { ...graced, notAfter: '2026-11-01T00:00:10Z' },
    { flags: GRACE, notAfter: GRANTED_UTC + 10 * SECOND },
    10,
  ],
  'grace-to-come': [
    'before its end, the grace included in the end of the grant',
    { ...graced, notAfter: '2026-11-02T00:00:01Z' },
    { notAfter: GRANTED_UTC + SECOND + DAY },
  ],
  'grace-flagged-early': [
    'before its end, flagged all the same',
    { ...graced, notAfter: '2026-11-02T00:00:30Z' },
    { flags: GRACE, notAfter: GRANTED_UTC + 30 * SECOND },
    30,
  ],
  'in-grace-renewed': ['a renewed seat', graced, { flags: GRACE, notAfter: LAST + DAY }, 60, 'renewed'],
  'in-grace-of-a-feature': [
    'the feature has ended, the license has not',
    {
      quantity: 5,
      grace: 'P1D',
      notAfter: '2027-01-01T00:00:00Z',
      features: [{ name: 'a', notAfter: graced.notAfter }],
    },
    { feature: 'a', flags: GRACE, notAfter: LAST + DAY },
  ],
  'usage-period': ['it ends by its first use', usage, { notAfter: GRANTED_UTC + 10 * SECOND }, 10],
  'usage-period-and-an-end': [
    'it ends by its first use, and on a day at the latest',
    { ...usage, notAfter: '2026-11-03T00:00:00Z' },
    { notAfter: GRANTED_UTC + DAY },
  ],
  'usage-period-of-a-feature-that-is-gone': [
    'renewed: the license still ends by its first use',
    usage,
    { feature: 'gone', notAfter: GRANTED_UTC + DAY },
    60,
    'renewed',
  ],
  borrowed: [
    'two seats for as long as may be',
    borrowable,
    { seats: 2, flags: BORROWED, lifeMs: 14 * DAY },
    (14 * DAY) / SECOND,
  ],
  'borrowed-until-its-end': [
    'the license ends before',
    { ...borrowable, notAfter: '2026-11-03T00:00:00Z' },
    { flags: BORROWED, lifeMs: 14 * DAY, notAfter: GRANTED_UTC + DAY },
    DAY / SECOND,
  ],
  'borrowed-shown-later': [
    'of a time before an update took borrowing away',
    { quantity: 5 },
    { flags: BORROWED, lifeMs: 14 * DAY },
    (14 * DAY) / SECOND,
    'renewed',
  ],
  'returned-shown-later': ['renewed before the update', { quantity: 5, returned: true }, {}, 60, 'renewed'],
  overdraft: ['one seat beyond the quantity', overdrawn, { seats: 6, flags: OVERDRAFT }],
  'overdraft-in-percent': [
    'a tenth of five seats is one',
    { quantity: 5, overdraft: { percent: 10 } },
    { seats: 6, flags: OVERDRAFT },
  ],
  'overdraft-for-tokens': [
    'three seats of two tokens each',
    { ...twoTokens, overdraft: { seats: 1 } },
    { feature: 'b', seats: 3, flags: OVERDRAFT },
  ],
  tokens: ['two seats of two tokens each, of five', twoTokens, { feature: 'a', seats: 2 }],
  'tokens-not-counted': [
    'in the mode that is not counted tokens are none',
    { ...twoTokens, counting: ['uncounted'] },
    { feature: 'a', seats: 500, mode: 'uncounted' },
  ],
  'tokens-renewed': ['from before an update that made it dearer', twoTokens, { feature: 'a', seats: 5 }, 60, 'renewed'],
  'nested-feature': [
    'it inherits begin, end and tokens; at the moment when what is around it begins',
    nested,
    { feature: 'inner', seats: 2, notAfter: NESTED_END },
  ],
  'nested-feature-with-tokens-of-its-own': [
    'the nearest tokens count, and the quantity around it',
    nested,
    { feature: 'single', seats: 2, notAfter: NESTED_END },
  ],
  'all-flags-last-item': [
    'everything that is to be said beside a grant',
    { ...graced, overdraft: { percent: 100 } },
    { seats: 10, item: 15, flags: GRACE + OVERDRAFT + WAITED, notAfter: LAST + DAY },
  ],
};

export function validUnderOptions(): Record<string, GrantVector> {
  const vectors = Object.entries(VALID).map(([name, [description, terms, grant, seconds = 60, kind = 'granted']]) => {
    const validUntilUtc = GRANTED_UTC + seconds * SECOND;
    return [name, valid(description, acme, underTerms({ terms }, grant, kind), { validUntilUtc })] as const;
  });
  return {
    ...Object.fromEntries(vectors),
    'one-item-of-two-licenses': twoLicenses(),
    'renewed-with-what-waits': valid('a renewed seat, and two that are waited for', acme, certified(withWaiting())),
  };
}

/** Two seats of one product, one of each of two licenses, for one item of the acquire. */
function twoLicenses(): GrantVector {
  const [first, second] = [acme.license(), acme.license({ id: 'cad-2', tmrId: 2, terms: { quantity: 1 } })];
  const grants = [
    fixtureGrant(acme, first, session, { flags: WAITED }),
    fixtureGrant(acme, second, session, { license: 'cad-2', tmrId: 2, flags: WAITED }),
  ];
  const bundle = { ...certified(encodeOutcome(fixtureOutcome(acme, grants))), licenses: [first, second] };
  return valid('one item, seats of two licenses', acme, bundle);
}

function withWaiting(): Uint8Array {
  const grants = [fixtureGrant(acme, acme.license(), session)];
  const waiting = [
    { hold: 3, place: 1 },
    { hold: 4, place: 9 },
  ];
  return encodeOutcome({ ...fixtureOutcome(acme, grants, 'renewed'), waiting } as Outcome);
}

const certified = (outcome: Uint8Array): GrantBundle => ({ ...good, ...certifyOutcome(acme, outcome) });

const INVALID: Readonly<Record<string, Invalid>> = {
  'in-grace-without-the-flag': ['after its end, not flagged', graced, { notAfter: LAST + DAY }],
  'in-grace-without-the-flag-at-its-end': ['at its very end, not flagged', endsNow, { notAfter: GRANTED_UTC + DAY }],
  'in-grace-with-another-flag': [
    'flagged as something else',
    graced,
    { flags: OVERDRAFT + WAITED, notAfter: LAST + DAY },
  ],
  'in-grace-without-the-flag-renewed': ['the same, renewed', graced, { notAfter: LAST + DAY }, 'renewed'],
  'in-grace-without-an-end': ['no end', graced, { flags: GRACE }],
  'beyond-the-grace': [
    'an end a millisecond behind that of the grace',
    graced,
    { flags: GRACE, notAfter: LAST + DAY + 1 },
  ],
  'beyond-the-grace-renewed': ['the same, renewed', graced, { flags: GRACE, notAfter: LAST + DAY + 1 }, 'renewed'],
  'ended-without-a-grace': [
    'flagged and with an end that fits, but there is no grace',
    { quantity: 5, notAfter: '2026-11-02T00:00:00Z' },
    { flags: GRACE, notAfter: GRANTED_UTC },
    'granted',
    'expired',
  ],
  'beyond-the-grace-of-a-feature': [
    'the license has years to go, the feature has not',
    {
      quantity: 5,
      grace: 'P1D',
      notAfter: '2027-01-01T00:00:00Z',
      features: [{ name: 'a', notAfter: graced.notAfter }],
    },
    { feature: 'a', flags: GRACE, notAfter: LAST + DAY + 1 },
  ],
  'usage-period-without-an-end': ['it ends by its first use, but not here', usage, {}],
  'usage-period-without-an-end-renewed': ['the same, renewed', usage, {}, 'renewed'],
  'usage-period-of-a-feature-that-is-gone-without-an-end': [
    'renewed: the license still ends by its first use',
    usage,
    { feature: 'gone' },
    'renewed',
  ],
  'usage-period-beyond-the-end': [
    'by its first use it would end later, but it ends on a day at the latest',
    { ...usage, notAfter: '2026-11-03T00:00:00Z' },
    { notAfter: GRANTED_UTC + DAY + 1 },
  ],
  returned: ['of a license that was taken back', { quantity: 5, returned: true }, {}],
  'borrowed-for-too-long': ['longer than allowed', borrowable, { flags: BORROWED, lifeMs: 14 * DAY + 1 }],
  'borrowed-too-many': ['three, and two may leave', borrowable, { seats: 3, flags: BORROWED, lifeMs: DAY }],
  'borrowed-of-none': ['none may leave', { quantity: 5 }, { flags: BORROWED, lifeMs: DAY }],
  'borrowed-without-the-flag': ['a long life that is not flagged', borrowable, { lifeMs: 14 * DAY }],
  'borrowed-for-years': [
    'more than a license could allow',
    borrowable,
    { flags: BORROWED, lifeMs: 366 * DAY + 1 },
    'renewed',
  ],
  'overdraft-without-the-flag': ['one seat beyond the quantity, not flagged', overdrawn, { seats: 6 }],
  'overdraft-with-another-flag': ['flagged as something else', overdrawn, { seats: 6, flags: GRACE + WAITED }],
  'beyond-the-overdraft': ['two seats beyond, one allowed', overdrawn, { seats: 7, flags: OVERDRAFT }],
  'beyond-the-overdraft-in-percent': [
    'a tenth of five seats is one, not two',
    { quantity: 5, overdraft: { percent: 10 } },
    { seats: 7, flags: OVERDRAFT },
  ],
  'overdraft-of-none': ['flagged, but the license allows none', { quantity: 5 }, { seats: 6, flags: OVERDRAFT }],
  'overdraft-of-a-feature': [
    'the overdraft is beyond the quantity of the license, not of a feature',
    { ...overdrawn, features: [{ name: 'a', quantity: 2 }] },
    { feature: 'a', seats: 3, flags: OVERDRAFT },
  ],
  'too-many-tokens': ['three seats of two tokens each, of five', twoTokens, { feature: 'a', seats: 3 }],
  'too-many-inherited-tokens': ['the same of a feature within it', twoTokens, { feature: 'b', seats: 3 }],
  'too-many-tokens-for-the-overdraft': [
    'four seats of two tokens each, of six',
    { ...twoTokens, overdraft: { seats: 1 } },
    { feature: 'a', seats: 4, flags: OVERDRAFT },
  ],
  'too-many-seats-around': [
    'three seats within a feature that has two',
    nested,
    { feature: 'single', seats: 3, notAfter: NESTED_END },
  ],
  'feature-before-its-begin': ['a second before it begins', later, { feature: 'a' }],
  'feature-before-the-begin-around': ['a second before the feature around it begins', later, { feature: 'b' }],
  'feature-beyond-the-end-around': [
    'an end behind that of the feature around it',
    nested,
    { feature: 'inner', notAfter: NESTED_END + DAY + 1 },
  ],
  'flags-unknown': ['a flag that does not exist', { quantity: 5 }, { flags: 16 }, 'granted', 'malformed'],
  'item-above-the-last': ['the seventeenth item', { quantity: 5 }, { item: 16 }, 'granted', 'malformed'],
};

/** Flags, release hash, two times, life and end: what the last grant has behind its item. */
const BEHIND_ITEM = 1 + 32 + 8 + 8 + 4 + 8;

export function invalidUnderOptions(): Vectors {
  const vectors = Object.entries(INVALID).map(([name, [description, terms, grant, kind, why = 'wrong-license']]) => {
    return [name, invalid(why, description, underTerms({ terms }, grant, kind))] as const;
  });
  const { outcome } = bundleOf(acme);
  const renewed = encodeOutcome(fixtureOutcome(acme, [fixtureGrant(acme, acme.license(), session)], 'renewed'));
  const item = outcome.length - BEHIND_ITEM - 1;
  return {
    ...Object.fromEntries(vectors),
    'in-grace-after-the-grace': invalid(
      'expired',
      'asked when the grace had ended',
      underTerms(
        { terms: { ...graced, notAfter: '2026-11-01T00:00:10Z' } },
        {
          flags: GRACE,
          notAfter: GRANTED_UTC + 10 * SECOND,
        },
      ),
      { at: GRANTED_UTC + 10 * SECOND },
    ),
    'grant-without-item-and-flags': invalid(
      'malformed',
      'a grant as of older servers',
      certified(concatBytes(outcome.subarray(0, item), outcome.subarray(item + 2))),
    ),
    'renewed-without-what-waits': invalid(
      'malformed',
      'a renewal as of older servers',
      certified(renewed.subarray(0, -2)),
    ),
    'renewed-with-place-0': invalid(
      'malformed',
      'waits in no place',
      certified(concatBytes(withWaiting().subarray(0, -1), Uint8Array.of(0))),
    ),
  };
}
