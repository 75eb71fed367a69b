import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { certifyOutcome, fixture, fixtureGrant, fixtureOutcome, seedKey } from './fixtures.ts';
import { encodeOutcome, type Outcome } from './outcomes.ts';
import { decodeReceipt, encodeReceipt, type Receipt, verifyReceipt } from './receipt.ts';

const one = fixture();
const license = {
  ...{ license: 'cad-1', version: 2, product: 'cad', quantity: 5 },
  ...{ used: 3, borrowed: 1, unitsUsed: 250, firstUseUtc: 0 },
};
const head = { commandHash: new Uint8Array(32), session: new Uint8Array(16), requestId: 0 };
const updated: Outcome = { ...head, kind: 'updated', licenses: [license] };

function receiptOf(outcome: Outcome, by = one): Receipt {
  const { issuingKey, configuration } = by;
  const certified = certifyOutcome(by, encodeOutcome(outcome), { before: [Uint8Array.of(1)] });
  return { issuingKey: issuingKey.text, configuration: configuration.text, ...certified };
}

describe('a receipt (FORMATS §6.4)', () => {
  test('shows what the group had of each license, through its file', () => {
    const receipt = decodeReceipt(encodeReceipt(receiptOf(updated)));
    const verified = verifyReceipt(one.crypto, one.root.publicKey, receipt);
    assert.deepEqual(verified.licenses, [license]);
    assert.deepEqual(verified.commandHash, head.commandHash);
  });

  test('of another vendor, of another outcome, or altered, it shows nothing', () => {
    const { crypto } = one;
    const verify = (receipt: Receipt, root = one.root.publicKey): unknown => verifyReceipt(crypto, root, receipt);
    assert.throws(() => verify(receiptOf(updated), seedKey('another').publicKey), { name: 'LicenseError' });
    const granted = fixtureOutcome(one, [fixtureGrant(one, one.license(), new Uint8Array(32))]);
    assert.throws(() => verify(receiptOf(granted)), { code: 'wrong-proof', message: /"granted", not of an update/ });
    const more = encodeOutcome({ ...updated, licenses: [{ ...license, unitsUsed: 0 }] });
    assert.throws(() => verify({ ...receiptOf(updated), outcome: more }), { code: 'wrong-proof' });
    for (const text of ['{}', encodeReceipt(receiptOf(updated)).replace('receipt-1', 'grant-1'), '[]', ''])
      assert.throws(() => decodeReceipt(text), { name: 'LicenseError' });
  });
});
