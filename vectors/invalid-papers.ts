import { encodeAccept, encodeGrantBundle, type GrantBundle, toBase64url } from '@trefoil/license';
import { fixture, seedKey } from '@trefoil/license/fixtures';
import { acme, bundleOf, keyOfMember, rootJson, single, tokens, underTerms } from './grants.ts';
import { good, invalid, type Vectors } from './invalid-decisions.ts';
import { changed, headerOf, payloadText, rewritten, sealText } from './jws.ts';

/** Licenses, keys, configurations and files that a verifier has to refuse, whatever the votes say. */
export function invalidPapers(): Vectors {
  return { ...licenses(), ...terms(), ...chain(), ...headers(), ...payloads(), ...files() };
}

const stranger = seedKey('stranger');

function licenses(): Vectors {
  const license = acme.license();
  const more = changed('trefoil-license', license, { terms: { version: 1, quantity: 500 } }, acme.issuing);
  const altered = `${license.split('.')[0]}.${more.split('.')[1]}.${license.split('.')[2]}`;
  return {
    'license-of-another-set': invalid(
      'wrong-set',
      'the license is for another container set',
      underTerms({ set: single.set }),
    ),
    'license-altered': invalid('bad-signature', 'the quantity in the license was changed', {
      ...good,
      licenses: [altered],
    }),
    'license-altered-and-signed-by-a-stranger': invalid('unknown-key', 'changed, and signed again with another key', {
      ...good,
      licenses: [changed('trefoil-license', license, {}, stranger)],
    }),
    'license-of-another-version': invalid('wrong-license', 'the grant is of version 1, the bundle has version 2', {
      ...good,
      licenses: [acme.license({ version: 2 })],
    }),
    'license-missing': invalid('wrong-license', 'no license', { ...good, licenses: [] }),
    'license-twice': invalid('wrong-license', 'the same license twice', { ...good, licenses: [license, license] }),
    'license-too-many': invalid('wrong-license', 'another license beside the one that was granted', {
      ...good,
      licenses: [license, acme.license({ id: 'gold' })],
    }),
    'license-of-another-vendor': invalid(
      'wrong-vendor',
      "signed by the vendor's issuing key in another vendor's name",
      bundleOf(acme, { license: changed('trefoil-license', license, { vendor: 'globex' }, acme.issuing) }),
    ),
    'license-older-than-its-key': invalid(
      'not-yet',
      'issued before its issuing key was valid',
      bundleOf(acme, {
        license: changed('trefoil-license', license, { issuedAt: '2025-12-31T23:59:59Z' }, acme.issuing),
      }),
    ),
    'license-younger-than-its-key': invalid(
      'expired',
      'issued when its issuing key had expired',
      bundleOf(acme, {
        license: changed('trefoil-license', license, { issuedAt: '2028-01-01T00:00:00Z' }, acme.issuing),
      }),
    ),
    'tmr-license-under-threshold-1': invalid(
      'needs-two-votes',
      'a constituent taken to a group of one',
      bundleOf(single),
      { by: single },
    ),
  };
}

function terms(): Vectors {
  const end = '2026-12-01T00:00:00Z';
  const features = [{ name: 'mesh', quantity: 2, notAfter: end }];
  const misfit = (description: string, bundle: GrantBundle) => invalid('wrong-license', description, bundle);
  return {
    'grant-of-another-license': misfit('the digest is right, the name is not', underTerms({}, { license: 'cad-2' })),
    'grant-of-another-product': misfit('another product', underTerms({}, { product: 'cam' })),
    'grant-of-another-tmr-id': misfit('another TMR ID', underTerms({}, { tmrId: 2 })),
    'grant-without-seats': misfit('no seat', underTerms({}, { seats: 0 })),
    'grant-with-too-many-seats': misfit('six seats of five', underTerms({}, { seats: 6 })),
    'grant-with-too-many-seats-of-a-feature': misfit(
      'three seats of a feature that has two',
      underTerms({ terms: { quantity: 5, features } }, { feature: 'mesh', seats: 3, notAfter: Date.parse(end) }),
    ),
    'grant-of-an-unknown-feature': misfit(
      'a feature that the license does not have',
      underTerms({}, { feature: 'mesh' }),
    ),
    'grant-in-another-mode': misfit(
      'a counting mode that the license does not allow',
      underTerms({}, { mode: 'user' }),
    ),
    'grant-with-too-long-a-life': misfit('a life above the offline grace', underTerms({}, { lifeMs: 60_001 })),
    'grant-renewed-for-too-long': misfit(
      'a life that no license can give',
      underTerms({}, { lifeMs: 86_400_001 }, 'renewed'),
    ),
    'grant-before-the-license': misfit(
      'issued before the license begins',
      underTerms({ terms: { quantity: 5, notBefore: '2026-11-03T00:00:00Z' } }),
    ),
    'grant-without-the-end': misfit(
      'no end, where the license has one',
      underTerms({ terms: { quantity: 5, notAfter: end } }),
    ),
    'grant-beyond-the-end': misfit(
      'an end behind that of the license',
      underTerms({ terms: { quantity: 5, notAfter: end } }, { notAfter: Date.parse(end) + 1 }),
    ),
    'critical-term-not-known': invalid(
      'unknown-term',
      'a critical term that this format does not have',
      rewrittenLicense('"terms":{"version":1,', '"terms":{"version":1,"nodeLocked":true,"critical":["nodeLocked"],'),
    ),
    'terms-of-a-later-version': invalid(
      'unknown-term',
      'terms of version 3',
      rewrittenLicense('"terms":{"version":1', '"terms":{"version":3'),
    ),
  };
}

/** The license with its text changed, signed by the vendor, and granted. */
function rewrittenLicense(from: string, to: string): GrantBundle {
  return bundleOf(acme, { license: rewritten('trefoil-license', acme.license(), from, to, acme.issuing) });
}

function chain(): Vectors {
  const globex = fixture('globex');
  const configured = (from: string, to: string) => ({
    ...good,
    configuration: rewritten('trefoil-configuration', acme.configuration.text, from, to, acme.issuing),
  });
  return {
    'another-root': invalid('unknown-key', 'the application trusts another vendor', good, {
      root: rootJson(globex.root.publicKey),
    }),
    'root-with-another-algorithm': invalid('unknown-key', 'the root is pinned with another algorithm', good, {
      root: rootJson(tokens.root.publicKey),
    }),
    'issuing-key-altered': invalid('bad-signature', 'another date in the issuing key', {
      ...good,
      issuingKey: spliced(
        acme.issuingKey.text,
        rewritten('trefoil-issuing-key', acme.issuingKey.text, '2028', '2038', acme.root),
      ),
    }),
    'issuing-key-of-its-own': invalid('unknown-key', 'an issuing key that signed itself', {
      ...good,
      issuingKey: changed('trefoil-issuing-key', acme.issuingKey.text, {}, acme.issuing),
    }),
    'configuration-of-another-vendor': invalid('unknown-key', 'the configuration of another vendor', {
      ...good,
      configuration: globex.configuration.text,
    }),
    'configuration-threshold-1-of-3': invalid(
      'malformed',
      'three containers of which one is enough',
      configured('"threshold":2', '"threshold":1'),
    ),
    'configuration-key-twice': invalid(
      'malformed',
      'one key for two containers',
      configured(toBase64url(keyOfMember(acme, 2).publicKey.bytes), toBase64url(keyOfMember(acme, 1).publicKey.bytes)),
    ),
    'configuration-with-an-unknown-field': invalid(
      'malformed',
      'a field that is not known',
      configured('"format":1', '"format":1,"quorum":1'),
    ),
    'configuration-of-format-2': invalid('malformed', 'a later format', configured('"format":1', '"format":2')),
    'license-as-configuration': invalid('wrong-type', 'a license where the configuration should be', {
      ...good,
      configuration: acme.license(),
    }),
  };
}

const spliced = (document: string, other: string): string =>
  `${document.split('.')[0]}.${other.split('.')[1]}.${document.split('.')[2]}`;

function headers(): Vectors {
  const header = headerOf('trefoil-license', acme.issuing);
  const payload = payloadText(acme.license());
  const under = (bent: object | string, text = payload) =>
    bundleOf(acme, { license: sealText(bent, text, acme.issuing) });
  const base64 = acme.license();
  const doubled = JSON.stringify(header).replace('{', '{"alg":"none",');
  return {
    'header-unknown-field': invalid(
      'malformed',
      'a field in the header beside alg, kid and typ',
      under({ ...header, cty: 'json' }),
    ),
    'header-crit': invalid(
      'malformed',
      'a critical extension in the header',
      under({ ...header, crit: ['b64'], b64: false }),
    ),
    'header-duplicate-key': invalid('malformed', 'the algorithm twice', under(doubled)),
    'header-without-kid': invalid('malformed', 'no key id', under({ ...header, kid: undefined })),
    'header-foreign-kid': invalid(
      'unknown-key',
      "the root's key id over a signature of the issuing key",
      under(headerOf('trefoil-license', acme.root)),
    ),
    'typ-wrong': invalid('wrong-type', 'typ says JWT', under({ ...header, typ: 'JWT' })),
    'alg-swapped': invalid('unknown-key', 'ES256 for an Ed25519 key', under({ ...header, alg: 'ES256' })),
    'alg-eddsa': invalid('unknown-key', 'the older name EdDSA, which says less', under({ ...header, alg: 'EdDSA' })),
    'alg-none': invalid(
      'unknown-key',
      'no algorithm, no signature',
      bundleOf(acme, {
        license: sealText({ ...header, alg: 'none' }, payload, { ...acme.issuing, sign: () => new Uint8Array(0) }),
      }),
    ),
    'p256-alg-swapped': invalid(
      'unknown-key',
      'Ed25519 for a P-256 key',
      bundleOf(tokens, {
        license: sealText(
          { ...headerOf('trefoil-license', tokens.issuing), alg: 'Ed25519' },
          payloadText(tokens.license()),
          tokens.issuing,
        ),
      }),
      { by: tokens },
    ),
    'base64-padded': invalid('malformed', 'padding behind a signature', bundleOf(acme, { license: `${base64}==` })),
    'base64-spare-bits': invalid(
      'malformed',
      'spare bits set in a signature',
      bundleOf(acme, { license: spareBits(base64) }),
    ),
    'document-of-two-parts': invalid(
      'malformed',
      'a signature is missing',
      bundleOf(acme, { license: base64.split('.').slice(0, 2).join('.') }),
    ),
    'document-with-a-newline': invalid(
      'malformed',
      'a line break behind a document',
      bundleOf(acme, { license: `${base64}\n` }),
    ),
  };
}

/** A license whose payload is what no strict reader takes, properly signed. */
function payloads(): Vectors {
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['json-duplicate-key', 'the quantity twice', '"quantity":5', '"quantity":5,"quantity":500'],
    [
      'json-duplicate-key-escaped',
      'the quantity twice, once with an escape',
      '"quantity":5',
      '"quantity":5,"quantit\\u0079":500',
    ],
    ['json-fraction', 'the quantity as 5.0', '"quantity":5', '"quantity":5.0'],
    ['json-exponent', 'the quantity as 5e0', '"quantity":5', '"quantity":5e0'],
    ['json-big-number', 'a number above 2^53 − 1', '"tmrId":1', '"tmrId":9007199254740993'],
    ['json-negative-zero', 'minus zero', '"quantity":5', '"quantity":-0'],
    ['json-half-surrogate', 'half a surrogate pair', '"name":"CAD"', '"name":"CAD\\ud800"'],
    [
      'json-trailing',
      'text behind the document',
      '"issuedAt":"2026-11-01T00:00:00Z"}',
      '"issuedAt":"2026-11-01T00:00:00Z"} {}',
    ],
    ['json-null', 'null instead of leaving a field out', '"quantity":5', '"quantity":5,"notAfter":null'],
    ['json-depth', 'nested too deeply', '"quantity":5', `"quantity":5,"x":${'['.repeat(12)}${']'.repeat(12)}`],
    ['date-that-does-not-exist', '31 November', '"issuedAt":"2026-11-01', '"issuedAt":"2026-11-31'],
    [
      'date-with-an-offset',
      'a time with an offset instead of Z',
      '"issuedAt":"2026-11-01T00:00:00Z"',
      '"issuedAt":"2026-11-01T00:00:00+00:00"',
    ],
    ['code-in-capitals', 'a license code in capitals', '"license":"cad-1"', '"license":"CAD-1"'],
  ];
  return Object.fromEntries(
    cases.map(([name, description, from, to]) => [name, invalid('malformed', description, rewrittenLicense(from, to))]),
  );
}

/** The last character stands for two bits of a signature and four that have to be zero. */
function spareBits(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1) ?? '') + 1];
}

function files(): Vectors {
  const text = encodeGrantBundle(good);
  const object = JSON.parse(text) as Record<string, unknown>;
  const bent = (changes: object) => JSON.stringify({ ...object, ...changes });
  return {
    'file-truncated': invalid('malformed', 'half of the file', text.slice(0, Math.floor(text.length / 2))),
    'file-extended': invalid('malformed', 'the file twice', text + text),
    'file-empty': invalid('malformed', 'nothing', ''),
    'file-duplicate-key': invalid('malformed', 'the leaf index twice', text.replace('{', '{"leafIndex":1,')),
    'file-unknown-field': invalid('malformed', 'a field that is not known', bent({ comment: 'x' })),
    'file-missing-field': invalid('malformed', 'no path', bent({ path: undefined })),
    'file-of-another-format': invalid('malformed', 'trefoil-grant-2', bent({ format: 'trefoil-grant-2' })),
    'file-base64-padded': invalid(
      'malformed',
      'padding behind the outcome',
      bent({ outcome: `${object['outcome'] as string}=` }),
    ),
    'file-path-not-a-hash': invalid(
      'malformed',
      'a path of 31 bytes',
      bent({ path: [toBase64url(new Uint8Array(31))] }),
    ),
    'file-leaf-index-negative': invalid('malformed', 'a negative leaf index', bent({ leafIndex: -1 })),
    'file-with-a-byte-order-mark': invalid('malformed', 'a byte order mark before the object', `\ufeff${text}`),
    'file-statement-alone': invalid(
      'malformed',
      'a statement without votes as the certificate',
      bent({
        certificate: toBase64url(encodeAccept({ ...statementOf(), set: acme.set })),
      }),
    ),
  };
}

function statementOf() {
  return {
    set: acme.set,
    configVersion: 1,
    epoch: 14,
    index: 1,
    head: new Uint8Array(32),
    outcomesRoot: new Uint8Array(32),
    leafCount: 1,
    logTime: 0,
    utc: 0,
  };
}
