import { toBase64url } from '@trefoil/license';
import { seedKey } from '@trefoil/license/fixtures';
import { bent, issued, ordered, own, rooted, type Vectors } from './document-vectors.ts';
import { acme, single, tokens } from './grants.ts';
import { invalidTerms } from './invalid-terms.ts';
import { headerOf, payloadText, sealText } from './jws.ts';
import { invalidLicenses, validLicenses } from './licenses.ts';

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

const handOver = sealText(
  headerOf('trefoil-hand-over', acme.admin),
  JSON.stringify({ format: 1, set: toBase64url(acme.configuration.set), epoch: 82_906 }),
  acme.admin,
);

const update = acme.update([acme.license(), acme.license({ id: 'mesh-1', product: 'mesh', tmrId: 2 })]);
const constituent = (JSON.parse(payloadText(update)) as { constituents: string[] }).constituents[2] as string;

const reconfiguration = acme.reconfiguration({ version: 2, generations: [0, 0, 1], licenses: [acme.license()] });

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
    ...validLicenses(),
    constituent: issued('trefoil-constituent', 'the constituent for container 3', constituent),
    update: rooted('trefoil-update', 'two licenses with three constituents each', update),
    group: own('trefoil-group', 'five servers and an admin', acme.group.text),
    request: own('trefoil-request', 'a software container asks to join', request),
    reconfiguration: rooted('trefoil-reconfiguration', 'a new container 3, with its constituent', reconfiguration),
    'reconfiguration-renewal': rooted(
      'trefoil-reconfiguration',
      'the same containers for longer',
      acme.reconfiguration({ version: 2, generations: [0, 0, 0], expires: '2029-11-01T00:00:00Z' }),
    ),
    'hand-over': ordered('trefoil-hand-over', 'an admin has the other TMR server lead', handOver),
  };
}

export function invalidDocuments(): Vectors {
  return {
    ...invalidIssuingKeys(),
    ...invalidConfigurations(),
    ...invalidLicenses(),
    ...invalidTerms(),
    ...invalidUpdates(),
    ...invalidReconfigurations(),
    ...invalidGroups(),
    ...invalidRequests(),
    ...invalidOrders(),
  };
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

function invalidReconfigurations(): Vectors {
  const valid = rooted('trefoil-reconfiguration', '', reconfiguration);
  return bent(valid, acme.issuing, {
    'reconfiguration-foreign-configuration': [
      'unknown-key',
      'a configuration that another vendor signed',
      { configuration: single.configuration.text },
    ],
    'reconfiguration-foreign-issuing-key': [
      'unknown-key',
      'an issuing key of another root',
      { issuingKey: single.issuingKey.text },
    ],
    'reconfiguration-constituent-is-none': [
      'wrong-type',
      'a license among the constituents',
      { constituents: [acme.license()] },
    ],
    'reconfiguration-with-a-set': ['malformed', 'a field that is none', { set: toBase64url(acme.set) }],
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

function invalidOrders(): Vectors {
  const valid = ordered('trefoil-hand-over', '', handOver);
  return {
    ...bent(valid, seedKey('stranger'), {
      'hand-over-by-a-stranger': ['unknown-key', 'signed by nobody whom the group document names', {}],
    }),
    ...bent(valid, acme.admin, {
      'hand-over-epoch-0': ['malformed', 'an epoch that nobody leads', { epoch: 0 }],
      'hand-over-to-whom': ['malformed', 'a field that is none', { to: 'B' }],
    }),
  };
}
