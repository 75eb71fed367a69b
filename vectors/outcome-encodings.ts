import { DENIAL_CODES, encodeOutcome, LIMITS, type Outcome, REFUSAL_CODES } from '@trefoil/license';
import { fixtureGrant, fixtureOutcome, GRANTED_UTC } from '@trefoil/license/fixtures';
import { cut, type EncodingVectors, entry, extended, fill, wrong } from './encodings.ts';
import { acme, session } from './grants.ts';

const head = { commandHash: fill(1, 32), session: fill(2, 16), requestId: 7 };
const grants = [
  fixtureGrant(acme, acme.license(), session),
  fixtureGrant(acme, acme.license(), session, { feature: 'mesh', mode: 'uncounted', notAfter: GRANTED_UTC + 1 }),
];
const part = { item: 0, license: 'cad-1', version: 1, units: 250, left: 9_750 };
const queued = { ...head, kind: 'queued', place: 4, untilLogTime: 1_030_000, renewWithinMs: 60_000 } as const;
const released = { ...head, kind: 'released', hold: 2 } as const;
const holder = { user: 'ada', host: 'workstation-7', sinceUtc: GRANTED_UTC, seats: 1, idleMs: 0, untilUtc: 0 };
const denied: Extract<Outcome, { kind: 'denied' }> = {
  ...head,
  kind: 'denied',
  code: 'seats',
  ...{ product: 'cad', feature: '', quantity: 5, free: 0, waiting: 3, at: 0, detail: '' },
  holders: [holder],
};
const renewed: Extract<Outcome, { kind: 'renewed' }> = {
  ...head,
  kind: 'renewed',
  logTime: 1_000_000,
  grants: grants.slice(0, 1),
  waiting: [
    { hold: 3, place: 1 },
    { hold: 5, place: 12 },
  ],
};

const granted = (other: object) => fixtureOutcome(acme, [fixtureGrant(acme, acme.license(), session, other)]);

/** Name → what is in it. The first of each kind has its name. */
function outcomes(): Record<string, Outcome> {
  const flagged = grants.map((grant, i) => ({ ...grant, item: 15 * i, flags: 3 + 12 * i }));
  return {
    opened: { ...head, kind: 'opened', logTime: 1_000, utc: GRANTED_UTC, timeoutMs: 60_000 },
    granted: fixtureOutcome(acme, grants),
    renewed: fixtureOutcome(acme, grants.slice(0, 1), 'renewed'),
    released,
    consumed: { ...head, kind: 'consumed', parts: [part] },
    closed: { ...head, kind: 'closed' },
    denied,
    refused: { ...head, kind: 'refused', code: 'older-license', detail: 'cad-1 version 1; installed is 2' },
    evicted: { ...head, kind: 'evicted', reason: 'left the company', freeAtLogTime: 1_060_850 },
    updated: {
      ...head,
      kind: 'updated',
      licenses: [
        {
          ...{ license: 'cad-1', version: 2, product: 'cad', quantity: 6 },
          ...{ used: 3, borrowed: 1, unitsUsed: 250, firstUseUtc: GRANTED_UTC },
        },
      ],
    },
    expired: { ...head, kind: 'expired', hold: 2 },
    ended: { ...head, kind: 'ended', why: 'silent' },
    queued,
    unserved: { ...head, kind: 'unserved', hold: 2 },
    ruled: { ...head, kind: 'ruled', version: 3, rules: 1 },
    reconfigured: { ...head, kind: 'reconfigured', version: 2, member: 3 },
    'reconfigured-nobody-new': { ...head, kind: 'reconfigured', version: 3, member: 0 },
    unnamed: { ...head, kind: 'unnamed', license: 'cad-1', name: 'Zoë Ångström' },
    'granted-with-flags': fixtureOutcome(acme, flagged),
    'renewed-with-what-waits': renewed,
    'renewed-nothing-but-what-waits': { ...renewed, grants: [] },
    'consumed-of-several': {
      ...head,
      kind: 'consumed',
      parts: [
        part,
        { ...part, license: 'cad-2', units: 1, left: LIMITS.units },
        { ...part, item: 15, license: 'cam-1', left: 0 },
      ],
    },
    'denied-until': { ...denied, code: 'not-yet', waiting: 0, at: GRANTED_UTC + 1, holders: [] },
    'denied-with-a-detail': { ...denied, code: 'version', waiting: 0, detail: '5.0 to 7', holders: [] },
    'denied-for-who-does-not-use-it': { ...denied, holders: [{ ...holder, idleMs: 0xffff_ffff }] },
    'denied-for-who-has-borrowed-it': { ...denied, holders: [{ ...holder, untilUtc: GRANTED_UTC + 86_400_000 }] },
    'granted-borrowed': granted({ lifeMs: LIMITS.borrowingMs, flags: 8 }),
    'ended-evicted': { ...head, kind: 'ended', why: 'evicted' },
  };
}

export function outcomeVectors(): EncodingVectors {
  const list = outcomes();
  const bent = (name: string, outcome: Outcome) => wrong(name, encodeOutcome(outcome));
  const granted = (name: string, other: object) =>
    bent(name, fixtureOutcome(acme, [fixtureGrant(acme, acme.license(), session, other)]));
  const bytes = {
    released: encodeOutcome(released),
    denied: encodeOutcome(denied),
    refused: encodeOutcome(list['refused'] as Outcome),
    ended: encodeOutcome(list['ended'] as Outcome),
    renewed: encodeOutcome(renewed),
    reconfigured: encodeOutcome(list['reconfigured'] as Outcome),
  };
  const code = 1 + 32 + 16 + 8;
  return {
    description: 'FORMATS §5',
    valid: Object.entries(list).map(([name, outcome]) => entry(name, outcome, encodeOutcome(outcome))),
    invalid: [
      wrong('empty', new Uint8Array(0)),
      wrong('kind-0', bytes.released.with(0, 0)),
      wrong('kind-255', bytes.released.with(0, 255)),
      wrong('truncated', cut(bytes.released)),
      wrong('extended', extended(bytes.released)),
      wrong(`denial-${DENIAL_CODES.length}`, bytes.denied.with(code, DENIAL_CODES.length)),
      wrong(`refusal-${REFUSAL_CODES.length}`, bytes.refused.with(code, REFUSAL_CODES.length)),
      wrong('ended-why-2', bytes.ended.with(code, 2)),
      wrong('request-id-above-2^53', bytes.released.with(code - 8, 0xff)),
      granted('granted-flags-16', { flags: 16 }),
      granted('granted-flags-255', { flags: 255 }),
      granted('granted-item-16', { item: 16 }),
      bent('consumed-item-16', { ...head, kind: 'consumed', parts: [{ ...part, item: 16 }] }),
      wrong('renewed-without-what-waits', bytes.renewed.subarray(0, -2 - 2 * 12)),
      wrong('renewed-with-one-too-few', bytes.renewed.subarray(0, -12)),
      bent('renewed-place-0', { ...renewed, waiting: [{ hold: 3, place: 0 }] }),
      bent('queued-place-0', { ...queued, place: 0 }),
      wrong('reconfigured-member-4', bytes.reconfigured.with(bytes.reconfigured.length - 1, 4)),
      bent('unnamed-name-too-long', {
        ...head,
        kind: 'unnamed',
        license: 'cad-1',
        name: 'x'.repeat(LIMITS.nameBytes + 1),
      }),
      bent('denied-detail-too-long', { ...denied, detail: 'x'.repeat(LIMITS.reasonBytes + 1) }),
    ],
  };
}
