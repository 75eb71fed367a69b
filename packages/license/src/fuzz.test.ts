import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { errorsOf, fuzz } from '@trefoil/fuzz';
import { concatBytes, encodeUtf8, fromBase64url, toBase64url } from './bytes.ts';
import { decodeCertificate, encodeCertificate } from './certificate.ts';
import { decodeCommand, encodeCommand } from './command-bytes.ts';
import type { SigningKey } from './crypto.ts';
import { verifyConfiguration, verifyConstituent, verifyIssuingKey, verifyLicense, verifyUpdate } from './documents.ts';
import { fixture, fixtureBundle, seedKey } from './fixtures.ts';
import { verifyFraudProof } from './fraud-proof.ts';
import { decodeGrantBundle, encodeGrantBundle, verifyGrant } from './grant-bundle.ts';
import { verifyContainerRequest, verifyGroupDocument } from './group.ts';
import { parseStrictJson } from './json.ts';
import { decodeOutcome, encodeOutcome } from './outcomes.ts';
import {
  decodeAccept,
  decodePrepare,
  decodePromise,
  decodeRejoin,
  encodeAccept,
  encodePrepare,
  encodePromise,
  encodeRejoin,
} from './statements.ts';
import { parseTerms } from './terms/index.ts';

const refuses = errorsOf('LicenseError');
const one = fixture();
const { crypto } = one;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

interface Encodings {
  readonly valid: readonly { readonly value: { readonly kind?: string }; readonly bytes: string }[];
}

function vectors(name: string, kind?: string): Uint8Array[] {
  const file = new URL(`../../../vectors/${name}.json`, import.meta.url);
  const { valid } = JSON.parse(readFileSync(file, 'utf8')) as Encodings;
  return valid
    .filter(({ value }) => kind === undefined || value.kind === kind)
    .map(({ bytes }) => fromBase64url(bytes));
}

describe('binary forms: a value with one encoding, or a LicenseError', () => {
  test('commands', () => fuzz({ valid: vectors('commands'), read: (b) => encodeCommand(decodeCommand(b)), refuses }));
  test('outcomes', () => fuzz({ valid: vectors('outcomes'), read: (b) => encodeOutcome(decodeOutcome(b)), refuses }));
  test('votes', () =>
    fuzz({ valid: vectors('statements', 'accept'), read: (b) => encodeAccept(decodeAccept(b)), refuses }));
  test('promises', () =>
    fuzz({ valid: vectors('statements', 'promise'), read: (b) => encodePromise(decodePromise(b)), refuses }));
  test('questions for an epoch', () =>
    fuzz({ valid: vectors('statements', 'prepare'), read: (b) => encodePrepare(decodePrepare(b)), refuses }));
  test('new starts', () =>
    fuzz({ valid: vectors('statements', 'rejoin'), read: (b) => encodeRejoin(decodeRejoin(b)), refuses }));
  test('certificates', () => {
    const { certificate } = bundle();
    return fuzz({ valid: [certificate], read: (b) => encodeCertificate(decodeCertificate(b)), refuses });
  });
});

function bundle() {
  return fixtureBundle(one, { license: one.license(), sessionKey: seedKey('session').publicKey.bytes });
}

/** Of version 2. */
const laterTerms = {
  version: 2,
  features: [
    { name: 'x', within: 'y', tokens: 2, weight: 3 },
    { name: 'y', quantity: 2, notBefore: '2026-01-01T00:00:00Z' },
  ],
  ...{ notAfter: '2027-01-01T00:00:00Z', grace: 'P1D', usagePeriod: 'PT8H', versions: { from: '5', to: '7.2' } },
  ...{ maintenance: { until: '2027-01-01T00:00:00Z' }, downgrade: true, units: 7, seatTime: { every: 'PT1M' } },
  ...{ overdraft: { percent: 10 }, borrowing: { seats: 1, longest: 'P1D', writeOffs: { count: 1, within: 'P9D' } } },
  ...{ named: { who: 'user', changes: 1, within: 'P1D' }, minimum: { client: 2 }, transfer: { wait: 'PT0S' } },
  ...{ texts: { en: { title: 'CAD' } }, customer: { name: 'Ada' }, vendorData: 'AAEC', queue: false },
};

describe('texts', () => {
  test('JSON, and what a license may say', async () => {
    const terms = {
      version: 1,
      quantity: 5,
      counting: ['user'],
      features: [{ name: 'x', quantity: 2 }],
      critical: ['units'],
    };
    const valid = [
      encodeUtf8(JSON.stringify({ ...terms, notBefore: '2026-01-01T00:00:00Z', units: 7, lingerSeconds: 3 })),
      encodeUtf8(JSON.stringify({ ...terms, ...laterTerms })),
    ];
    await fuzz({
      valid,
      refuses,
      read: (bytes) => {
        parseTerms(parseStrictJson(bytes, 100_000));
        return undefined;
      },
    });
  });

  test('base64url has one spelling', () =>
    fuzz({
      valid: [encodeUtf8(toBase64url(Uint8Array.of(1, 2, 3, 4)))],
      refuses,
      read: (bytes) => encodeUtf8(toBase64url(fromBase64url(text(bytes)))),
    }));

  test('grant bundles, read and verified: nothing that was altered is accepted', () =>
    fuzz({
      valid: [encodeUtf8(encodeGrantBundle(bundle()))],
      refuses,
      read: (bytes) => {
        const read = decodeGrantBundle(text(bytes));
        // Another spelling of the same proof is no other proof.
        const isSame = encodeGrantBundle(read) === encodeGrantBundle(bundle());
        verifyGrant(crypto, one.root.publicKey, read, {});
        if (!isSame) throw new Error('an altered bundle verifies');
        return undefined;
      },
    }));

  test('proofs of fraud: no bent statement convicts who has signed one only', () => {
    const { statement, votes } = decodeCertificate(bundle().certificate);
    const signature = votes[0]?.signature ?? new Uint8Array(0);
    const documents = { configuration: one.configuration, group: one.group };
    return fuzz({
      valid: [concatBytes(statement, signature)],
      refuses,
      read: (bytes) => {
        const bent = { bytes: bytes.subarray(0, -64), signature: bytes.subarray(-64) };
        const votes = [{ bytes: statement, signature }, bent] as const;
        assert.throws(() => verifyFraudProof(crypto, documents, { kind: 'two-votes', member: 1, votes }), refuses);
        return undefined;
      },
    });
  });
});

describe('signed documents', () => {
  const license = one.license({ terms: { quantity: 5, features: [{ name: 'render', quantity: 2 }], units: 7 } });
  const update = one.update([license]);
  const payloadOf = (document: string): Record<string, unknown> =>
    JSON.parse(text(fromBase64url(document.split('.')[1] ?? ''))) as Record<string, unknown>;
  const constituent = (payloadOf(update)['constituents'] as string[])[0] ?? '';
  const request = documentVector('request');
  const kinds: Readonly<Record<string, readonly [string, SigningKey | undefined, (text: string) => unknown]>> = {
    'issuing key': [one.issuingKey.text, one.root, (t) => verifyIssuingKey(crypto, one.root.publicKey, t)],
    configuration: [one.configuration.text, one.issuing, (t) => verifyConfiguration(crypto, one.issuingKey, t)],
    license: [license, one.issuing, (t) => verifyLicense(crypto, one.issuingKey, t)],
    constituent: [constituent, one.issuing, (t) => verifyConstituent(crypto, one.issuingKey, t)],
    update: [update, one.issuing, (t) => verifyUpdate(crypto, one.root.publicKey, t)],
    group: [one.group.text, one.admin, (t) => verifyGroupDocument(crypto, t)],
    request: [request, undefined, (t) => verifyContainerRequest(crypto, t)],
  };
  for (const [name, [document, key, verify]] of Object.entries(kinds)) {
    test(`${name}: altered in any way, it is refused`, () =>
      fuzz({
        valid: [encodeUtf8(document)],
        refuses,
        seals: true,
        read: (bytes) => {
          verify(text(bytes));
          return undefined;
        },
      }));
    if (key === undefined) continue;
    test(`${name}: whatever its signer has written is read or refused`, () => {
      const [header = '', payload = ''] = document.split('.');
      return fuzz({
        valid: [fromBase64url(payload)],
        refuses,
        read: (bytes) => {
          const input = `${header}.${toBase64url(bytes)}`;
          verify(`${input}.${toBase64url(key.sign(encodeUtf8(input)))}`);
          return undefined;
        },
      });
    });
  }
});

function documentVector(name: string): string {
  const file = new URL(`../../../vectors/documents/valid/${name}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { document: string }).document;
}
