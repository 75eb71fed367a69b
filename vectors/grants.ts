import {
  decodeCertificate,
  encodeCertificate,
  encodeGrantBundle,
  encodeOutcome,
  type Grant,
  type GrantBundle,
  type PublicKey,
  type SigningKey,
  toBase64url,
} from '@trefoil/license';
import {
  certifyOutcome,
  type CertifyOptions,
  type Fixture,
  fixture,
  fixtureBundle,
  fixtureGrant,
  fixtureOutcome,
  GRANTED_UTC,
  type LicenseOptions,
  seedKey,
} from '@trefoil/license/fixtures';
import { otherForm, seedP256Key } from './p256.ts';

/** One case: a bundle's file and what a verifier is asked about it. */
export interface GrantVector {
  readonly description: string;
  /** The vendor's root public key, pinned in the application. */
  readonly root: { readonly alg: string; readonly key: string };
  /** The instant in question, ms since 1970; absent = that of the certificate. */
  readonly at?: number;
  /** The session that has to hold the grant; absent = any. */
  readonly sessionKey?: string;
  /** Valid ones: until when, ms since 1970. */
  readonly validUntilUtc?: number;
  /** Invalid ones: the code of the refusal. */
  readonly why?: string;
  /** The file's text. */
  readonly bundle: string;
}

export const acme = fixture();
export const single = fixture('single', 1);
export const tokens = fixture('tokens', 2, seedP256Key);
/** Containers of both kinds in one set: a software container, a token, a software container. */
export const mixed = fixture('mixed', 2, (name) => (name.endsWith('container 2') ? seedP256Key(name) : seedKey(name)));

export const session = seedKey('session').publicKey.bytes;

export function rootJson(key: PublicKey): GrantVector['root'] {
  return { alg: key.alg, key: toBase64url(key.bytes) };
}

/** What differs from the plain case: one seat of license cad-1 for the session, decided by members 1 and 3. */
export interface BundleParts extends CertifyOptions {
  readonly license?: string;
  readonly grant?: Partial<Grant>;
  readonly kind?: 'granted' | 'renewed';
}

export function bundleOf(one: Fixture, parts: BundleParts = {}): GrantBundle {
  return fixtureBundle(one, { license: one.license(), sessionKey: session, ...parts });
}

/** A license of these terms and a grant of it. */
export function underTerms(
  options: LicenseOptions,
  grant: Partial<Grant> = {},
  kind: 'granted' | 'renewed' = 'granted',
) {
  return bundleOf(acme, { license: acme.license(options), grant, kind });
}

export function withSignature(
  bundle: GrantBundle,
  vote: number,
  change: (signature: Uint8Array) => Uint8Array,
): GrantBundle {
  const { statement, votes } = decodeCertificate(bundle.certificate);
  const bent = votes.map((one, i) => (i === vote ? { ...one, signature: change(one.signature) } : one));
  return { ...bundle, certificate: encodeCertificate({ statement, votes: bent }) };
}

export function valid(
  description: string,
  one: Fixture,
  bundle: GrantBundle | string,
  more: { at?: number; sessionKey?: string; validUntilUtc?: number } = {},
): GrantVector {
  const text = typeof bundle === 'string' ? bundle : encodeGrantBundle(bundle);
  return {
    description,
    root: rootJson(one.root.publicKey),
    validUntilUtc: GRANTED_UTC + 60_000,
    ...more,
    bundle: text,
  };
}

export function validGrants(): Record<string, GrantVector> {
  const members = (...list: number[]) => ({ voters: list.map((member) => ({ member })) });
  return {
    'two-votes-1-2': valid('votes of members 1 and 2', acme, bundleOf(acme, members(1, 2))),
    'two-votes-1-3': valid('votes of members 1 and 3', acme, bundleOf(acme, members(1, 3))),
    'two-votes-2-3': valid('votes of members 2 and 3', acme, bundleOf(acme, members(2, 3))),
    'three-votes': valid('all three votes', acme, bundleOf(acme, members(1, 2, 3))),
    'session-key': valid('held by the session in question', acme, bundleOf(acme), { sessionKey: toBase64url(session) }),
    'last-millisecond': valid('one millisecond before its end', acme, bundleOf(acme), { at: GRANTED_UTC + 59_999 }),
    'only-outcome': valid(
      'the only outcome of its entry: an empty path',
      acme,
      bundleOf(acme, { before: [], behind: [] }),
    ),
    'seventh-of-seven': valid(
      'the last of seven outcomes: a path shorter than the tree is high',
      acme,
      bundleOf(acme, {
        before: outcomesOf(6),
        behind: [],
      }),
    ),
    'sixth-of-eleven': valid(
      'in the middle of eleven outcomes',
      acme,
      bundleOf(acme, { before: outcomesOf(5), behind: outcomesOf(5) }),
    ),
    'compact-json': valid(
      'the file without spaces',
      acme,
      JSON.stringify(JSON.parse(encodeGrantBundle(bundleOf(acme)))),
    ),
    'several-licenses': severalLicenses(),
    'certified-again': valid(
      'an answer given again, certified five seconds after its issue',
      acme,
      bundleOf(acme, {
        accept: { utc: GRANTED_UTC + 5_000, logTime: 1_005_000 },
      }),
    ),
    ...validTerms(),
    ...validKeys(),
  };
}

function outcomesOf(count: number): Uint8Array[] {
  const head = { commandHash: new Uint8Array(32), session: new Uint8Array(16), requestId: 0 };
  return Array.from({ length: count }, (_, hold) => encodeOutcome({ ...head, kind: 'expired', hold }));
}

function severalLicenses(): GrantVector {
  const mesh = acme.license({
    id: 'mesh-1',
    product: 'mesh',
    tmrId: 2,
    terms: { quantity: 2, offlineGraceSeconds: 20 },
  });
  const cad = acme.license();
  const grants = [
    fixtureGrant(acme, cad, session, { lifeMs: 20_000 }),
    fixtureGrant(acme, mesh, session, { license: 'mesh-1', product: 'mesh', tmrId: 2, seats: 2, lifeMs: 20_000 }),
  ];
  const proof = certifyOutcome(acme, encodeOutcome(fixtureOutcome(acme, grants)));
  const documents = { issuingKey: acme.issuingKey.text, configuration: acme.configuration.text };
  return valid(
    'seats of two licenses in one outcome; the bundle has them in another order',
    acme,
    {
      ...documents,
      licenses: [mesh, cad],
      ...proof,
    },
    { validUntilUtc: GRANTED_UTC + 20_000 },
  );
}

function validTerms(): Record<string, GrantVector> {
  const features = [{ name: 'mesh', quantity: 2, notAfter: '2026-11-02T00:00:30Z' }];
  const older = { seats: 9, feature: 'gone', mode: 'user', lifeMs: 90_000 } as const;
  return {
    'feature-with-an-end': valid(
      'a feature that ends before the grant would',
      acme,
      underTerms({ terms: { quantity: 5, features } }, { feature: 'mesh', seats: 2, notAfter: GRANTED_UTC + 30_000 }),
      { validUntilUtc: GRANTED_UTC + 30_000 },
    ),
    'term-not-known': valid(
      'a license with a term that is not known and not critical',
      acme,
      underTerms({ terms: { quantity: 5, colour: 'red', critical: ['quantity'] } }),
    ),
    'not-counted': valid(
      'a license that protects and does not count',
      acme,
      underTerms({ terms: { quantity: 0 } }, { seats: 500 }),
    ),
    'uncounted-mode': valid(
      'more seats than the license has, in the mode that is not counted',
      acme,
      underTerms({ terms: { quantity: 5, counting: ['session', 'uncounted'] } }, { seats: 500, mode: 'uncounted' }),
    ),
    renewed: valid('a renewed seat', acme, underTerms({}, {}, 'renewed')),
    'renewed-after-update': valid(
      'a seat that an update took the basis from: it is renewed as it was granted',
      acme,
      underTerms({}, older, 'renewed'),
      { validUntilUtc: GRANTED_UTC + 90_000 },
    ),
    'other-scripts': valid('names in other scripts', acme, underTerms({}, { user: 'Zoë Ångström', host: '工場-7 😀' })),
    'single-server': valid(
      'a group of one, with a license for a single server',
      single,
      bundleOf(single, { license: single.license({ tmrId: 0 }), grant: { tmrId: 0 } }),
    ),
  };
}

function validKeys(): Record<string, GrantVector> {
  return {
    p256: valid('root, issuing key and containers with P-256', tokens, bundleOf(tokens)),
    'p256-other-form': valid(
      'a P-256 vote in its other form, (r, n − s): also valid',
      tokens,
      withSignature(bundleOf(tokens), 0, otherForm),
    ),
    'mixed-algorithms': valid(
      'votes with P-256 and Ed25519',
      mixed,
      bundleOf(mixed, { voters: [{ member: 2 }, { member: 3 }] }),
    ),
  };
}

export const keyOfMember = (one: Fixture, member: number): SigningKey => one.containers[member - 1] as SigningKey;
