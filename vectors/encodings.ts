import {
  type Command,
  concatBytes,
  encodeAccept,
  encodeCommand,
  encodeOutcome,
  encodePrepare,
  encodePromise,
  encodePropose,
  encodeRejoin,
  merklePath,
  merkleTree,
  type Outcome,
  sessionHandleOf,
  sessionIdOf,
  signCommand,
  TAGS,
  toBase64url,
} from '@trefoil/license';
import { fixtureGrant, fixtureOutcome, GRANTED_UTC, seedKey } from '@trefoil/license/fixtures';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { acme, session } from './grants.ts';

/** Named bytes and what they say; bytes in base64url, also inside. */
export interface EncodingVectors {
  readonly description: string;
  readonly valid: readonly { readonly name: string; readonly value: unknown; readonly bytes: string }[];
  readonly invalid: readonly {
    readonly name: string;
    readonly kind?: string;
    readonly why: string;
    readonly bytes: string;
  }[];
}

const fill = (byte: number, length: number): Uint8Array => new Uint8Array(length).fill(byte);

/** Byte fields as base64url, so that JSON can carry them. */
function jsonOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return toBase64url(value);
  if (Array.isArray(value)) return value.map(jsonOf);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, jsonOf(one)]));
}

function entry(name: string, value: object, bytes: Uint8Array) {
  return { name, value: jsonOf(value), bytes: toBase64url(bytes) };
}

function wrong(name: string, bytes: Uint8Array, kind?: string) {
  return { name, ...(kind !== undefined && { kind }), why: 'malformed', bytes: toBase64url(bytes) };
}

const cut = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, -1);
const extended = (bytes: Uint8Array): Uint8Array => concatBytes(bytes, Uint8Array.of(0));

export function statementVectors(): EncodingVectors {
  const head = { set: fill(1, 16), configVersion: 3, epoch: 14 };
  const accept = {
    ...head,
    index: 42,
    head: fill(2, 32),
    outcomesRoot: fill(3, 32),
    leafCount: 7,
    logTime: 1_000_000,
    utc: GRANTED_UTC,
  };
  const promise = {
    ...head,
    member: 2 as const,
    incarnations: [fill(4, 16), fill(5, 16), fill(6, 16)] as const,
    ...{ logEpoch: 13, lastIndex: 41, lastHead: fill(7, 32), nonce: fill(8, 16) },
  };
  const prepare = { ...head, clientsWait: true, nonce: fill(9, 16) };
  const propose = { ...head, index: 42, head: fill(2, 32) };
  const { set, configVersion } = head;
  const rejoin = { set, configVersion, member: 3 as const, incarnation: fill(10, 16), replaces: fill(11, 16) };
  const bytes = {
    accept: encodeAccept(accept),
    promise: encodePromise(promise),
    prepare: encodePrepare(prepare),
    rejoin: encodeRejoin(rejoin),
  };
  return {
    description: 'FORMATS §3: what servers sign',
    valid: [
      entry('accept', { kind: 'accept', ...accept }, bytes.accept),
      entry(
        'accept-largest',
        { kind: 'accept', ...accept, epoch: 2 ** 53 - 1 },
        encodeAccept({ ...accept, epoch: 2 ** 53 - 1 }),
      ),
      entry('promise', { kind: 'promise', ...promise }, bytes.promise),
      entry('prepare', { kind: 'prepare', ...prepare }, bytes.prepare),
      entry('rejoin', { kind: 'rejoin', ...rejoin }, bytes.rejoin),
      entry('propose', { kind: 'propose', ...propose }, encodePropose(propose)),
    ],
    invalid: [
      wrong('accept-truncated', cut(bytes.accept), 'accept'),
      wrong('accept-extended', extended(bytes.accept), 'accept'),
      wrong('accept-under-the-tag-of-promises', concatBytes(TAGS.promise, bytes.accept.subarray(16)), 'accept'),
      wrong(
        'accept-epoch-above-2^53',
        concatBytes(bytes.accept.subarray(0, 36), fill(0xff, 8), bytes.accept.subarray(44)),
        'accept',
      ),
      wrong('promise-of-member-4', bytes.promise.with(44, 4), 'promise'),
      wrong('promise-truncated', cut(bytes.promise), 'promise'),
      wrong('prepare-flag-2', bytes.prepare.with(44, 2), 'prepare'),
      wrong('rejoin-of-member-0', bytes.rejoin.with(36, 0), 'rejoin'),
      wrong('rejoin-that-replaces-nothing', bytes.rejoin.subarray(0, 53), 'rejoin'),
    ],
  };
}

export function merkleVectors(): object {
  const crypto = nodeCrypto();
  const leavesOf = (count: number) =>
    Array.from({ length: count }, (_, i) => Uint8Array.from({ length: i }, (_, k) => k + i));
  return {
    description: 'FORMATS §5.1: leaves in base64url; for each tree its root and the path of every leaf',
    trees: [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 17].map((count) => {
      const tree = merkleTree(crypto, leavesOf(count));
      return {
        leaves: leavesOf(count).map(toBase64url),
        root: toBase64url(tree.root),
        paths: leavesOf(count).map((_, index) => merklePath(tree, index).map(toBase64url)),
      };
    }),
  };
}

function commands(): Command[] {
  const key = seedKey('session');
  const inSession = { session: fill(1, 16), requestId: 7, lowestUnanswered: 5 };
  const open = {
    kind: 'open' as const,
    ...{ sessionKey: session, nonce: fill(2, 16), closeHash: fill(3, 32), atLogTime: 999_000 },
    ...{ user: 'ada', host: 'workstation-7', program: 'Zeichnung 工' },
  };
  const evict = {
    kind: 'evict',
    admin: fill(4, 16),
    nonce: fill(5, 16),
    atLogTime: 999_000,
    session: fill(1, 16),
    reason: 'left the company',
  } as const;
  const items = [
    { product: 'cad', feature: '', seats: 1 },
    { product: 'cad', feature: 'mesh', seats: 2, mode: 'station' },
  ] as const;
  return [
    signCommand(acme.set, open, key),
    { kind: 'renew', ...inSession, nonce: fill(9, 16) },
    { kind: 'acquire', ...inSession, releaseHash: fill(6, 32), items },
    { kind: 'release', ...inSession, hold: 2, secret: fill(7, 32) },
    signCommand(acme.set, { kind: 'consume', ...inSession, product: 'cad', feature: '', units: 250 }, key),
    { kind: 'close', ...inSession, secret: fill(8, 32) },
    signCommand(acme.set, evict, acme.admin),
    { kind: 'update', document: acme.update([acme.license()]) },
  ];
}

export function commandVectors(): EncodingVectors & {
  readonly set: string;
  readonly sessionId: string;
  readonly sessionHandle: string;
} {
  const list = commands();
  const id = sessionIdOf(acme.crypto, acme.set, list[0] as Extract<Command, { kind: 'open' }>);
  const bytesOf = (kind: Command['kind']): Uint8Array =>
    encodeCommand(list.find((one) => one.kind === kind) as Command);
  const [open, acquire, renew] = [bytesOf('open'), bytesOf('acquire'), bytesOf('renew')];
  const name = 1 + 32 + 16 + 32 + 8 + 2;
  return {
    description: 'FORMATS §4. Signatures are for the set below; sessionId and sessionHandle are those of the first one',
    set: toBase64url(acme.set),
    sessionId: toBase64url(id),
    sessionHandle: toBase64url(sessionHandleOf(acme.crypto, id)),
    valid: list.map((command) => entry(command.kind, command, encodeCommand(command))),
    invalid: [
      wrong('empty', new Uint8Array(0)),
      wrong('kind-0', renew.with(0, 0)),
      wrong('kind-9', renew.with(0, 9)),
      wrong('truncated', cut(renew)),
      wrong('extended', extended(renew)),
      wrong('request-id-0', renew.with(24, 0)),
      wrong('lowest-unanswered-above-request-id', renew.with(32, 8)),
      wrong('acquire-of-nothing', acquire.with(65, 0)),
      wrong('acquire-mode-6', acquire.with(acquire.length - 1, 6)),
      wrong('name-with-a-line-break', open.with(name, 0x0a)),
      wrong('name-not-utf8', open.with(name, 0xff)),
      wrong('update-not-utf8', Uint8Array.of(8, 0, 0, 0, 1, 0xff)),
    ],
  };
}

export function outcomeVectors(): EncodingVectors {
  const head = { commandHash: fill(1, 32), session: fill(2, 16), requestId: 7 };
  const grants = [
    fixtureGrant(acme, acme.license(), session),
    fixtureGrant(acme, acme.license(), session, { feature: 'mesh', mode: 'uncounted', notAfter: GRANTED_UTC + 1 }),
  ];
  const list: Outcome[] = [
    { ...head, kind: 'opened', logTime: 1_000, utc: GRANTED_UTC, timeoutMs: 60_000 },
    fixtureOutcome(acme, grants),
    fixtureOutcome(acme, grants.slice(0, 1), 'renewed'),
    { ...head, kind: 'released', hold: 2 },
    { ...head, kind: 'consumed', license: 'cad-1', version: 1, units: 250, remaining: 9_750 },
    { ...head, kind: 'closed' },
    {
      ...{ ...head, kind: 'denied', code: 'seats', product: 'cad', feature: '', quantity: 5, free: 0 },
      holders: [{ user: 'ada', host: 'workstation-7', sinceUtc: GRANTED_UTC, seats: 1 }],
    },
    { ...head, kind: 'refused', code: 'older-license', detail: 'cad-1 version 1; installed is 2' },
    { ...head, kind: 'evicted', reason: 'left the company', freeAtLogTime: 1_060_850 },
    { ...head, kind: 'updated', licenses: [{ license: 'cad-1', version: 2, product: 'cad', quantity: 6 }] },
    { ...head, kind: 'expired', hold: 2 },
    { ...head, kind: 'ended', why: 'silent' },
  ];
  const [released, denied] = [encodeOutcome(list[3] as Outcome), encodeOutcome(list[6] as Outcome)];
  return {
    description: 'FORMATS §5',
    valid: list.map((outcome) => entry(outcome.kind, outcome, encodeOutcome(outcome))),
    invalid: [
      wrong('empty', new Uint8Array(0)),
      wrong('kind-0', released.with(0, 0)),
      wrong('kind-13', released.with(0, 13)),
      wrong('truncated', cut(released)),
      wrong('extended', extended(released)),
      wrong('denial-8', denied.with(57, 8)),
      wrong('request-id-above-2^53', released.with(49, 0xff)),
    ],
  };
}
