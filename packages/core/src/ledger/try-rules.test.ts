import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalBytes, type JsonObject } from '@trefoil/license';
import { applyEntry } from './apply.ts';
import { TestLedger, TestSession } from './test-ledger.ts';
import { tryRules } from './try-rules.ts';

function plant(): TestLedger {
  const one = new TestLedger();
  one.sell({ quantity: 4 });
  for (const user of ['ada', 'ben', 'cem']) one.do(TestSession.opened(one, user).acquire());
  return one;
}

const tried = (one: TestLedger, ...rules: readonly JsonObject[]) =>
  tryRules(one.ledger, JSON.stringify({ format: 1, version: 1, rules }));

test('says who holds a seat that the rules would not give him, longest first', () => {
  const one = plant();
  const names = (...rules: readonly JsonObject[]) =>
    tried(one, ...rules).denied.map(({ user, rule }) => `${user}: ${rule}`);
  assert.deepEqual(names({ rule: 'deny', product: 'cad', for: { users: ['ben'] } }), ['ben: deny cad for user ben']);
  assert.deepEqual(names({ rule: 'limit', product: 'cad', seats: 1 }), ['ben: limit 1 cad', 'cem: limit 1 cad']);
  assert.deepEqual(names({ rule: 'limit', product: 'cad', seats: 1, each: 'user' }), []);
  const reserve = { rule: 'reserve', product: 'cad', seats: 3, for: { users: ['cem', 'boss'] } };
  assert.deepEqual(names(reserve), ['ben: 3 of 4 seats are reserved for others']);
});

test('says what its author may not have meant', () => {
  const { remarks } = tried(
    plant(),
    { rule: 'deny', product: 'none' },
    { rule: 'deny', product: 'cad', feature: 'mill' },
    { rule: 'reserve', product: 'cad', seats: 9, for: { users: ['x'] } },
  );
  assert.deepEqual(remarks, [
    '"deny none": no license for none is installed',
    '"deny cad feature mill": no license for cad has a feature mill',
    '"reserve 9 cad for user x": there are only 4 seats',
  ]);
});

test('changes nothing, also while an entry is not certified yet', () => {
  const one = plant();
  const { root } = one;
  applyEntry(one.ledger, one.entry([TestSession.opened(one, 'dot').acquire()]));
  const before = one.root;
  tried(one, { rule: 'limit', product: 'cad', seats: 1 });
  assert.ok(equalBytes(one.root, before));
  assert.equal(one.ledger.policy, undefined);
  one.ledger.journal.undoTo(0);
  assert.equal(one.ledger.licenses.get('cad-1')?.used, 3);
  assert.ok(!equalBytes(one.root, before));
  assert.ok(root.length > 0);
});
