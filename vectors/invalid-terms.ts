import { type LicenseErrorCode, toBase64url } from '@trefoil/license';
import { bent, issued, type Vectors } from './document-vectors.ts';
import { acme } from './grants.ts';

/** What is wrong, what differs from `base`, and the code of the refusal if it isn't `malformed`. */
type Table = Readonly<Record<string, readonly [string, object, LicenseErrorCode?]>>;

const base = { version: 2, quantity: 5 };
const end = { notAfter: '2027-01-01T00:00:00Z' };

const VERSION: Table = {
  'version-3': ['terms of a later version', { version: 3 }, 'unknown-term'],
  'version-3-of-other-fields': [
    'terms of a later version, in which this one could not read anything',
    { version: 3, quantity: { seats: 5 }, features: 'all' },
    'unknown-term',
  ],
  'critical-beside-what-is-malformed': [
    'a critical term of no version, and what it brought along: this program is too old, nothing is wrong',
    { critical: ['dongle'], features: [{ name: 'a', dongle: 7 }], overdraft: { dongle: 7 } },
    'unknown-term',
  ],
  'critical-not-known': ['a critical term of no version', { dongle: true, critical: ['dongle'] }, 'unknown-term'],
  'critical-itself': ['"critical" is no term that could be critical', { critical: ['critical'] }, 'unknown-term'],
  'critical-field-of-a-feature': ['a field of features is no term', { critical: ['within'] }, 'unknown-term'],
};

/** Terms of version 2, each good for itself, in a license that says version 1. */
const LATER: Readonly<Record<string, unknown>> = {
  versions: { from: '1' },
  maintenance: { until: '2027-01-01T00:00:00Z' },
  downgrade: false,
  grace: 'P1D',
  usagePeriod: 'P1D',
  metering: 'postpaid',
  seatTime: { every: 'P1D' },
  overdraft: { seats: 1 },
  borrowing: { seats: 1, longest: 'P1D' },
  named: { who: 'user', changes: 1, within: 'P1D' },
  queue: true,
  minimum: { client: 1 },
  standby: 'cold',
  transfer: { moves: 1 },
  returned: true,
  texts: { en: { title: 'CAD' } },
  customer: { name: 'Ada' },
  vendorData: 'AAEC',
};

const LATER_OF_FEATURES: Readonly<Record<string, unknown>> = {
  within: 'outer',
  notBefore: '2026-01-01T00:00:00Z',
  versions: { from: '1' },
  maintenance: { until: '2027-01-01T00:00:00Z' },
  tokens: 1,
  weight: 1,
};

const DURATIONS = [
  ...[
    'P',
    'PT',
    'P1M',
    'P1Y',
    'P1W',
    'P30',
    '30D',
    'p30d',
    'P1DT',
    'PT30',
    'P1H',
    'PT1D',
    'PT1M1H',
    'P-1D',
    '-P1D',
    '+P1D',
  ],
  ...['P1.5D', 'PT1,5H', 'P 1D', ' P1D', 'P1D\n', 'P1234567890D', 'P١D'],
];

const VERSION_NUMBERS = [
  '07',
  '7.',
  '.7',
  '7..2',
  '7.2.1.0.1',
  '1000000000',
  'v7',
  '7.2-beta',
  ' 7',
  '7\n',
  '-7',
  '7.٢',
  'any',
];

const TIME: Table = {
  'duration-of-nothing': ['no grace at all', { ...end, grace: 'PT0S' }],
  'duration-above-ten-years': ['a day too long', { ...end, grace: 'P3651D' }],
  'duration-a-number': ['a number instead of a duration', { usagePeriod: 30 }],
  'duration-empty': ['nothing', { usagePeriod: '' }],
  'duration-in-seconds-above-ten-years': ['a second too long', { usagePeriod: 'P3650DT1S' }],
  'versions-empty': ['neither from nor to', { versions: {} }],
  'versions-from-above-to': ['from 8 to 7', { versions: { from: '8', to: '7' } }],
  'versions-from-above-to-in-the-second': ['from 7.10 to 7.9', { versions: { from: '7.10', to: '7.9' } }],
  'versions-unknown-field': ['a field that is not known', { versions: { from: '7', below: '8' } }],
  'versions-a-text': ['a text instead of a range', { versions: '7' }],
  'versions-a-number': ['a number instead of a version', { versions: { from: 7 } }],
  'maintenance-without-until': ['no end', { maintenance: { from: '2026-01-01T00:00:00Z' } }],
  'maintenance-of-nothing': [
    'it ends when it begins',
    { maintenance: { from: '2027-01-01T00:00:00Z', until: '2027-01-01T00:00:00Z' } },
  ],
  'maintenance-unknown-field': [
    'a field that is not known',
    { maintenance: { until: end.notAfter, to: end.notAfter } },
  ],
  'downgrade-a-text': ['"yes" is no flag', { versions: { from: '5' }, downgrade: 'yes' }],
  'downgrade-of-nothing': ['neither a first version nor a first release', { downgrade: true }],
  'downgrade-below-no-version': ['only a last version', { versions: { to: '5' }, downgrade: true }],
  'grace-of-nothing': ['nothing ends', { grace: 'P1D' }],
};

const METERING: Table = {
  'metering-unknown': ['a kind that does not exist', { units: 5, metering: 'free' }],
  'metering-prepaid-without-units': ['prepaid, and nothing was paid', { metering: 'prepaid' }],
  'seat-time-not-metered': ['no units, and not postpaid', { seatTime: { every: 'PT1H' } }],
  'seat-time-above-a-day': ['a unit for every two days', { units: 5, seatTime: { every: 'P2D' } }],
  'seat-time-of-no-units': ['no units for it', { units: 5, seatTime: { every: 'PT1H', units: 0 } }],
  'seat-time-without-every': ['every what?', { units: 5, seatTime: { units: 1 } }],
  'seat-time-unknown-field': ['a field that is not known', { units: 5, seatTime: { every: 'PT1H', free: 1 } }],
  'units-negative': ['fewer than none', { units: -1 }],
  'weight-not-metered': ['a weight, and no units', { features: [{ name: 'a', weight: 2 }] }],
  'weight-of-none-not-metered': ['free of what costs nothing', { features: [{ name: 'a', weight: 0 }] }],
};

const SEATS: Table = {
  'overdraft-twice': ['both seats and percent', { overdraft: { seats: 1, percent: 10 } }],
  'overdraft-empty': ['neither seats nor percent', { overdraft: {} }],
  'overdraft-of-no-seats': ['no seat', { overdraft: { seats: 0 } }],
  'overdraft-above-tenfold': ['1001 percent', { overdraft: { percent: 1_001 } }],
  'overdraft-a-number': ['a number instead of an object', { overdraft: 1 }],
  'overdraft-of-nothing': ['nothing is counted', { quantity: 0, overdraft: { seats: 1 } }],
  'overdraft-uncounted': ['only uncounted', { counting: ['uncounted'], overdraft: { seats: 1 } }],
  'borrowing-above-the-quantity': ['six of five', { borrowing: { seats: 6, longest: 'P1D' } }],
  'borrowing-of-nothing': ['nothing is counted', { quantity: 0, borrowing: { seats: 1, longest: 'P1D' } }],
  'borrowing-uncounted': ['only uncounted', { counting: ['uncounted'], borrowing: { seats: 1, longest: 'P1D' } }],
  'borrowing-of-no-seats': ['no seat', { borrowing: { seats: 0, longest: 'P1D' } }],
  'borrowing-without-longest': ['for how long?', { borrowing: { seats: 1 } }],
  'borrowing-too-long': ['more than 366 days', { borrowing: { seats: 1, longest: 'P367D' } }],
  'borrowing-too-short': ['less than a minute', { borrowing: { seats: 1, longest: 'PT59S' } }],
  'borrowing-extensions': ['1001 extensions', { borrowing: { seats: 1, longest: 'P1D', extensions: 1_001 } }],
  'borrowing-unknown-field': ['a field that is not known', { borrowing: { seats: 1, longest: 'P1D', offline: true } }],
  'write-offs-of-none': ['none', { borrowing: { seats: 1, longest: 'P1D', writeOffs: { count: 0, within: 'P1D' } } }],
  'write-offs-without-within': ['in which time?', { borrowing: { seats: 1, longest: 'P1D', writeOffs: { count: 1 } } }],
  'named-who': ['neither users nor devices', { named: { who: 'team', changes: 1, within: 'P1D' } }],
  'named-without-changes': ['how many changes?', { named: { who: 'user', within: 'P1D' } }],
  'named-changes': ['1001 changes', { named: { who: 'user', changes: 1_001, within: 'P1D' } }],
  'named-too-short': ['less than a minute', { named: { who: 'user', changes: 1, within: 'PT59S' } }],
  'named-of-nothing': ['no quantity, so no names', { quantity: 0, named: { who: 'user', changes: 1, within: 'P1D' } }],
  'queue-a-number': ['1 is no flag', { queue: 1 }],
};

const RIGHTS: Table = {
  'minimum-client-0': ['version 0', { minimum: { client: 0 } }],
  'minimum-server-above': ['version 65536', { minimum: { server: 65_536 } }],
  'minimum-unknown-field': ['a field that is not known', { minimum: { os: 1 } }],
  'returned-at-a-time': ['no flag', { returned: '2026-11-02T00:00:00Z' }],
  'standby-warm': ['neither cold nor hot', { usagePeriod: 'P1D', standby: 'warm' }],
  'standby-cold-for-ever': ['cold without a usage period', { standby: 'cold' }],
  'standby-hot-for-nothing': ['hot without seat time', { units: 5, standby: 'hot' }],
  'transfer-moves': ['fewer than none', { transfer: { moves: -1 } }],
  'transfer-splits': ['"no" is no flag', { transfer: { splits: 'no' } }],
  'transfer-wait': ['above ten years', { transfer: { wait: 'P3651D' } }],
  'transfer-unknown-field': ['a field that is not known', { transfer: { resale: true } }],
};

const hundredAndOne = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`n${i}`, 'x']));

const INFORMATION: Table = {
  'texts-language-in-capitals': ['a language in capitals', { texts: { EN: { title: 'CAD' } } }],
  'texts-language-with-an-underscore': ['en_US', { texts: { en_US: { title: 'CAD' } } }],
  'texts-without-a-language': ['a text where the texts of a language should be', { texts: { title: 'CAD' } }],
  'texts-a-line-break': ['a line break', { texts: { en: { title: 'CAD\nfloating' } } }],
  'texts-an-escape': ['an escape', { texts: { en: { title: '\u001b[2J' } } }],
  'texts-a-c1-control': ['a control character above ASCII', { texts: { en: { title: 'a\u009bb' } } }],
  'texts-a-line-separator': ['a line separator', { texts: { en: { title: 'a\u2028b' } } }],
  'texts-a-direction-override': ['what turns the direction', { texts: { en: { title: 'gpj.\u202eexe' } } }],
  'texts-a-direction-isolate': ['what isolates a direction', { texts: { en: { title: '\u2066a\u2069' } } }],
  'texts-empty': ['a text of nothing', { texts: { en: { title: '' } } }],
  'texts-too-long': ['1,025 bytes', { texts: { en: { title: 'x'.repeat(1_025) } } }],
  'texts-too-many': ['101 texts', { texts: { en: hundredAndOne } }],
  'texts-name-with-a-space': ['a space in a name', { texts: { en: { 'the title': 'CAD' } } }],
  'texts-name-begins-with-a-digit': ['a digit first', { texts: { en: { '1st': 'CAD' } } }],
  'texts-name-too-long': ['a name of 65', { texts: { en: { ['n'.repeat(65)]: 'CAD' } } }],
  'texts-a-number': ['a number', { texts: { en: { title: 7 } } }],
  'customer-too-long': ['129 bytes in 65 characters', { customer: { name: `${'ü'.repeat(64)}x` } }],
  'customer-too-many': ['101 texts', { customer: hundredAndOne }],
  'customer-a-direction-override': ['what turns the direction', { customer: { name: '\u202dAda' } }],
  'customer-nested': ['texts in texts', { customer: { address: { city: 'Wien' } } }],
  'vendor-data-too-large': ['65,537 bytes', { vendorData: toBase64url(new Uint8Array(65_537).fill(0x5a)) }],
  'vendor-data-empty': ['nothing', { vendorData: '' }],
  'vendor-data-padded': ['padding', { vendorData: 'AAE=' }],
  'vendor-data-spare-bits': ['spare bits', { vendorData: 'AAF' }],
  'vendor-data-an-object': ['JSON instead of bytes', { vendorData: { key: 'value' } }],
};

const feature = (...list: object[]): object => ({ features: list });
const a = (more: object = {}): object => ({ name: 'a', ...more });
const within = (name: string, outer: string, more: object = {}): object => ({ name, within: outer, ...more });
const chain = (length: number): object[] =>
  Array.from({ length }, (_, i) => ({ name: `f${i}`, ...(i + 1 < length && { within: `f${i + 1}` }) }));

const FEATURES: Table = {
  'feature-within-an-unknown': ['a feature around it that is not there', feature(within('a', 'b'))],
  'feature-within-itself': ['itself', feature(within('a', 'a'))],
  'feature-within-no-code': ['no code', feature(within('a', 'B'), { name: 'B' })],
  'feature-circle': ['each within the other', feature(within('a', 'b'), within('b', 'a'))],
  'feature-circle-beside': ['a feature within a circle', feature(within('a', 'b'), within('b', 'c'), within('c', 'b'))],
  'feature-chain-of-nine': ['nine features, each within the next', feature(...chain(9))],
  'feature-above-the-one-around': [
    'three of two',
    feature(within('a', 'b', { quantity: 3 }), { name: 'b', quantity: 2 }),
  ],
  'feature-above-the-nearest-around': [
    'three of two, with one between that has none',
    feature({ name: 'c', quantity: 2 }, within('b', 'c'), within('a', 'b', { quantity: 3 })),
  ],
  'feature-above-one-around-uncounted': [
    'three of two, where the license does not count',
    { quantity: 0, ...feature(within('a', 'b', { quantity: 3 }), { name: 'b', quantity: 2 }) },
  ],
  'feature-above-the-license': ['six of five', feature(within('a', 'b', { quantity: 6 }), { name: 'b' })],
  'feature-ends-before-the-license-begins': [
    'its end and the begin of the license, in version 1',
    { version: 1, notBefore: '2027-06-01T00:00:00Z', ...feature(a(end)) },
  ],
  'feature-tokens-above-the-quantity': ['six of five', feature(a({ tokens: 6 }))],
  'feature-tokens-of-nothing': ['nothing is counted', { quantity: 0, ...feature(a({ tokens: 1 })) }],
  'feature-tokens-0': ['none', feature(a({ tokens: 0 }))],
  'feature-tokens-above': ['above a million', { quantity: 2_000_000, ...feature(a({ tokens: 1_000_001 })) }],
  'feature-weight-negative': ['fewer than none', { units: 5, ...feature(a({ weight: -1 })) }],
  'feature-weight-above': ['above a million', { units: 5, ...feature(a({ weight: 1_000_001 })) }],
  'feature-begins-at-its-end': ['no time between', feature(a({ notBefore: end.notAfter, ...end }))],
  'feature-begins-when-the-one-around-has-ended': [
    'its begin and the other one’s end',
    feature(within('a', 'b', { notBefore: '2027-06-01T00:00:00Z' }), { name: 'b', ...end }),
  ],
  'feature-ends-before-the-one-around-begins': [
    'its end and the other one’s begin',
    feature({ name: 'c', notBefore: '2027-06-01T00:00:00Z' }, within('b', 'c'), within('a', 'b', end)),
  ],
  'feature-begins-when-the-license-has-ended': [
    'its begin and the end of the license',
    { ...end, ...feature(a({ notBefore: '2027-01-01T00:00:00Z' })) },
  ],
  'feature-versions-from-above-to': ['from 8 to 7', feature(a({ versions: { from: '8', to: '7' } }))],
  'feature-maintenance-without-until': ['no end', feature(a({ maintenance: {} }))],
  'feature-unknown-field': ['a term that features do not have', feature(a({ ...end, grace: 'P1D' }))],
};

/** Properly signed licenses whose terms break one rule of FORMATS §2.4. */
export function invalidTerms(): Vectors {
  const valid = issued('trefoil-license', '', acme.license());
  const cases: Record<string, readonly [LicenseErrorCode, string, object]> = {};
  const add = (name: string, [description, more, why = 'malformed']: Table[string]): void => {
    cases[`terms-${name}`] = [why, description, { terms: { ...base, ...more } }];
  };
  for (const table of [VERSION, TIME, METERING, SEATS, RIGHTS, INFORMATION, FEATURES])
    for (const [name, one] of Object.entries(table)) add(name, one);
  DURATIONS.forEach((text, i) =>
    add(`duration-misspelled-${i + 1}`, [`${JSON.stringify(text)} is no duration`, { usagePeriod: text }]),
  );
  VERSION_NUMBERS.forEach((text, i) =>
    add(`version-misspelled-${i + 1}`, [`${JSON.stringify(text)} is no version`, { versions: { from: text } }]),
  );
  for (const [name, value] of Object.entries(LATER))
    add(`version-1-${name}`, [`${name} in terms of version 1`, { version: 1, ...end, units: 5, [name]: value }]);
  for (const [name, value] of Object.entries(LATER_OF_FEATURES))
    add(`version-1-feature-${name}`, [
      `${name} of a feature in terms of version 1`,
      { version: 1, ...feature(a({ [name]: value }), { name: 'outer' }) },
    ]);
  return bent(valid, acme.issuing, cases);
}
