import {
  type BorrowCommand,
  type Command,
  type ConsumeCommand,
  encodeCommand,
  type ExtendCommand,
  LIMITS,
  type OpenCommand,
  type RulesCommand,
  sessionHandleOf,
  sessionIdOf,
  signCommand,
  toBase64url,
  type UnnameCommand,
  type WriteOffCommand,
} from '@trefoil/license';
import { GRANTED_UTC, seedKey } from '@trefoil/license/fixtures';
import { cut, type EncodingVectors, entry, extended, fill, wrong } from './encodings.ts';
import { acme, session } from './grants.ts';

const key = seedKey('session');
const inSession = { session: fill(1, 16), requestId: 7, lowestUnanswered: 5 };
const openFields = {
  kind: 'open' as const,
  ...{ sessionKey: session, nonce: fill(2, 16), closeHash: fill(3, 32), atLogTime: 999_000 },
  ...{ user: 'ada', host: 'workstation-7', program: 'Zeichnung 工', address: '10.1.2.3', client: 2 },
};
const open = signCommand<OpenCommand>(acme.set, openFields, key);
const renew = { kind: 'renew', ...inSession, nonce: fill(9, 16), idleMs: 0 } as const;
const acquire = {
  kind: 'acquire',
  ...inSession,
  releaseHash: fill(6, 32),
  waitMs: 30_000,
  items: [
    { product: 'cad', feature: '', seats: 1 },
    { product: 'cad', feature: 'mesh', version: '7.2.1', releasedAt: GRANTED_UTC, seats: 2, mode: 'station' },
  ],
} as const;
const consume = signCommand<ConsumeCommand>(
  acme.set,
  { kind: 'consume', ...inSession, items: [{ product: 'cad', feature: '', count: 250 }] },
  key,
);
const borrow = signCommand<BorrowCommand>(
  acme.set,
  { kind: 'borrow', ...inSession, releaseHash: fill(6, 32), forMs: 14 * 86_400_000, items: acquire.items },
  key,
);
const extend = signCommand<ExtendCommand>(acme.set, { kind: 'extend', ...inSession, hold: 2, forMs: 60_000 }, key);
const byAdmin = { admin: fill(4, 16), nonce: fill(5, 16), atLogTime: 999_000 };
const evict = { kind: 'evict' as const, ...byAdmin, session: fill(1, 16), reason: 'left the company' };
const rules = signCommand<RulesCommand>(
  acme.set,
  {
    kind: 'rules',
    ...byAdmin,
    document: '{"format":1,"version":3,"rules":[{"rule":"deny","product":"cad","for":{"users":["gäste*"]}}]}',
  },
  acme.admin,
);
const unname = signCommand<UnnameCommand>(
  acme.set,
  { kind: 'unname', ...byAdmin, license: 'cad-1', name: 'Zoë Ångström' },
  acme.admin,
);

const LONGEST_VERSION = Array.from({ length: 4 }, () => '999999999').join('.');

/** Name → what is in it. The first of each kind has its name. */
function commands(): Record<string, Command> {
  const many = Array.from({ length: LIMITS.itemsPerAcquire }, (_, i) => ({ product: `p${i}`, feature: '', seats: 1 }));
  const used = [
    { product: 'cad', feature: 'mesh', version: '0.9', releasedAt: 1, count: 1 },
    { product: 'cam', feature: '', count: LIMITS.units },
  ];
  return {
    open,
    renew,
    acquire,
    release: { kind: 'release', ...inSession, hold: 2, secret: fill(7, 32) },
    consume,
    close: { kind: 'close', ...inSession, secret: fill(8, 32) },
    evict: signCommand(acme.set, evict, acme.admin),
    update: { kind: 'update', document: acme.update([acme.license()]) },
    reconfigure: {
      kind: 'reconfigure',
      document: acme.reconfiguration({ version: 2, generations: [0, 0, 1], licenses: [acme.license()] }),
    },
    rules,
    unname,
    borrow,
    extend,
    'write-off': signCommand<WriteOffCommand>(acme.set, { ...evict, kind: 'write-off' }, acme.admin),
    'borrow-for-the-longest': { ...borrow, forMs: LIMITS.borrowingMs },
    'open-saying-nothing': signCommand<OpenCommand>(
      acme.set,
      { ...openFields, user: '', host: '', program: '', address: '', client: 0 },
      key,
    ),
    'open-longest-address': signCommand<OpenCommand>(
      acme.set,
      { ...openFields, address: 'a'.repeat(45), client: 0xffff },
      key,
    ),
    'renew-idle-for-long': { ...renew, idleMs: 0xffff_ffff },
    'acquire-without-a-wait': { ...acquire, waitMs: 0 },
    'acquire-longest-wait': { ...acquire, waitMs: LIMITS.waitMs },
    'acquire-of-sixteen': { ...acquire, items: many },
    'acquire-longest-version': {
      ...acquire,
      items: [{ product: 'cad', feature: '', version: LONGEST_VERSION, releasedAt: LIMITS.units, seats: 0xffff_ffff }],
    },
    'consume-several': signCommand<ConsumeCommand>(acme.set, { kind: 'consume', ...inSession, items: used }, key),
  };
}

/** What no writer of ours writes: bent before it is encoded, or after. */
function wrongCommands() {
  const bent = (name: string, command: Command) => wrong(name, encodeCommand(command));
  const asked = (name: string, item: object) =>
    bent(name, { ...acquire, items: [{ product: 'cad', feature: '', seats: 1, ...item }] });
  const consumed = (name: string, items: readonly object[]) => bent(name, { ...consume, items } as Command);
  const item = { product: 'cad', feature: '', count: 1 };
  const seventeen = <T>(one: T): T[] => Array.from({ length: LIMITS.itemsPerAcquire + 1 }, () => one);
  const misspelled = ['07', '7.', '.7', '7..2', '7.2.1.0.1', '1000000000', 'v7', '7.2-beta', '7 ', '-7'];
  const bytes = { renew: encodeCommand(renew), open: encodeCommand(open), acquire: encodeCommand(acquire) };
  const user = 1 + 32 + 16 + 32 + 8 + 2;
  return [
    wrong('empty', new Uint8Array(0)),
    wrong('kind-0', bytes.renew.with(0, 0)),
    wrong('kind-255', bytes.renew.with(0, 255)),
    wrong('truncated', cut(bytes.renew)),
    wrong('extended', extended(bytes.renew)),
    bent('request-id-0', { ...renew, requestId: 0, lowestUnanswered: 0 }),
    bent('lowest-unanswered-above-request-id', { ...renew, lowestUnanswered: 8 }),
    bent('acquire-of-nothing', { ...acquire, items: [] }),
    bent('acquire-of-seventeen', { ...acquire, items: seventeen(acquire.items[0]) }),
    bent('acquire-waits-too-long', { ...acquire, waitMs: LIMITS.waitMs + 1 }),
    asked('acquire-of-no-seat', { seats: 0 }),
    wrong('acquire-mode-6', bytes.acquire.with(bytes.acquire.length - 1, 6)),
    asked('acquire-product-too-long', { product: 'x'.repeat(LIMITS.codeBytes + 1) }),
    asked('acquire-version-too-long', { version: `${LONGEST_VERSION}0` }),
    ...misspelled.map((version) => asked(`acquire-version-misspelled: ${version}`, { version })),
    wrong('acquire-released-above-2^53', withItemByte(bytes.acquire, 9, 0x20)),
    bent('borrow-for-no-time', { ...borrow, forMs: 0 }),
    bent('borrow-for-too-long', { ...borrow, forMs: LIMITS.borrowingMs + 1 }),
    bent('borrow-of-nothing', { ...borrow, items: [] }),
    bent('extend-for-no-time', { ...extend, forMs: 0 }),
    consumed('consume-of-nothing', []),
    consumed('consume-of-seventeen', seventeen(item)),
    consumed('consume-0-times', [{ ...item, count: 0 }]),
    consumed('consume-version-misspelled', [{ ...item, version: '7.01' }]),
    bent('open-address-too-long', { ...open, address: 'a'.repeat(LIMITS.addressBytes + 1) }),
    bent('open-address-with-an-escape', { ...open, address: '\u001b[2J' }),
    bent('name-turns-the-direction', { ...open, user: '\u202eada' }),
    bent('name-isolates-the-direction', { ...open, host: 'a\u2066b' }),
    bent('name-with-a-line-separator', { ...open, program: 'a\u2028b' }),
    wrong('name-with-a-line-break', bytes.open.with(user, 0x0a)),
    wrong('name-not-utf8', bytes.open.with(user, 0xff)),
    wrong('update-not-utf8', Uint8Array.of(8, 0, 0, 0, 1, 0xff)),
    wrong('reconfigure-not-utf8', Uint8Array.of(14, 0, 0, 0, 1, 0xff)),
    wrong('rules-not-utf8', encodeCommand(rules).with(1 + 16 + 16 + 8 + 4, 0xff)),
    wrong('rules-too-long', encodeCommand(rules).with(1 + 16 + 16 + 8 + 1, 0x02)),
    bent('unname-with-an-escape', { ...unname, name: '\u001b[2J' }),
    bent('unname-license-too-long', { ...unname, license: 'x'.repeat(LIMITS.codeBytes + 1) }),
  ];
}

/** The acquire's first item begins behind its count: product `cad`, no feature, no version, so the release date is at 9. */
function withItemByte(acquireBytes: Uint8Array, at: number, byte: number): Uint8Array {
  const firstItem = 1 + 16 + 8 + 8 + 32 + 4 + 1;
  return acquireBytes.with(firstItem + at, byte);
}

export function commandVectors(): EncodingVectors & {
  readonly set: string;
  readonly sessionId: string;
  readonly sessionHandle: string;
} {
  const id = sessionIdOf(acme.crypto, acme.set, open);
  return {
    description: 'FORMATS §4. Signatures are for the set below; sessionId and sessionHandle are those of the first one',
    set: toBase64url(acme.set),
    sessionId: toBase64url(id),
    sessionHandle: toBase64url(sessionHandleOf(acme.crypto, id)),
    valid: Object.entries(commands()).map(([name, command]) => entry(name, command, encodeCommand(command))),
    invalid: wrongCommands(),
  };
}
