import {
  concatBytes,
  encodeCertificate,
  encodeGrantBundle,
  encodeOutcome,
  type GrantBundle,
  type LicenseErrorCode,
  type SigningKey,
  TAGS,
  toBase64url,
} from '@trefoil/license';
import {
  certifyOutcome,
  type Fixture,
  fixtureGrant,
  fixtureOutcome,
  GRANTED_UTC,
  seedKey,
} from '@trefoil/license/fixtures';
import {
  acme,
  bundleOf,
  type GrantVector,
  keyOfMember,
  mixed,
  rootJson,
  session,
  single,
  tokens,
  underTerms,
  withSignature,
} from './grants.ts';
import { changed, payloadText } from './jws.ts';
import { derForm } from './p256.ts';

export type Vectors = Record<string, GrantVector>;
type More = { at?: number; sessionKey?: string; root?: GrantVector['root'] };

export function invalid(
  why: LicenseErrorCode,
  description: string,
  bundle: GrantBundle | string,
  more: More & { by?: Fixture } = {},
): GrantVector {
  const { by = acme, ...rest } = more;
  const text = typeof bundle === 'string' ? bundle : encodeGrantBundle(bundle);
  return { description, root: rootJson(by.root.publicKey), ...rest, why, bundle: text };
}

/** The bundle that all of these were before something was done to them. */
export const good = bundleOf(acme);

const stranger = seedKey('stranger');

/** Votes, statements, outcomes and instants that a verifier has to refuse. */
export function invalidDecisions(): Vectors {
  return { ...votes(), ...statements(), ...signatures(), ...proofs(), ...instants() };
}

function votes(): Vectors {
  const by = (...voters: { member: number; key?: SigningKey }[]) => bundleOf(acme, { voters });
  return {
    'one-vote': invalid('not-enough-votes', 'one vote: a constituent tried alone', by({ member: 2 })),
    'no-vote': invalid('malformed', 'no vote', by()),
    'one-vote-twice': invalid('not-enough-votes', 'the same vote twice', by({ member: 2 }, { member: 2 })),
    'one-vote-under-two-names': invalid(
      'bad-signature',
      "member 1's vote, also shown as member 2's",
      by({ member: 1 }, { member: 2, key: keyOfMember(acme, 1) }),
    ),
    'votes-out-of-order': invalid(
      'not-enough-votes',
      'two good votes in descending order',
      by({ member: 3 }, { member: 1 }),
    ),
    'vote-of-a-stranger': invalid(
      'bad-signature',
      'the second vote is by a key that is in no configuration',
      by({ member: 1 }, { member: 3, key: stranger }),
    ),
    'vote-of-member-4': invalid(
      'malformed',
      'a member that cannot exist',
      by({ member: 1 }, { member: 4, key: stranger }),
    ),
    'vote-of-a-non-member': invalid(
      'not-a-member',
      'a second vote under a configuration of one',
      bundleOf(single, {
        license: single.license({ tmrId: 0 }),
        grant: { tmrId: 0 },
        voters: [{ member: 1 }, { member: 2, key: stranger }],
      }),
      { by: single },
    ),
    'third-vote-bad': invalid(
      'bad-signature',
      'two good votes and a bad one',
      by({ member: 1 }, { member: 2 }, { member: 3, key: stranger }),
    ),
    'four-votes': invalid('malformed', 'more votes than members', {
      ...good,
      certificate: good.certificate.with(136, 4),
    }),
  };
}

function statements(): Vectors {
  const accept = (changes: object) => bundleOf(acme, { accept: changes });
  const alteredAt = (place: number) => ({
    ...good,
    certificate: good.certificate.with(place, (good.certificate[place] as number) ^ 1),
  });
  return {
    'other-set': invalid('wrong-set', 'votes of another container set', accept({ set: single.set })),
    'other-configuration': invalid(
      'wrong-configuration',
      'votes under configuration version 2',
      accept({ configVersion: 2 }),
    ),
    'other-epoch': invalid('bad-signature', 'the votes are for another epoch', alteredAt(43)),
    'other-index': invalid('bad-signature', 'the votes are for another index', alteredAt(51)),
    'other-head': invalid('bad-signature', 'the votes are for another head', alteredAt(60)),
    'other-utc': invalid('bad-signature', 'the votes are for another time', alteredAt(135)),
    'votes-for-two-epochs': invalid('bad-signature', 'member 1 voted in epoch 14, member 3 in epoch 15', twoEpochs()),
    'wrong-tag': invalid(
      'malformed',
      'two good signatures over a statement under the tag of promises',
      underTag(TAGS.promise),
    ),
    'certificate-truncated': invalid('malformed', 'the last byte is missing', {
      ...good,
      certificate: good.certificate.subarray(0, -1),
    }),
    'certificate-extended': invalid('malformed', 'a byte behind the last vote', {
      ...good,
      certificate: concatBytes(good.certificate, Uint8Array.of(0)),
    }),
  };
}

function underTag(tag: Uint8Array): GrantBundle {
  const statement = concatBytes(tag, good.certificate.subarray(16, 136));
  const votes = ([1, 3] as const).map((member) => ({ member, signature: keyOfMember(acme, member).sign(statement) }));
  return { ...good, certificate: encodeCertificate({ statement, votes }) };
}

function twoEpochs(): GrantBundle {
  const later = bundleOf(acme, { accept: { epoch: 15 } });
  return { ...good, certificate: concatBytes(good.certificate.subarray(0, -65), later.certificate.subarray(-65)) };
}

function signatures(): Vectors {
  const order = Buffer.from('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010', 'hex');
  const plusOrder = (signature: Uint8Array): Uint8Array => {
    const sum = Uint8Array.from(signature);
    let carry = 0;
    for (let i = 0; i < 32; i++) {
      carry += (sum[32 + i] as number) + (order[i] as number);
      sum[32 + i] = carry & 0xff;
      carry >>= 8;
    }
    return sum;
  };
  const p256 = bundleOf(tokens);
  return {
    's-above-the-order': invalid(
      'bad-signature',
      'S + order instead of S: the same vote in another form',
      withSignature(good, 0, plusOrder),
    ),
    'small-order-key': invalid(
      'weak-key',
      'a container whose key is the identity, and a vote that fits every message',
      weakKey('01', 0),
    ),
    'small-order-key-with-sign': invalid('weak-key', 'the same with the sign bit set', weakKey('01', 0x80)),
    'key-not-canonical': invalid('weak-key', 'a key above the field prime', weakKey('ff', 0x7f)),
    'p256-altered': invalid(
      'bad-signature',
      'a P-256 vote with a bit changed',
      withSignature(p256, 1, (one) => one.with(40, (one[40] as number) ^ 1)),
      { by: tokens },
    ),
    'p256-zero': invalid(
      'bad-signature',
      'a P-256 vote of zeros',
      withSignature(p256, 1, () => new Uint8Array(64)),
      { by: tokens },
    ),
    'p256-in-der': invalid(
      'malformed',
      'P-256 votes in DER, as other standards have them',
      withSignature(p256, 0, derForm),
      { by: tokens },
    ),
    'p256-key-of-another-member': invalid(
      'bad-signature',
      'an Ed25519 vote in place of the P-256 one',
      bundleOf(mixed, { voters: [{ member: 1 }, { member: 2, key: keyOfMember(mixed, 1) }] }),
      { by: mixed },
    ),
  };
}

/** A configuration, properly signed, in which container 2's key is 32 bytes: `first`, then filled, with this last byte. */
function weakKey(first: string, last: number): GrantBundle {
  const fill = first === 'ff' ? 0xff : 0;
  const key = Uint8Array.of(Number.parseInt(first, 16), ...new Uint8Array(30).fill(fill), last);
  const { containers } = JSON.parse(payloadText(acme.configuration.text)) as { containers: object[] };
  const weak = containers.map((one, i) => (i === 1 ? { ...one, signingKey: toBase64url(key) } : one));
  const configuration = changed('trefoil-configuration', acme.configuration.text, { containers: weak }, acme.issuing);
  const identity = Uint8Array.of(1, ...new Uint8Array(63)); // R = identity, S = 0
  const forged: SigningKey = { publicKey: { alg: 'ed25519', bytes: key }, sign: () => identity };
  return { ...bundleOf(acme, { voters: [{ member: 1 }, { member: 2, key: forged }] }), configuration };
}

function proofs(): Vectors {
  const richer = encodeOutcome(fixtureOutcome(acme, [fixtureGrant(acme, acme.license(), session, { seats: 5 })]));
  const head = { commandHash: new Uint8Array(32), session: new Uint8Array(16), requestId: 1 };
  const other = seedKey('another session').publicKey.bytes;
  const grants = [fixtureGrant(acme, acme.license(), session), fixtureGrant(acme, acme.license(), other)];
  const certified = (outcome: Uint8Array) => ({ ...good, ...certifyOutcome(acme, outcome) });
  return {
    'outcome-not-under-the-root': invalid('wrong-proof', 'five seats written into the outcome of one', {
      ...good,
      outcome: richer,
    }),
    'outcome-truncated': invalid('wrong-proof', 'the last byte is missing', {
      ...good,
      outcome: good.outcome.subarray(0, -1),
    }),
    'outcome-extended': invalid('wrong-proof', 'a byte behind the outcome', {
      ...good,
      outcome: concatBytes(good.outcome, Uint8Array.of(0)),
    }),
    'outcome-truncated-and-certified': invalid(
      'malformed',
      'the votes are for an outcome that lacks its last byte',
      certified(good.outcome.subarray(0, -1)),
    ),
    'outcome-extended-and-certified': invalid(
      'malformed',
      'the votes are for an outcome with a byte too many',
      certified(concatBytes(good.outcome, Uint8Array.of(0))),
    ),
    'leaf-index': invalid('wrong-proof', 'another place in the tree', { ...good, leafIndex: 0 }),
    'leaf-index-above-the-count': invalid('wrong-proof', 'a place behind the last', { ...good, leafIndex: 3 }),
    'path-short': invalid('wrong-proof', 'a hash of the path is missing', { ...good, path: good.path.slice(1) }),
    'path-long': invalid('wrong-proof', 'a hash too many', { ...good, path: [...good.path, new Uint8Array(32)] }),
    'not-a-grant': invalid('wrong-proof', 'certified, but the outcome is "closed"', {
      ...certified(encodeOutcome({ ...head, kind: 'closed' })),
      licenses: [],
    }),
    'no-grant-at-all': invalid('wrong-proof', 'a renewal of nothing', {
      ...certified(encodeOutcome(fixtureOutcome(acme, [], 'renewed'))),
      licenses: [],
    }),
    'younger-than-its-votes': invalid(
      'wrong-proof',
      'issued a millisecond after the entry that decided it',
      bundleOf(acme, { grant: { issuedUtc: GRANTED_UTC + 1 } }),
    ),
    'younger-in-log-time': invalid(
      'wrong-proof',
      'issued later in log time',
      bundleOf(acme, { grant: { issuedLogTime: 1_000_001 } }),
    ),
    'two-sessions': invalid(
      'wrong-session',
      'grants of two sessions in one outcome',
      certified(encodeOutcome(fixtureOutcome(acme, grants))),
    ),
  };
}

function instants(): Vectors {
  const foreign = toBase64url(seedKey('another session').publicKey.bytes);
  return {
    expired: invalid('expired', 'asked at the very millisecond of its end', good, { at: GRANTED_UTC + 60_000 }),
    'expired-with-the-license': invalid(
      'expired',
      'the license ended before the life of the grant',
      underTerms({ terms: { quantity: 5, notAfter: '2026-11-02T00:00:10Z' } }, { notAfter: GRANTED_UTC + 10_000 }),
      { at: GRANTED_UTC + 10_000 },
    ),
    'expired-with-the-configuration': invalid(
      'expired',
      'issued after the end of the configuration',
      bundleOf(acme, { accept: { utc: Date.UTC(2027, 10, 1) }, grant: { issuedUtc: Date.UTC(2027, 10, 1) } }),
    ),
    'expired-when-certified-again': invalid(
      'expired',
      'certified again after its end',
      bundleOf(acme, { accept: { utc: GRANTED_UTC + 60_000, logTime: 1_060_000 } }),
    ),
    'before-its-issue': invalid('not-yet', 'asked a millisecond before it was given', good, { at: GRANTED_UTC - 1 }),
    'before-the-configuration': invalid('not-yet', 'asked before the configuration was issued', good, {
      at: Date.UTC(2026, 9, 1),
    }),
    'foreign-session-key': invalid('wrong-session', 'asked for another session', good, { sessionKey: foreign }),
  };
}
