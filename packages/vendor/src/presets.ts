import type { JsonObject } from '@trefoil/license';

/**
 * The catalogue of license models: a name that people know for a bundle of terms. It is read when a license is written, and nowhere
 * else: what is granted is decided by the terms alone (FORMATS §2.4).
 */
export interface Preset {
  readonly name: string;
  readonly title: string;
  /** What the customer experiences. */
  readonly says: string;
  /** When to choose it. */
  readonly choose: string;
  /** An example; whoever writes a license puts his own numbers and dates in. */
  readonly terms: JsonObject;
}

const IN_A_YEAR = '2027-12-31T23:59:59Z';

/** In the order of the guide. */
export const PRESETS: readonly Preset[] = [
  {
    name: 'single-user',
    title: 'Single user',
    says: 'One person works with it at a time, on one machine.',
    choose: 'The simplest license that is counted.',
    terms: { quantity: 1, counting: ['exclusive'] },
  },
  {
    name: 'single-user-vm',
    title: 'Single user in a virtual machine',
    says: 'One machine, virtual or not, may use it; all sessions on it share the seat.',
    choose: 'When the application is used through remote desktops of one machine.',
    terms: { quantity: 1, counting: ['station'] },
  },
  {
    name: 'floating',
    title: 'Network (floating)',
    says: 'So many sessions at once, from wherever; the next one waits or is told who has the seats.',
    choose: 'Teams that share seats.',
    terms: { quantity: 10, counting: ['session'] },
  },
  {
    name: 'floating-station',
    title: 'Floating per station',
    says: 'So many machines at once; who starts it twice on one of them uses one seat.',
    choose: 'Applications that people start several times.',
    terms: { quantity: 10, counting: ['station'] },
  },
  {
    name: 'floating-user',
    title: 'Floating per user',
    says: 'So many people at once; one who works on two machines uses one seat.',
    choose: 'People with a desk and a laptop.',
    terms: { quantity: 10, counting: ['user'] },
  },
  {
    name: 'feature-on-demand',
    title: 'Feature on demand',
    says: 'The product is there; features are added by an update, in service, each with its own number of seats.',
    choose: 'Selling extras later.',
    terms: { quantity: 10, features: [{ name: 'export' }, { name: 'analysis', quantity: 2 }] },
  },
  {
    name: 'modular',
    title: 'Modular suite',
    says: 'Modules with parts: a seat of a part is one of its module, too.',
    choose: 'A suite whose modules are sold one by one.',
    terms: {
      quantity: 20,
      features: [
        { name: 'milling', quantity: 5 },
        { name: 'five-axis', within: 'milling', quantity: 2 },
        { name: 'turning', quantity: 3 },
      ],
    },
  },
  {
    name: 'perpetual',
    title: 'Perpetual',
    says: 'The versions that were bought run for ever.',
    choose: 'Selling once.',
    terms: { quantity: 5, versions: { to: '7' } },
  },
  {
    name: 'trial',
    title: 'Trial, demonstration',
    says: 'Everything works for thirty days from the first use.',
    choose: 'Letting people try before they buy.',
    terms: { quantity: 1, usagePeriod: 'P30D' },
  },
  {
    name: 'subscription',
    title: 'Subscription',
    says: 'It ends with what was paid for, after some days in which it says so; an update prolongs it in service.',
    choose: 'Paying by the year.',
    terms: { quantity: 10, notAfter: IN_A_YEAR, grace: 'P14D' },
  },
  {
    name: 'rental',
    title: 'Rental, leasing',
    says: 'From one day to another, and no longer.',
    choose: 'A project that needs it for a quarter.',
    terms: { quantity: 5, notBefore: '2027-01-01T00:00:00Z', notAfter: '2027-03-31T23:59:59Z' },
  },
  {
    name: 'time-ticket',
    title: 'Time ticket',
    says: 'Thirty (ninety, 365) days from when it is first used, whenever that is.',
    choose: 'Tickets that are sold ahead.',
    terms: { quantity: 1, usagePeriod: 'P90D' },
  },
  {
    name: 'short-lease',
    title: 'Short lease',
    says: 'Some hours at a time; the vendor renews it by itself as long as it is paid.',
    choose: 'When a license must be taken back within a day.',
    terms: { quantity: 3, notAfter: IN_A_YEAR, sessionTimeoutSeconds: 600 },
  },
  {
    name: 'prepaid-units',
    title: 'Pay per use, prepaid',
    says: 'Units are used up by what is done, each kind of work at its weight; none left, none more.',
    choose: 'Selling results instead of seats.',
    terms: { quantity: 0, units: 1_000, features: [{ name: 'render', weight: 5 }] },
  },
  {
    name: 'postpaid-units',
    title: 'Pay per use, paid afterwards',
    says: 'What is done is counted and reported; the bill comes later.',
    choose: 'Customers who are trusted to pay.',
    terms: { quantity: 0, metering: 'postpaid' },
  },
  {
    name: 'seat-time',
    title: 'Pay by the time of use',
    says: 'Each begun minute of a seat is a unit.',
    choose: 'Occasional use of something dear.',
    terms: { quantity: 10, metering: 'postpaid', seatTime: { every: 'PT1M' } },
  },
  {
    name: 'tokens',
    title: 'Token pool',
    says: 'One pool for all features; each takes as many tokens as it is worth.',
    choose: 'Many tools, and needs that change by the day.',
    terms: {
      quantity: 100,
      features: [
        { name: 'view', tokens: 1 },
        { name: 'solve', tokens: 25 },
      ],
    },
  },
  {
    name: 'maintenance',
    title: 'Maintenance (software assurance)',
    says: 'Releases of the maintained time run for ever, later ones need it renewed.',
    choose: 'Perpetual licenses with yearly updates.',
    terms: { quantity: 5, maintenance: { from: '2026-01-01T00:00:00Z', until: '2028-01-01T00:00:00Z' } },
  },
  {
    name: 'upgrade',
    title: 'Upgrade',
    says: 'The license for version 7 becomes one for version 8, in service; seats in use stay.',
    choose: 'Selling the next version.',
    terms: { quantity: 5, versions: { from: '7', to: '8' } },
  },
  {
    name: 'downgrade',
    title: 'Downgrade right',
    says: 'Older versions may be used instead, of the same quantity.',
    choose: 'Customers who move slowly.',
    terms: { quantity: 5, versions: { from: '8', to: '8' }, downgrade: true },
  },
  {
    name: 'volume',
    title: 'Volume',
    says: 'Bought in one order, split over many groups; the parts add up to what was bought.',
    choose: 'Companies with many sites.',
    terms: { quantity: 50, transfer: { splits: true } },
  },
  {
    name: 'named-user',
    title: 'Named user',
    says: 'Seats belong to persons; one of them may be given to another, so many times a month.',
    choose: 'Everybody who needs it has his own.',
    terms: { quantity: 10, counting: ['user'], named: { who: 'user', changes: 2, within: 'P30D' } },
  },
  {
    name: 'named-device',
    title: 'Named device',
    says: 'Seats belong to machines.',
    choose: 'Production lines and measuring rooms.',
    terms: { quantity: 10, counting: ['station'], named: { who: 'device', changes: 2, within: 'P30D' } },
  },
  {
    name: 'named-accounts',
    title: 'Named accounts',
    says: 'So many accounts of an application that many people reach; the application names them, and drops them again.',
    choose: 'Services with accounts of their own.',
    terms: { quantity: 100, counting: ['user'], named: { who: 'user', changes: 1_000, within: 'P1D' } },
  },
  {
    name: 'borrowing',
    title: 'Borrowing',
    says:
      'Some of the seats may leave the house for two weeks and once for two more, and come back sooner if they are given back; the ' +
      'application needs no network then. The seat of one lost machine a year is there again at once.',
    choose: 'Field work, travel, networks that come and go.',
    terms: {
      quantity: 10,
      borrowing: { seats: 3, longest: 'P14D', extensions: 1, writeOffs: { count: 1, within: 'P365D' } },
    },
  },
  {
    name: 'overflow',
    title: 'Overflow',
    says: 'When all seats are taken some more are granted, marked as such and reported; nobody stands still.',
    choose: 'Customers whose peaks may be billed later.',
    terms: { quantity: 10, overdraft: { percent: 20 } },
  },
  {
    name: 'grace',
    title: 'Grace period',
    says: 'After its end it works on for some days, and says so.',
    choose: 'Orders that take their time.',
    terms: { quantity: 10, notAfter: IN_A_YEAR, grace: 'P30D' },
  },
  {
    name: 'cold-standby',
    title: 'Cold standby',
    says: 'A spare license: seven days from its first use, until the first one is there again.',
    choose: 'A safety net that is hardly ever used.',
    terms: { quantity: 10, usagePeriod: 'P7D', standby: 'cold' },
  },
  {
    name: 'hot-standby',
    title: 'Hot standby',
    says: 'A second pool for when the first cannot be reached; its minutes are counted.',
    choose: 'A second site that takes over at once.',
    terms: { quantity: 10, units: 10_000, seatTime: { every: 'PT1M' }, standby: 'hot' },
  },
  {
    name: 'high-availability',
    title: 'High availability',
    says: 'Three license servers vote: any one, and any TMR server, may fail, and nobody notices.',
    choose: 'What must not stop. Any preset is it, on five servers.',
    terms: { quantity: 10 },
  },
  {
    name: 'protection-only',
    title: 'Protection only',
    says: 'Nothing is counted; without the license nothing runs.',
    choose: 'Protecting software without selling seats.',
    terms: { quantity: 0 },
  },
  {
    name: 'site',
    title: 'Enterprise, site',
    says: 'Everybody on the site may use it; who does is shown, nobody is ever denied.',
    choose: 'Flat rates that should still be monitored.',
    terms: { quantity: 1, counting: ['uncounted'] },
  },
];

export function presetNamed(name: string): Preset | undefined {
  return PRESETS.find((preset) => preset.name === name);
}
