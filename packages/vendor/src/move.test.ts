import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Configuration,
  encodeCommand,
  type InstalledLicense,
  type JsonObject,
  type License,
  type Update,
  type VerifiedReceipt,
  verifyUpdate,
} from '@trefoil/license';
import { fixture } from '@trefoil/license/fixtures';
import { issueLicense, makeUpdate, reissued, returnedVersion } from './index.ts';

const one = fixture();
const issuer = { key: one.issuing, document: one.issuingKey };
const issuedAt = Date.UTC(2026, 10, 1);
const other: Configuration = { ...one.configuration, set: new Uint8Array(16).fill(9) };

function sold(terms: JsonObject = { quantity: 5 }, version = 1): License {
  const order = { license: 'cad-1', version, product: 'cad', name: 'CAD', tmrId: 1, issuedAt };
  return issueLicense(issuer, one.configuration, { ...order, terms });
}

function updateOf(...licenses: License[]): Update {
  const root = one.root.publicKey;
  const text = makeUpdate(issuer, root, one.configuration, { licenses, serial: 1, issuedAt });
  return verifyUpdate(one.crypto, root, text);
}

function backOf(license: License): Update {
  return updateOf(returnedVersion(issuer, one.configuration, license, issuedAt));
}

/** As the group would have it of this update. */
function receiptOf(update: Update, counters: Partial<InstalledLicense> = {}): VerifiedReceipt {
  return {
    configuration: one.configuration,
    accept: {} as VerifiedReceipt['accept'],
    commandHash: one.crypto.sha256(encodeCommand({ kind: 'update', document: update.text })),
    licenses: update.licenses.map(({ id, version, product, terms: { quantity } }) => ({
      ...{ license: id, version, product, quantity },
      ...{ used: 0, borrowed: 0, unitsUsed: 0, firstUseUtc: 0, ...counters },
    })),
  };
}

function anew(back: Update, receipt: VerifiedReceipt, quantity?: number): License {
  const options = { receipt, tmrIdOf: () => 7, issuedAt, ...(quantity !== undefined && { quantity }) };
  return reissued(issuer, other, back, options)[0] as License;
}

test('a name that would drive a terminal or turn the text around it is not signed', () => {
  const order = { license: 'cad-1', version: 1, product: 'cad', tmrId: 1, issuedAt, terms: { quantity: 1 } };
  for (const name of ['CAD\u001b[2J', 'CAD\u202eDAC', 'line\nline'])
    assert.throws(() => issueLicense(issuer, one.configuration, { ...order, name }), {
      ...{ code: 'bad-license' },
      message: /^the name of the license contains a line break, another control character/,
    });
  assert.throws(() => issueLicense(issuer, one.configuration, { ...order, name: 'x'.repeat(1_000_000) }), {
    message: /^the name of the license has 1000000 bytes/,
  });
});

test('what was sold for another container set is not taken back from this one', () => {
  assert.throws(() => returnedVersion(issuer, other, sold(), issuedAt), {
    ...{ code: 'bad-license' },
    message: 'cad-1 was sold for another container set than that of the configuration, "acme licenses"',
  });
});

describe('licenses issued anew for another set', () => {
  test('what the group has returned, with what was left of it', () => {
    const back = backOf(sold({ quantity: 5, units: 100 }));
    const license = anew(back, receiptOf(back, { unitsUsed: 40 }));
    assert.deepEqual([license.version, license.terms.returned, license.tmrId], [3, false, 7]);
    assert.deepEqual([license.terms.quantity, license.terms.units], [5, 60]);
    assert.deepEqual(license.set, other.set);
  });

  test('not by the receipt of a sale: neither that of the license nor one of the version that would have ended it', () => {
    const back = backOf(sold());
    const sale = updateOf(sold({ quantity: 9 }, 2));
    const fault = { code: 'bad-receipt', message: 'the receipt is not of the return of cad-1 version 2' };
    assert.throws(() => anew(back, receiptOf(sale)), fault);
    assert.throws(() => anew(back, receiptOf(updateOf(sold()))), fault);
    assert.throws(() => anew(sale, receiptOf(sale)), {
      message: 'the update file does not take cad-1 back: give the one from "trefoil vendor return"',
    });
  });

  test('not by the receipt of another container set', () => {
    const back = backOf(sold());
    assert.throws(() => anew(back, { ...receiptOf(back), configuration: other }), {
      ...{ code: 'bad-receipt', message: 'the receipt is of another container set than cad-1 was sold for' },
    });
  });

  test('while seats are borrowed, only those that are not, and only when told so', () => {
    const back = backOf(sold());
    const receipt = receiptOf(back, { used: 3, borrowed: 2 });
    assert.throws(() => anew(back, receipt), { message: /^2 seats of cad-1 are borrowed yet/ });
    assert.throws(() => anew(back, receiptOf(back, { borrowed: 1 })), { message: /^1 seat of cad-1 is borrowed yet/ });
    assert.equal(anew(back, receipt, 3).terms.quantity, 3);
    assert.throws(() => anew(back, receipt, 4), {
      ...{ code: 'bad-receipt', message: 'of 5 seats of cad-1, 2 are borrowed yet: 3 can be issued, not 4' },
    });
    assert.throws(() => anew(back, receiptOf(back), 6), { message: '5 seats of cad-1 can be issued, not 6' });
    const uncounted = backOf(sold({ quantity: 0 }));
    assert.throws(() => anew(uncounted, receiptOf(uncounted), 1), { message: 'no seats of cad-1 are counted' });
  });

  test('not for the same set: there it stays returned', () => {
    const back = backOf(sold());
    const options = { receipt: receiptOf(back), tmrIdOf: () => 7, issuedAt };
    assert.throws(() => reissued(issuer, one.configuration, back, options), { message: /in its own set .* for good/ });
  });

  test('a usage period that has begun goes on, also of a cold standby, which needs one', () => {
    for (const standby of [{}, { standby: 'cold' }]) {
      const back = backOf(sold({ quantity: 5, version: 2, usagePeriod: 'P30D', ...standby }));
      const end = issuedAt + 30 * 86_400_000;
      assert.equal(anew(back, receiptOf(back)).terms.whole.notAfter, undefined);
      const { terms } = anew(back, receiptOf(back, { firstUseUtc: issuedAt }));
      assert.deepEqual([terms.whole.notAfter, terms.usagePeriodMs], [end, 30 * 86_400_000]);
    }
  });

  test('by the receipt of a return that was returned again, where the first was lost', () => {
    const first = backOf(sold({ quantity: 5, units: 100 }));
    const second = backOf(first.licenses[0] as License);
    const license = anew(second, receiptOf(second, { unitsUsed: 40 }));
    assert.deepEqual([license.version, license.terms.units, license.terms.returned], [4, 60, false]);
  });
});
