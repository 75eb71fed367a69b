import { type LicenseErrorCode, toBase64url } from '@trefoil/license';
import { bent, type DocumentVector, issued, type Vectors } from './document-vectors.ts';
import { acme, tokens } from './grants.ts';
import { headerOf, payloadText, rewritten, sealText } from './jws.ts';
import { validTerms } from './valid-terms.ts';

/** Of version 1. */
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

export function validLicenses(): Vectors {
  return {
    license: issued('trefoil-license', 'five seats', acme.license()),
    'license-all-terms': issued('trefoil-license', 'every term of version 1', acme.license({ terms: fullTerms })),
    'license-p256': issued('trefoil-license', 'signed with P-256', tokens.license(), tokens),
    'license-spaced': issued(
      'trefoil-license',
      'spaces, line breaks and escapes in the payload',
      sealText(headerOf('trefoil-license', acme.issuing), spaced(payloadText(acme.license())), acme.issuing),
    ),
    ...validTerms(),
  };
}

const spaced = (payload: string): string =>
  JSON.stringify(JSON.parse(payload), undefined, '\t').replace('"CAD"', '"\\u0043A\\u0044 \\ud83d\\ude00"');

export function invalidLicenses(): Vectors {
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
