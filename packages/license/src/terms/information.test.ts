import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toBase64url } from '../bytes.ts';
import { LIMITS } from '../limits.ts';
import { parseTerms } from './terms.ts';

const read = (more: object): unknown => parseTerms({ version: 2, quantity: 5, ...more });
const many = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, 'x']));

describe('what a license carries for people and programs', () => {
  test('is accepted up to its limits, in any script', () => {
    for (const language of ['en', 'de-AT', 'zh-Hant', 'haw', 'sr-Latn-RS']) read({ texts: { [language]: { a: 'b' } } });
    read({
      texts: { en: many(LIMITS.licenseTexts), de: { ['N'.repeat(64)]: 'ü'.repeat(LIMITS.licenseTextBytes / 2) } },
    });
    read({ texts: { he: { title: 'תוכנה' }, ar: { title: 'رخصة' } } });
    read({ customer: { ...many(LIMITS.licenseTexts - 1), 'order.no_1-a': 'x'.repeat(LIMITS.nameBytes) } });
    read({ texts: {}, customer: {} });
    read({ vendorData: toBase64url(new Uint8Array(LIMITS.vendorDataBytes)) });
  });

  const turns = 'contains a line break, another control character, or one that turns the direction of text';
  const naming = 'names are letters, digits, ".", "_", "-", first a letter, at most 64';
  const cases: readonly (readonly [object, string])[] = [
    [{ texts: { EN: {} } }, 'terms.texts has the language "EN", which is none like en or de-AT'],
    [{ texts: { en_US: {} } }, 'terms.texts has the language "en_US", which is none like en or de-AT'],
    [{ texts: { en: 'CAD' } }, 'terms.texts.en is not an object'],
    [{ texts: { en: { title: 7 } } }, 'terms.texts.en.title is not a text'],
    [{ texts: { en: { title: '' } } }, 'terms.texts.en.title is not a text'],
    [{ texts: { en: { title: 'x'.repeat(1_025) } } }, 'terms.texts.en.title is above 1024 bytes'],
    [{ texts: { en: { title: 'ü'.repeat(513) } } }, 'terms.texts.en.title is above 1024 bytes'],
    [{ texts: { en: many(101) } }, 'terms.texts.en has 101 texts, 100 allowed'],
    [{ texts: { en: { '1st': 'a' } } }, `terms.texts.en has a text "1st": ${naming}`],
    [{ texts: { en: { '\u001b[2J': 'a' } } }, `terms.texts.en has a text "?[2J": ${naming}`],
    [{ texts: { en: { title: 'a\nb' } } }, `terms.texts.en.title ${turns}`],
    [{ texts: { en: { title: 'gpj.\u202eexe' } } }, `terms.texts.en.title ${turns}`],
    [{ customer: { name: '\u2066a\u2069' } }, `terms.customer.name ${turns}`],
    [{ customer: { name: 'x'.repeat(129) } }, 'terms.customer.name is above 128 bytes'],
    [{ customer: { address: { city: 'Wien' } } }, 'terms.customer.address is not a text'],
    [{ customer: many(101) }, 'terms.customer has 101 texts, 100 allowed'],
    [{ customer: 'Ada' }, 'terms.customer is not an object'],
    [{ vendorData: 'AAE=' }, 'terms.vendorData is not base64url'],
    [{ vendorData: 'AAF' }, 'terms.vendorData is base64url with spare bits set'],
    [{ vendorData: '' }, 'terms.vendorData is not a text'],
    [{ vendorData: {} }, 'terms.vendorData is not a text'],
    [{ vendorData: toBase64url(new Uint8Array(65_537)) }, 'terms.vendorData is above 65536 bytes'],
  ];
  for (const [more, message] of cases)
    test(message, () => assert.throws(() => read(more), { name: 'LicenseError', code: 'malformed', message }));
});
