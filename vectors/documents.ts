import { type DocumentType, type LicenseErrorCode, type SigningKey, toBase64url } from '@trefoil/license';
import { seedKey } from '@trefoil/license/fixtures';
import { acme, rootJson, single, tokens } from './grants.ts';
import { changed, headerOf, payloadText, rewritten, sealText } from './jws.ts';

/** One document; who has to have signed it is said beside it, except where the document itself names the key. */
export interface DocumentVector {
  readonly description: string;
  readonly type: DocumentType;
  /** The vendor's root; for all but group documents and requests. */
  readonly root?: { readonly alg: string; readonly key: string };
  /** For what an issuing key signs; an update brings its own. */
  readonly issuingKey?: string;
  readonly why?: string;
  readonly document: string;
}

type Vectors = Record<string, DocumentVector>;

const container = seedKey('acme container 1');
const request = sealText(
  headerOf('trefoil-request', container),
  JSON.stringify({
    format: 1,
    kind: 'software',
    serial: toBase64url(new Uint8Array(16).fill(1)),
    name: 'license-host-1',
    alg: 'ed25519',
    signingKey: toBase64url(container.publicKey.bytes),
    sealingKey: toBase64url(new Uint8Array(32).fill(9)),
  }),
  container,
);

const fullTerms = {
  quantity: 20,
  counting: ['session', 'station', 'user', 'exclusive', 'uncounted'],
  features: [{ name: 'mesh', quantity: 2, notAfter: '2027-01-31T00:00:00Z' }, { name: 'export' }],
  notBefore: '2026-01-01T00:00:00Z',
  notAfter: '2027-12-31T23:59:59Z',
  units: 10_000,
  sessionTimeoutSeconds: 600,
  offlineGraceSeconds: 120,
  lingerSeconds: 30,
  critical: ['units'],
};

const update = acme.update([acme.license(), acme.license({ id: 'mesh-1', product: 'mesh', tmrId: 2 })]);
const constituent = (JSON.parse(payloadText(update)) as { constituents: string[] }).constituents[2] as string;

/** Signed by the issuing key of `by`. */
function issued(type: DocumentType, description: string, document: string, by = acme): DocumentVector {
  return { description, type, root: rootJson(by.root.publicKey), issuingKey: by.issuingKey.text, document };
}

function rooted(type: DocumentType, description: string, document: string, by = acme): DocumentVector {
  return { description, type, root: rootJson(by.root.publicKey), document };
}

function own(type: DocumentType, description: string, document: string): DocumentVector {
  return { description, type, document };
}

export function validDocuments(): Vectors {
  return {
    'issuing-key': rooted('trefoil-issuing-key', 'an issuing key', acme.issuingKey.text),
    'issuing-key-p256': rooted(
      'trefoil-issuing-key',
      'an issuing key, both keys P-256',
      tokens.issuingKey.text,
      tokens,
    ),
    configuration: issued('trefoil-configuration', 'three containers, two of them enough', acme.configuration.text),
    'configuration-single': issued('trefoil-configuration', 'one container', single.configuration.text, single),
    'configuration-p256': issued(
      'trefoil-configuration',
      'containers with P-256 keys',
      tokens.configuration.text,
      tokens,
    ),
    license: issued('trefoil-license', 'five seats', acme.license()),
    'license-all-terms': issued('trefoil-license', 'every term that exists', acme.license({ terms: fullTerms })),
    'license-p256': issued('trefoil-license', 'signed with P-256', tokens.license(), tokens),
    'license-spaced': issued(
      'trefoil-license',
      'spaces, line breaks and escapes in the payload',
      sealText(headerOf('trefoil-license', acme.issuing), spaced(payloadText(acme.license())), acme.issuing),
    ),
    constituent: issued('trefoil-constituent', 'the constituent for container 3', constituent),
    update: rooted('trefoil-update', 'two licenses with three constituents each', update),
    group: own('trefoil-group', 'five servers and an admin', acme.group.text),
    request: own('trefoil-request', 'a software container asks to join', request),
  };
}

const spaced = (payload: string): string =>
  JSON.stringify(JSON.parse(payload), undefined, '\t').replace('"CAD"', '"\\u0043A\\u0044 \\ud83d\\ude00"');

export function invalidDocuments(): Vectors {
  return {
    ...invalidIssuingKeys(),
    ...invalidConfigurations(),
    ...invalidLicenses(),
    ...invalidUpdates(),
    ...invalidGroups(),
    ...invalidRequests(),
  };
}

/** Changes of one document, each properly signed by `key`: name → code, what is wrong, changed fields. */
function bent(
  vector: DocumentVector,
  key: SigningKey,
  cases: Record<string, readonly [LicenseErrorCode, string, object]>,
): Vectors {
  return Object.fromEntries(
    Object.entries(cases).map(([name, [why, description, changes]]) => [
      name,
      { ...vector, description, why, document: changed(vector.type, vector.document, changes, key) },
    ]),
  );
}

function invalidIssuingKeys(): Vectors {
  const valid = rooted('trefoil-issuing-key', '', acme.issuingKey.text);
  return {
    ...bent(valid, acme.root, {
      'issuing-key-small-order': [
        'weak-key',
        'a key of small order',
        { key: toBase64url(Uint8Array.of(1, ...new Uint8Array(31))) },
      ],
      'issuing-key-too-short': ['malformed', 'a key of 31 bytes', { key: toBase64url(new Uint8Array(31).fill(7)) }],
      'issuing-key-p256-uncompressed': [
        'malformed',
        'a P-256 point that is not compressed',
        { alg: 'p256', key: toBase64url(Uint8Array.of(4, ...new Uint8Array(64).fill(7))) },
      ],
      'issuing-key-dates': ['malformed', 'ends before it begins', { notAfter: '2025-01-01T00:00:00Z' }],
      'issuing-key-unknown-field': ['malformed', 'a field that is not known', { usage: 'all' }],
      'issuing-key-format-2': ['malformed', 'a later format', { format: 2 }],
    }),
    ...bent(valid, acme.issuing, { 'issuing-key-by-itself': ['unknown-key', 'signed by itself', {}] }),
  };
}

function invalidConfigurations(): Vectors {
  const valid = issued('trefoil-configuration', '', acme.configuration.text);
  const { containers } = JSON.parse(payloadText(acme.configuration.text)) as { containers: [object, object, object] };
  const [first, second, third] = containers;
  return bent(valid, acme.issuing, {
    'configuration-two-of-two': ['malformed', 'two containers', { containers: [first, second] }],
    'configuration-one-of-three': ['malformed', 'one vote of three is enough', { threshold: 1 }],
    'configuration-three-of-three': ['malformed', 'threshold 3', { threshold: 3 }],
    'configuration-order': ['malformed', 'members out of order', { containers: [second, first, third] }],
    'configuration-same-key': [
      'malformed',
      'one key for two containers',
      { containers: [first, { ...first, member: 2, serial: toBase64url(new Uint8Array(16)) }, third] },
    ],
    'configuration-same-serial': [
      'malformed',
      'one serial for two containers',
      { containers: [first, { ...second, serial: toBase64url(new Uint8Array(16).fill(1)) }, third] },
    ],
    'configuration-small-order': [
      'weak-key',
      'a key of small order',
      { containers: [first, { ...second, signingKey: toBase64url(new Uint8Array(32)) }, third] },
    ],
    'configuration-other-vendor': ['wrong-vendor', "in another vendor's name", { vendor: 'globex' }],
    'configuration-dates': ['malformed', 'expires when it is issued', { expires: '2026-11-01T00:00:00Z' }],
    'configuration-set-too-long': ['malformed', 'a set id of 17 bytes', { set: toBase64url(new Uint8Array(17)) }],
  });
}

function invalidLicenses(): Vectors {
  const valid = issued('trefoil-license', '', acme.license());
  const terms = (more: object) => ({ terms: { version: 1, quantity: 5, ...more } });
  const text = (why: LicenseErrorCode, description: string, from: string, to: string): DocumentVector => ({
    ...valid,
    description,
    why,
    document: rewritten('trefoil-license', valid.document, from, to, acme.issuing),
  });
  return {
    ...bent(valid, acme.issuing, {
      'license-feature-above-quantity': [
        'malformed',
        'a feature with more seats than the license',
        terms({ features: [{ name: 'a', quantity: 6 }] }),
      ],
      'license-feature-twice': ['malformed', 'a feature twice', terms({ features: [{ name: 'a' }, { name: 'a' }] })],
      'license-mode-unknown': ['malformed', 'a counting mode that does not exist', terms({ counting: ['floating'] })],
      'license-grace-above-timeout': [
        'malformed',
        'a grant that outlives its seat',
        terms({ offlineGraceSeconds: 61 }),
      ],
      'license-timeout-too-short': ['malformed', 'a time-out of nine seconds', terms({ sessionTimeoutSeconds: 9 })],
      'license-dates': [
        'malformed',
        'ends before it begins',
        terms({ notBefore: '2027-01-01T00:00:00Z', notAfter: '2026-01-01T00:00:00Z' }),
      ],
      'license-critical-term': [
        'unknown-term',
        'a critical term that is not known',
        terms({ dongle: true, critical: ['dongle'] }),
      ],
      'license-terms-version-2': ['unknown-term', 'terms of a later version', terms({ version: 2 })],
      'license-without-terms': ['malformed', 'no terms', { terms: undefined }],
      'license-version-0': ['malformed', 'version 0', { version: 0 }],
      'license-name-too-long': ['malformed', 'a name of 129 bytes in 65 characters', { name: `${'ü'.repeat(64)}x` }],
      'license-too-young': ['expired', 'its issuing key had expired', { issuedAt: '2028-01-01T00:00:00Z' }],
      'license-too-large': ['too-large', 'above the limit', { name: 'x'.repeat(200_000) }],
    }),
    'license-duplicate-key': text('malformed', 'the quantity twice', '"quantity":5', '"quantity":5,"quantity":500'),
    'license-not-utf8': { ...valid, description: 'a byte that is no UTF-8', why: 'malformed', document: notUtf8() },
    'license-as-update': {
      ...valid,
      type: 'trefoil-update',
      description: 'a license where an update should be',
      why: 'wrong-type',
    },
  };
}

function notUtf8(): string {
  const header = toBase64url(Buffer.from(JSON.stringify(headerOf('trefoil-license', acme.issuing))));
  const payload = Buffer.from(payloadText(acme.license()));
  payload[payload.indexOf('CAD')] = 0xff;
  const input = `${header}.${toBase64url(payload)}`;
  return `${input}.${toBase64url(acme.issuing.sign(Buffer.from(input)))}`;
}

function invalidUpdates(): Vectors {
  const valid = rooted('trefoil-update', '', update);
  return bent(valid, acme.issuing, {
    'update-license-twice': [
      'malformed',
      'a license twice',
      { licenses: [acme.license(), acme.license({ version: 2 })] },
    ],
    'update-foreign-license': ['unknown-key', 'a license that another vendor signed', { licenses: [single.license()] }],
    'update-foreign-issuing-key': [
      'unknown-key',
      'an issuing key of another root',
      { issuingKey: single.issuingKey.text },
    ],
    'update-constituent-is-none': [
      'wrong-type',
      'a license among the constituents',
      { constituents: [acme.license()] },
    ],
    'update-serial-0': ['malformed', 'serial 0', { serial: 0 }],
  });
}

function invalidGroups(): Vectors {
  const valid = own('trefoil-group', '', acme.group.text);
  const { tmrServers, licenseServers } = JSON.parse(payloadText(acme.group.text)) as {
    tmrServers: [object, object];
    licenseServers: object[];
  };
  return {
    ...bent(valid, acme.admin, {
      'group-server-twice': ['malformed', 'TMR server A twice', { tmrServers: [tmrServers[0], tmrServers[0]] }],
      'group-member-twice': [
        'malformed',
        'license server 1 twice',
        { licenseServers: [licenseServers[0], licenseServers[0]] },
      ],
      'group-shared-key': [
        'malformed',
        'both TMR servers with one key',
        { tmrServers: [tmrServers[0], { ...tmrServers[0], id: 'B' }] },
      ],
      'group-without-admins': ['unknown-key', 'nobody who could have signed it', { admins: [] }],
    }),
    ...bent(valid, seedKey('stranger'), {
      'group-by-a-stranger': ['unknown-key', 'not signed by one of its admins', {}],
    }),
  };
}

function invalidRequests(): Vectors {
  const valid = own('trefoil-request', '', request);
  return {
    ...bent(valid, seedKey('acme container 2'), {
      'request-by-another': ['unknown-key', 'signed by a key that it does not name', {}],
    }),
    ...bent(valid, container, { 'request-kind': ['malformed', 'a kind that does not exist', { kind: 'paper' }] }),
  };
}
