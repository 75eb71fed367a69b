import { toBase64url } from '@trefoil/license';
import { issued, type Vectors } from './document-vectors.ts';
import { acme } from './grants.ts';

type Terms = NonNullable<Parameters<typeof acme.license>[0]>['terms'];
/** What is shown, and the terms; `version` is put in. */
type Table = Readonly<Record<string, readonly [string, NonNullable<Terms>]>>;

const features = [
  { name: 'suite', quantity: 12, notAfter: '2027-10-31T00:00:00Z', maintenance: { until: '2027-01-01T00:00:00Z' } },
  { name: 'mesh', within: 'suite', quantity: 8, tokens: 2, notBefore: '2026-06-01T00:00:00Z' },
  { name: 'mesh.fast', within: 'mesh', weight: 5, versions: { from: '7.1', to: '7.9' } },
  { name: 'export', within: 'mesh', quantity: 8, tokens: 1, weight: 0, notAfter: '2027-06-30T00:00:00Z' },
];

/** Every option in one license. */
const everything = {
  quantity: 20,
  counting: ['user', 'session', 'uncounted'],
  features,
  ...{ notBefore: '2026-01-01T00:00:00Z', notAfter: '2027-12-31T23:59:59Z', grace: 'P14D', usagePeriod: 'P365D' },
  ...{
    versions: { from: '5.0', to: '7' },
    maintenance: { from: '2024-01-01T00:00:00Z', until: '2027-01-01T00:00:00Z' },
  },
  downgrade: true,
  ...{ units: 10_000, metering: 'prepaid', seatTime: { every: 'PT15M', units: 3 } },
  overdraft: { percent: 10 },
  ...{ sessionTimeoutSeconds: 600, offlineGraceSeconds: 120, lingerSeconds: 30 },
  borrowing: { seats: 5, longest: 'P30D', extensions: 2, writeOffs: { count: 1, within: 'P365D' } },
  named: { who: 'user', changes: 3, within: 'P30D' },
  queue: false,
  minimum: { server: 2, client: 2 },
  standby: 'hot',
  transfer: { moves: 2, returns: 0, splits: false, wait: 'P7D' },
  returned: true,
  texts: { en: { title: 'CAD, floating', 'support.phone': '+43 1 234' }, 'de-AT': { title: 'CAD für das Büro' } },
  customer: { name: 'Büro Ångström', order: '工-4711' },
  vendorData: toBase64url(Uint8Array.of(0, 1, 2, 0xff)),
  critical: ['versions', 'maintenance', 'named', 'vendorData', 'quantity'],
} as const;

const ofFeatures: Table = {
  'chain-of-eight': [
    'eight features, each within the next, the innermost first',
    {
      quantity: 5,
      features: [1, 2, 3, 4, 5, 6, 7, 8].map((i) => ({ name: `f${i}`, ...(i < 8 && { within: `f${i + 1}` }) })),
    },
  ],
  'feature-tokens-as-the-quantity': [
    'one seat of the feature takes all seats of the license',
    { quantity: 5, features: [{ name: 'a', tokens: 5 }] },
  ],
  'feature-quantity-of-none': [
    'a feature of which nobody may have a seat; a quantity behind one that is not set',
    {
      quantity: 5,
      features: [
        { name: 'a', quantity: 3 },
        { name: 'b', within: 'a' },
        { name: 'c', within: 'b', quantity: 3 },
        { name: 'd', within: 'c', quantity: 0 },
      ],
    },
  ],
  'features-of-an-uncounted-license': [
    'where nothing is counted, a feature may have any quantity',
    {
      quantity: 0,
      features: [
        { name: 'a', quantity: 9 },
        { name: 'b', within: 'a', quantity: 9 },
      ],
    },
  ],
  'feature-begins-before-its-license': [
    'earlier begins and later ends than around it: the license decides',
    {
      quantity: 5,
      notBefore: '2026-01-01T00:00:00Z',
      notAfter: '2027-01-01T00:00:00Z',
      features: [{ name: 'a', notBefore: '2020-01-01T00:00:00Z', notAfter: '2030-01-01T00:00:00Z' }],
    },
  ],
  'feature-weights': [
    'weights, the heaviest too, under postpaid metering',
    {
      quantity: 5,
      metering: 'postpaid',
      features: [
        { name: 'a', weight: 0 },
        { name: 'b', weight: 1_000_000 },
      ],
    },
  ],
  'feature-weight-1-without-metering': [
    'a weight of 1 says nothing new, so it needs no metering',
    { quantity: 5, features: [{ name: 'a', weight: 1 }] },
  ],
};

const ofTime: Table = {
  'versions-from': ['from a version on', { quantity: 5, versions: { from: '0' } }],
  'versions-to': ['up to a version', { quantity: 5, versions: { to: '999999999.999999999.999999999.999999999' } }],
  'versions-to-a-shorter-one': ['7.5 is not above 7', { quantity: 5, versions: { from: '7.5', to: '7' } }],
  'versions-of-one': ['one version only', { quantity: 5, versions: { from: '7.2.1.0', to: '7.2.1.0' } }],
  maintenance: ['releases before a day', { quantity: 5, maintenance: { until: '2027-01-01T00:00:00Z' } }],
  'downgrade-of-versions': ['earlier versions, too', { quantity: 5, versions: { from: '5' }, downgrade: true }],
  'downgrade-of-maintenance': [
    'earlier releases, too',
    { quantity: 5, maintenance: { from: '2026-01-01T00:00:00Z', until: '2027-01-01T00:00:00Z' }, downgrade: true },
  ],
  'downgrade-of-a-feature': [
    'earlier versions of a feature, too',
    { quantity: 5, features: [{ name: 'a', versions: { from: '5' } }], downgrade: true },
  ],
  'downgrade-denied': ['said to be as it is anyway', { quantity: 5, downgrade: false }],
  grace: ['a second behind the end', { quantity: 5, notAfter: '2027-01-01T00:00:00Z', grace: 'PT1S' }],
  'grace-of-a-feature': [
    'only a feature ends',
    { quantity: 5, features: [{ name: 'a', notAfter: '2027-01-01T00:00:00Z' }], grace: 'P3650D' },
  ],
  'grace-of-a-usage-period': ['behind the usage period', { quantity: 5, usagePeriod: 'P30D', grace: 'P1D' }],
  'usage-period-in-all-parts': ['days, hours, minutes, seconds', { quantity: 5, usagePeriod: 'P1DT2H3M4S' }],
  'usage-period-with-large-parts': ['more seconds than a minute has', { quantity: 5, usagePeriod: 'PT100000000S' }],
};

const ofUse: Table = {
  'metering-prepaid': ['said to be as it is anyway', { quantity: 5, units: 0, metering: 'prepaid' }],
  'metering-postpaid': ['without a limit', { quantity: 5, metering: 'postpaid' }],
  'metering-postpaid-limited': ['up to a limit', { quantity: 5, metering: 'postpaid', units: 100 }],
  'seat-time': ['a unit for each day', { quantity: 5, units: 100, seatTime: { every: 'P1D' } }],
  'seat-time-postpaid': [
    'as many units as can be',
    { quantity: 5, metering: 'postpaid', seatTime: { every: 'PT1S', units: 1_000_000 } },
  ],
  'overdraft-seats': ['more seats than the quantity', { quantity: 5, overdraft: { seats: 6 } }],
  'overdraft-percent': ['ten times as many', { quantity: 5, overdraft: { percent: 1_000 } }],
  borrowing: ['all seats may leave', { quantity: 5, borrowing: { seats: 5, longest: 'PT1M' } }],
  'borrowing-write-offs': [
    'for the longest time',
    {
      quantity: 5,
      borrowing: { seats: 1, longest: 'P366D', extensions: 1_000, writeOffs: { count: 1_000, within: 'P3650D' } },
    },
  ],
  'named-devices': ['no change, ever', { quantity: 5, named: { who: 'device', changes: 0, within: 'PT1M' } }],
  'named-uncounted': [
    'five names, without seats',
    { quantity: 5, counting: ['uncounted'], named: { who: 'user', changes: 1, within: 'P1D' } },
  ],
  queue: ['said to be as it is anyway', { quantity: 5, queue: true }],
  'minimum-client': ['of the client only', { quantity: 5, minimum: { client: 65_535 } }],
  'standby-cold': ['for its usage period', { quantity: 5, usagePeriod: 'P14D', standby: 'cold' }],
  'standby-hot': ['by time', { quantity: 5, units: 100, seatTime: { every: 'PT1H' }, standby: 'hot' }],
  'transfer-without-a-wait': ['a duration of nothing', { quantity: 5, transfer: { wait: 'PT0S' } }],
  'texts-of-languages': [
    'languages with regions and scripts',
    { quantity: 5, texts: { en: {}, 'pt-BR': {}, 'zh-Hant': {}, haw: { title: 'x'.repeat(1_024) } } },
  ],
  'customer-a-hundred': [
    'a hundred texts, each as long as can be; the longest name',
    {
      quantity: 5,
      customer: {
        ['N'.repeat(64)]: 'ü'.repeat(64),
        ...Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`n${i}`, 'x'.repeat(128)])),
      },
    },
  ],
  'vendor-data-largest': ['65,536 bytes', { quantity: 5, vendorData: toBase64url(new Uint8Array(65_536).fill(0x5a)) }],
  'critical-of-version-2': [
    'critical terms that are known, though they are not there',
    { quantity: 5, queue: true, critical: ['grace', 'vendorData', 'version'] },
  ],
  'term-not-known': ['a term of neither version', { quantity: 5, queue: true, colour: { dark: 'red' } }],
};

/** Version 2, each option in its forms. */
export function validTerms(): Vectors {
  const all: Table = {
    'every-option': ['every option in one license', everything],
    ...ofFeatures,
    ...ofTime,
    ...ofUse,
  };
  return Object.fromEntries(
    Object.entries(all).map(([name, [description, terms]]) => [
      `terms-${name}`,
      issued('trefoil-license', description, acme.license({ terms })),
    ]),
  );
}
