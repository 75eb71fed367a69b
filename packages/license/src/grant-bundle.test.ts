import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concatBytes, encodeUtf8, toBase64url } from './bytes.ts';
import {
  certifyOutcome,
  fixture,
  type Fixture,
  fixtureBundle,
  fixtureGrant,
  fixtureOutcome,
  GRANTED_UTC,
  type LicenseOptions,
  seedKey,
} from './fixtures.ts';
import { decodeGrantBundle, encodeGrantBundle, type GrantBundle, verifyGrant } from './grant-bundle.ts';
import { type Grant } from './outcome-parts.ts';
import { encodeOutcome } from './outcomes.ts';

const one = fixture();
const single = fixture('single', 1);
const session = seedKey('session').publicKey.bytes;
const license = one.license();
const good = fixtureBundle(one, { license, sessionKey: session });
const refused = (code: string, message?: RegExp) => ({ name: 'LicenseError', code, ...(message && { message }) });

type Expected = Parameters<typeof verifyGrant>[3];
const verify = (bundle: GrantBundle, expected?: Expected, by: Fixture = one) =>
  verifyGrant(by.crypto, by.root.publicKey, decodeGrantBundle(encodeGrantBundle(bundle)), expected);

/** A bundle of one grant under a license of these terms, the grant as given. */
function under(
  options: LicenseOptions,
  grant: Partial<Grant> = {},
  kind: 'granted' | 'renewed' = 'granted',
): GrantBundle {
  return fixtureBundle(one, { license: one.license(options), sessionKey: session, grant, kind });
}

describe('a grant is accepted', () => {
  test('from the root key down, and says what it gives until when', () => {
    const verified = verify(good, { sessionKey: session });
    assert.equal(verified.grants[0]?.user, 'ada');
    assert.equal(verified.licenses[0]?.id, 'cad-1');
    assert.equal(verified.validUntilUtc, GRANTED_UTC + 60_000);
    assert.equal(verified.accept.index, 42);
  });

  test('from its issue to its end, not a millisecond more', () => {
    verify(good, { at: GRANTED_UTC });
    verify(good, { at: GRANTED_UTC + 59_999 });
    assert.throws(() => verify(good, { at: GRANTED_UTC + 60_000 }), refused('expired'));
    assert.throws(() => verify(good, { at: GRANTED_UTC - 1 }), refused('not-yet', /not been given yet/));
    assert.throws(() => verify(good, { at: Number.NaN }), refused('expired'));
    assert.throws(() => verify(good, { at: 0 }), refused('not-yet', /configuration was not valid yet/));
    const early = Date.UTC(2026, 10, 1); // the configuration's first moment
    assert.throws(() => verify(good, { at: early }), refused('not-yet', /not been given yet/));
    const grants = [0, 1_000].map((later) => fixtureGrant(one, license, session, { issuedUtc: GRANTED_UTC - later }));
    const both = { ...good, ...certifyOutcome(one, encodeOutcome(fixtureOutcome(one, grants))) };
    assert.throws(() => verify(both, { at: GRANTED_UTC - 1 }), refused('not-yet', /not been given yet/));
    verify(both, { at: GRANTED_UTC });
  });

  test('with several licenses in one outcome, each under its own', () => {
    const other = one.license({ id: 'mesh-1', product: 'mesh', terms: { quantity: 2 } });
    const grants = [
      fixtureGrant(one, license, session),
      fixtureGrant(one, other, session, { license: 'mesh-1', product: 'mesh', lifeMs: 20_000 }),
    ];
    const bundle = {
      ...good,
      ...certifyOutcome(one, encodeOutcome(fixtureOutcome(one, grants))),
      licenses: [other, license],
    };
    const verified = verify(bundle);
    assert.deepEqual(
      verified.licenses.map((each) => each.id),
      ['cad-1', 'mesh-1'],
    );
    assert.equal(verified.validUntilUtc, GRANTED_UTC + 20_000);
  });

  test('when it was certified again later, as for a repeated request', () => {
    const again = fixtureBundle(one, {
      license,
      sessionKey: session,
      accept: { utc: GRANTED_UTC + 5_000, logTime: 1_005_000 },
    });
    assert.equal(verify(again).validUntilUtc, GRANTED_UTC + 60_000);
  });

  test('of a single server, when its license is no TMR license', () => {
    const text = single.license({ tmrId: 0 });
    verify(fixtureBundle(single, { license: text, sessionKey: session, grant: { tmrId: 0 } }), {}, single);
  });

  test('no longer than the license, the feature or the configuration', () => {
    const notAfter = '2026-11-02T00:00:10Z';
    const ending = under({ terms: { quantity: 5, notAfter } }, { notAfter: GRANTED_UTC + 10_000 });
    assert.equal(verify(ending).validUntilUtc, GRANTED_UTC + 10_000);
    const late = Date.UTC(2027, 10, 1) - 1_000;
    const atEnd = fixtureBundle(one, {
      license,
      sessionKey: session,
      accept: { utc: late },
      grant: { issuedUtc: late },
    });
    assert.equal(verify(atEnd).validUntilUtc, late + 1_000);
  });
});

describe('a grant is refused: votes', () => {
  const votes = (voters: readonly { member: number; key?: ReturnType<typeof seedKey> }[]) =>
    fixtureBundle(one, { license, sessionKey: session, voters });

  test('one vote, one vote twice, a vote of a stranger', () => {
    assert.throws(() => verify(votes([{ member: 2 }])), refused('not-enough-votes', /1 of 2/));
    assert.throws(() => verify(votes([{ member: 2 }, { member: 2 }])), refused('not-enough-votes', /twice/));
    const copied = [{ member: 1 }, { member: 2, key: one.containers[0] as ReturnType<typeof seedKey> }];
    assert.throws(() => verify(votes(copied)), refused('bad-signature'));
    assert.throws(
      () => verify(votes([{ member: 1 }, { member: 3, key: seedKey('stranger') }])),
      refused('bad-signature'),
    );
    assert.throws(
      () => verify(votes([{ member: 1 }, { member: 4 }].map((voter) => ({ ...voter, key: seedKey('x') })))),
      refused('malformed'),
    );
  });

  test('of another set, configuration, epoch, index or tag', () => {
    const accept = (changes: object) => fixtureBundle(one, { license, sessionKey: session, accept: changes });
    assert.throws(() => verify(accept({ set: single.set })), refused('wrong-set'));
    assert.throws(() => verify(accept({ configVersion: 2 })), refused('wrong-configuration'));
    for (const place of [43, 51, 83, 127, 135]) {
      // epoch, index, head and times are signed: changed afterwards, no vote fits
      const certificate = good.certificate.with(place, (good.certificate[place] as number) ^ 1);
      assert.throws(() => verify({ ...good, certificate }), refused('bad-signature'));
    }
    assert.throws(
      () => verify({ ...good, certificate: good.certificate.with(10, 0x62) }),
      refused('malformed', /wrong tag/),
    );
  });

  test('cut or extended', () => {
    assert.throws(
      () => verify({ ...good, certificate: good.certificate.subarray(0, -1) }),
      refused('malformed', /truncated/),
    );
    assert.throws(
      () => verify({ ...good, certificate: concatBytes(good.certificate, Uint8Array.of(0)) }),
      refused('malformed', /too many/),
    );
    assert.throws(() => verify({ ...good, outcome: good.outcome.subarray(0, -1) }), refused('wrong-proof'));
    assert.throws(
      () => verify({ ...good, outcome: concatBytes(good.outcome, Uint8Array.of(0)) }),
      refused('wrong-proof'),
    );
  });
});

describe('a grant is refused: outcome', () => {
  test('not under the root, or at another place', () => {
    assert.throws(() => verify({ ...good, leafIndex: 0 }), refused('wrong-proof', /not under the certified root/));
    assert.throws(() => verify({ ...good, path: good.path.slice(1) }), refused('wrong-proof'));
    const richer = encodeOutcome(fixtureOutcome(one, [fixtureGrant(one, license, session, { seats: 500 })]));
    assert.throws(() => verify({ ...good, outcome: richer }), refused('wrong-proof'));
  });

  test('certified, but no grant', () => {
    const head = { commandHash: new Uint8Array(32), session: new Uint8Array(16), requestId: 1 };
    const closed = { ...good, ...certifyOutcome(one, encodeOutcome({ ...head, kind: 'closed' })), licenses: [] };
    assert.throws(() => verify(closed), refused('wrong-proof', /"closed", not a grant/));
    const nothing = {
      ...good,
      ...certifyOutcome(one, encodeOutcome(fixtureOutcome(one, [], 'renewed'))),
      licenses: [],
    };
    assert.throws(() => verify(nothing), refused('wrong-proof', /grants nothing/));
    const garbage = { ...good, ...certifyOutcome(one, encodeUtf8('garbage')) };
    assert.throws(() => verify(garbage), refused('malformed'));
  });

  test('of another session, another command, or younger than its votes', () => {
    const other = seedKey('another session').publicKey.bytes;
    assert.throws(() => verify(good, { sessionKey: other }), refused('wrong-session'));
    assert.throws(() => verify(good, { commandHash: new Uint8Array(32) }), refused('wrong-command'));
    const grants = [fixtureGrant(one, license, session), fixtureGrant(one, license, other)];
    const mixed = { ...good, ...certifyOutcome(one, encodeOutcome(fixtureOutcome(one, grants))) };
    assert.throws(() => verify(mixed), refused('wrong-session'));
    const young = fixtureBundle(one, { license, sessionKey: session, grant: { issuedUtc: GRANTED_UTC + 1 } });
    assert.throws(() => verify(young), refused('wrong-proof', /younger/));
  });
});

describe('a grant is refused: license', () => {
  test('of another vendor, altered, missing, or beside others', () => {
    const foreign = fixture('globex');
    assert.throws(() => verifyGrant(one.crypto, foreign.root.publicKey, good), refused('unknown-key'));
    assert.throws(() => verify({ ...good, licenses: [foreign.license()] }), refused('unknown-key'));
    const altered = license.replace('.', '.e30');
    assert.throws(() => verify({ ...good, licenses: [altered] }), refused('malformed'));
    assert.throws(
      () => verify({ ...good, licenses: [] }),
      refused('wrong-license', /"cad-1" that was granted is not in the bundle/),
    );
    assert.throws(() => verify({ ...good, licenses: [one.license({ version: 2 })] }), refused('wrong-license'));
    assert.throws(() => verify({ ...good, licenses: [license, license] }), refused('wrong-license', /twice/));
    assert.throws(
      () => verify({ ...good, licenses: [license, one.license({ id: 'gold' })] }),
      refused('wrong-license', /nothing was granted/),
    );
  });

  test('of another container set', () => {
    assert.throws(() => verify(under({ set: single.set })), refused('wrong-set'));
  });

  test('with a TMR ID under threshold 1: one constituent alone', () => {
    const bundle = fixtureBundle(single, { license: single.license(), sessionKey: session });
    assert.throws(() => verify(bundle, {}, single), refused('needs-two-votes'));
  });

  test('that does not give what was granted', () => {
    const features = [{ name: 'mesh', quantity: 2, notAfter: '2026-12-01T00:00:00Z' }];
    const end = Date.UTC(2026, 11, 1);
    const cases: readonly (readonly [LicenseOptions, Partial<Grant>, RegExp])[] = [
      [{}, { license: 'cad-2' }, /not the one that was granted/],
      [{}, { version: 2 }, /not the one that was granted/],
      [{}, { product: 'cam' }, /does not fit/],
      [{}, { tmrId: 2 }, /does not fit/],
      [{}, { seats: 0 }, /gave no seat/],
      [{}, { seats: 6 }, /has fewer seats/],
      [{}, { feature: 'mesh' }, /has no feature "mesh"/],
      [{}, { mode: 'station' }, /does not allow counting by station/],
      [{}, { lifeMs: 60_001 }, /allows no such life/],
      [{ terms: { quantity: 5, offlineGraceSeconds: 30 } }, {}, /allows no such life/],
      [{ terms: { quantity: 5, notBefore: '2026-11-03T00:00:00Z' } }, {}, /was not valid yet/],
      [{ terms: { quantity: 5, notAfter: '2026-12-01T00:00:00Z' } }, {}, /ends before the grant/],
      [{ terms: { quantity: 5, notAfter: '2026-12-01T00:00:00Z' } }, { notAfter: end + 1 }, /ends before the grant/],
      [{ terms: { quantity: 5, features } }, { feature: 'mesh', notAfter: end, seats: 3 }, /has fewer seats/],
      [{ terms: { quantity: 5, features } }, { feature: 'mesh' }, /ends before the grant/],
    ];
    for (const [options, grant, message] of cases)
      assert.throws(() => verify(under(options, grant)), refused('wrong-license', message), JSON.stringify(grant));
    verify(under({ terms: { quantity: 5, features } }, { feature: 'mesh', notAfter: end, seats: 2 }));
    const two = [{ name: 'first', quantity: 1 }, ...features];
    verify(under({ terms: { quantity: 5, features: two } }, { feature: 'mesh', notAfter: end, seats: 2 }));
    assert.throws(
      () => verify(under({ terms: { quantity: 5, features: two } }, { feature: 'other' })),
      refused('wrong-license'),
    );
    verify(under({ terms: { quantity: 5, notBefore: '2026-11-02T00:00:00Z' } })); // from that very moment
    verify(under({ terms: { quantity: 0 } }, { seats: 500 }));
    verify(under({ terms: { quantity: 5, counting: ['uncounted'] } }, { seats: 500, mode: 'uncounted' }));
  });

  test('but a renewed seat outlives an update that took its feature away, up to the end of the license', () => {
    const older = { seats: 9, feature: 'gone', mode: 'user', lifeMs: 90_000 } as const;
    verify(under({}, older, 'renewed'));
    assert.throws(() => verify(under({}, older, 'granted')), refused('wrong-license'));
    assert.throws(() => verify(under({}, { lifeMs: 86_400_001 }, 'renewed')), refused('wrong-license', /no such life/));
    verify(under({}, { lifeMs: 86_400_000 }, 'renewed'));
    const ended = under({ terms: { quantity: 5, notAfter: '2026-12-01T00:00:00Z' } }, older, 'renewed');
    assert.throws(() => verify(ended), refused('wrong-license', /ends before the grant/));
  });
});

describe('a grant under the options of its license', () => {
  const last = GRANTED_UTC - 12 * 3_600_000;
  const day = 86_400_000;
  const graced = { quantity: 5, notAfter: '2026-11-01T12:00:00Z', grace: 'P1D' };
  const features = [
    { name: 'inner', within: 'middle' },
    { name: 'middle', within: 'outer', tokens: 2 },
    { name: 'outer', quantity: 2, notBefore: '2026-11-02T00:00:00Z' },
    { name: 'later', notBefore: '2026-11-02T00:00:01Z' },
    { name: 'within-later', within: 'later' },
  ];
  const nested = { quantity: 5, features };
  const kinds = ['granted', 'renewed'] as const;

  test('after its end: flagged, and no longer than its grace', () => {
    for (const kind of kinds) {
      const grant = (more: Partial<Grant>) =>
        under({ terms: graced }, { flags: 1, notAfter: last + day, ...more }, kind);
      assert.equal(verify(grant({})).validUntilUtc, GRANTED_UTC + 60_000);
      assert.throws(() => verify(grant({ flags: 0 })), refused('wrong-license', /had ended/));
      assert.throws(() => verify(grant({ flags: 6 })), refused('wrong-license', /had ended/));
      assert.throws(
        () => verify(grant({ notAfter: last + day + 1 })),
        refused('wrong-license', /ends before the grant/),
      );
      assert.throws(() => verify(grant({ notAfter: 0 })), refused('wrong-license', /ends before the grant/));
    }
    const now = { quantity: 5, notAfter: '2026-11-02T00:00:00Z', grace: 'P1D' };
    assert.throws(
      () => verify(under({ terms: now }, { notAfter: GRANTED_UTC + day })),
      refused('wrong-license', /had ended/),
    );
    const soon = { ...now, notAfter: '2026-11-02T00:00:01Z' };
    verify(under({ terms: soon }, { notAfter: GRANTED_UTC + 1_000 + day }));
    const without = { quantity: 5, notAfter: '2026-11-02T00:00:00Z' };
    assert.throws(() => verify(under({ terms: without }, { flags: 1, notAfter: GRANTED_UTC })), refused('expired'));
  });

  test('with a usage period: some end there is', () => {
    const terms = { quantity: 5, usagePeriod: 'P30D' };
    for (const kind of kinds) {
      assert.throws(() => verify(under({ terms }, {}, kind)), refused('wrong-license', /ends before the grant/));
      assert.equal(verify(under({ terms }, { notAfter: GRANTED_UTC + 5 }, kind)).validUntilUtc, GRANTED_UTC + 5);
    }
    const both = { ...terms, notAfter: '2026-11-03T00:00:00Z' };
    verify(under({ terms: both }, { notAfter: GRANTED_UTC + day }));
    assert.throws(() => verify(under({ terms: both }, { notAfter: GRANTED_UTC + day + 1 })), refused('wrong-license'));
  });

  test('beyond the quantity: flagged, and only so far', () => {
    const terms = { quantity: 5, overdraft: { percent: 21 }, features: [{ name: 'a', quantity: 2 }] };
    verify(under({ terms }, { seats: 7, flags: 2 })); // 21 percent of five, rounded up
    for (const grant of [
      { seats: 8, flags: 2 },
      { seats: 6 },
      { seats: 6, flags: 5 },
      { feature: 'a', seats: 3, flags: 2 },
    ])
      assert.throws(() => verify(under({ terms }, grant)), refused('wrong-license', /has fewer seats/));
    verify(under({ terms }, { seats: 8 }, 'renewed'));
  });

  test('of a feature within others: their begin, tokens and quantities hold', () => {
    verify(under({ terms: nested }, { feature: 'inner', seats: 2 })); // four tokens of five, two seats of two
    assert.throws(() => verify(under({ terms: nested }, { feature: 'inner', seats: 3 })), refused('wrong-license'));
    const wide = { ...nested, quantity: 50 };
    assert.throws(() => verify(under({ terms: wide }, { feature: 'inner', seats: 3 })), refused('wrong-license'));
    for (const feature of ['later', 'within-later'])
      assert.throws(() => verify(under({ terms: nested }, { feature })), refused('wrong-license', /was not valid yet/));
    const counting = ['uncounted'];
    verify(under({ terms: { ...nested, counting } }, { feature: 'inner', seats: 500, mode: 'uncounted' }));
  });
});

describe('a bundle as a file', () => {
  const text = encodeGrantBundle(good);
  const decode = (input: string) => decodeGrantBundle(input);

  test('is read as it was written', () => {
    assert.equal(encodeGrantBundle(decode(text)), text);
  });

  test('is refused with anything more, less, twice or misspelled', () => {
    const object = JSON.parse(text) as Record<string, unknown>;
    const changed = (changes: object) => JSON.stringify({ ...object, ...changes });
    assert.throws(() => decode(changed({ format: 'trefoil-grant-2' })), refused('malformed', /format is not one of/));
    assert.throws(() => decode(changed({ comment: 'x' })), refused('malformed', /unknown field "comment"/));
    assert.throws(() => decode(changed({ path: undefined })), refused('malformed', /path is not a list/));
    assert.throws(
      () => decode(text.replace('{', '{"leafIndex":0,')),
      refused('malformed', /duplicate key "leafIndex"/),
    );
    assert.throws(
      () => decode(changed({ path: [toBase64url(new Uint8Array(31))] })),
      refused('malformed', /path\[0\] is not a hash/),
    );
    assert.throws(() => decode(changed({ leafIndex: 2 ** 20 })), refused('malformed', /leafIndex/));
    assert.throws(() => decode(changed({ leafIndex: -1 })), refused('malformed', /leafIndex/));
    assert.throws(
      () => decode(changed({ certificate: `${object['certificate'] as string}==` })),
      refused('malformed', /base64url/),
    );
    assert.throws(() => decode(`${text}\n{}`), refused('malformed', /trailing/));
    assert.throws(() => decode(text.slice(0, -1)), refused('malformed'));
    assert.throws(() => decode(' '.repeat(600_000)), refused('malformed', /bytes/));
  });
});
