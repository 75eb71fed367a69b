import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { errorsOf, fuzz } from '@trefoil/fuzz';
import { type JsonObject, parseStrictJson } from '@trefoil/license';
import { fixture } from '@trefoil/license/fixtures';
import { configure, issueLicense } from './index.ts';

const one = fixture();
const issuer = { key: one.issuing, document: one.issuingKey };
const ISSUED_AT = Date.UTC(2026, 10, 1);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const refuses = errorsOf('LicenseError', 'VendorError');

test('requests from anybody', () => {
  const file = new URL('../../../vectors/documents/valid/request.json', import.meta.url);
  const { document } = JSON.parse(readFileSync(file, 'utf8')) as { document: string };
  return fuzz({
    valid: [new TextEncoder().encode(document)],
    refuses,
    seals: true,
    read: (bytes) => {
      const options = { requests: [text(bytes)], name: 'one server', issuedAt: ISSUED_AT, expires: ISSUED_AT + 1e10 };
      configure(issuer, options);
      return undefined;
    },
  });
});

test('terms as a person has written them', () => {
  const terms = { quantity: 5, counting: ['user'], features: [{ name: 'render', quantity: 2 }], lingerSeconds: 60 };
  return fuzz({
    valid: [new TextEncoder().encode(JSON.stringify(terms))],
    refuses,
    read: (bytes) => {
      issueLicense(issuer, one.configuration, {
        ...{ license: 'cad-1', version: 1, product: 'cad', name: 'CAD', tmrId: 1, issuedAt: ISSUED_AT },
        terms: parseStrictJson(bytes, 100_000) as JsonObject,
      });
      return undefined;
    },
  });
});
