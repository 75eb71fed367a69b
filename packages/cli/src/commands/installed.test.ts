import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture } from '@trefoil/license/fixtures';
import { installedLicenses, installedLine, refusedUpdate, type Standing } from './installed.ts';

const vendor = fixture();

function line(terms: Record<string, number | string | boolean>, standing?: Standing): string {
  const document = vendor.update([vendor.license({ version: 2, terms: { version: 2, ...terms } })]);
  const counters = { quantity: 0, used: 0, borrowed: 0, unitsUsed: 0, firstUseUtc: 0 };
  const [one] = installedLicenses(document, [{ license: 'cad-1', version: 2, product: 'cad', ...counters }]);
  assert.ok(one !== undefined);
  return installedLine(one, standing);
}

test('what an update has installed: seats, units, or what is not counted', () => {
  const inForce = { version: 2, returned: false };
  assert.equal(line({ quantity: 5 }, inForce), 'installed: cad-1 version 2, 5 × cad');
  assert.equal(line({ quantity: 5 }), 'installed: cad-1 version 2, 5 × cad');
  assert.equal(line({ quantity: 0 }), 'installed: cad-1 version 2, cad, not counted');
  assert.equal(line({ quantity: 0, units: 100 }), 'installed: cad-1 version 2, 100 units of cad');
  assert.equal(line({ quantity: 3, units: 1 }), 'installed: cad-1 version 2, 3 × cad and 1 unit');
  assert.equal(line({ quantity: 0, metering: 'postpaid' }), 'installed: cad-1 version 2, any number of units of cad');
});

test('a return is none that installs, and a repeat says what is in force now', () => {
  assert.equal(
    line({ quantity: 3, returned: true }, { version: 2, returned: true }),
    'returned: cad-1 version 2 (3 × cad); nothing is granted of it any more',
  );
  assert.equal(
    line({ quantity: 3 }, { version: 3, returned: false }),
    'cad-1 version 2 was installed before; version 3 is in force',
  );
  assert.match(line({ quantity: 3 }, { version: 3, returned: true }), /version 3 is in force, .* it was returned$/);
});

test('a receipt that comes too late can be had by another return', () => {
  const refused = { code: 'older-license', detail: 'cad-1 version 2; installed is 2' };
  assert.equal(refusedUpdate(refused, false), 'refused (older-license): cad-1 version 2; installed is 2');
  assert.match(refusedUpdate(refused, true), /have the vendor return it again \(trefoil vendor return FILE\.return\)$/);
  assert.equal(refusedUpdate({ code: 'bad-document', detail: 'why' }, true), 'refused (bad-document): why');
});
