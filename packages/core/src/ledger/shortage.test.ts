import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Command, JsonObject, Outcome } from '@trefoil/license';
import { type TestItem, TestLedger, TestSession } from './test-ledger.ts';

const DAY = 86_400_000;

function sold(terms: JsonObject): { one: TestLedger; on: (user: string, host?: string) => TestSession } {
  const one = new TestLedger();
  one.sell(terms);
  return { one, on: (user, host = 'ws-1') => TestSession.opened(one, user, { host }) };
}

const why = (outcome: Outcome): string =>
  outcome.kind === 'denied' ? `${outcome.code} ${outcome.detail}`.trim() : outcome.kind;
const seats = (count: number, more: Partial<TestItem> = {}): TestItem[] => [{ product: 'cad', seats: count, ...more }];

describe('why there is no seat, where it is not that others have them (PROTOCOL §5.8)', () => {
  test('a host has its only use', () => {
    const { one, on } = sold({ quantity: 2, counting: ['exclusive'] });
    assert.equal(why(one.do(on('a').acquire())), 'granted');
    assert.equal(why(one.do(on('b').acquire())), 'seats exclusive');
    assert.equal(why(one.do(on('c', 'ws-2').acquire())), 'granted');
    assert.equal(why(one.do(on('d', 'ws-3').acquire())), 'seats');
  });

  test('only some may be borrowed', () => {
    const { one, on } = sold({ quantity: 4, borrowing: { seats: 2, longest: 'P14D', extensions: 0 } });
    const borrow = (user: string, count: number): Command => on(user).borrow(DAY, seats(count));
    assert.equal(why(one.do(borrow('a', 1))), 'granted');
    assert.equal(why(one.do(borrow('b', 3))), 'seats borrowing 1 2');
    assert.equal(why(one.do(borrow('c', 5))), 'seats most 4');
  });

  test('who waits has a claim on what is free', () => {
    const { one, on } = sold({ quantity: 2, queue: true });
    assert.equal(why(one.do(on('a').acquire())), 'granted');
    assert.equal(why(one.do(on('b').acquire(seats(2), { waitMs: 30_000 }))), 'queued');
    assert.equal(why(one.do(on('c').acquire())), 'seats waiting');
    assert.equal(why(one.do(on('d').acquire(seats(3)))), 'seats most 2');
  });

  test('there are not so many, also with the overdraft, and of the feature', () => {
    const { one, on } = sold({ quantity: 2, overdraft: { seats: 1 }, features: [{ name: 'mill', quantity: 1 }] });
    assert.equal(why(one.do(on('a').acquire(seats(4)))), 'seats most 3');
    assert.equal(why(one.do(on('b').acquire(seats(2, { feature: 'mill' })))), 'seats most 1');
  });

  test('the rest is reserved', () => {
    const { one, on } = sold({ quantity: 2 });
    one.rule([{ rule: 'reserve', product: 'cad', seats: 2, for: { users: ['boss'] } }]);
    assert.equal(why(one.do(on('a').acquire())), 'seats reserved');
  });

  test('shared seats come from one license', () => {
    const { one, on } = sold({ quantity: 1, counting: ['station'] });
    one.sell({ quantity: 1, counting: ['station'] }, { id: 'cad-2' });
    assert.match(why(one.do(on('a').acquire(seats(2)))), /^seats (most 1|apart)$/);
  });

  test('neither version nor release was said', () => {
    const versions = sold({ quantity: 2, versions: { from: '5.1', to: '7' } });
    assert.equal(why(versions.one.do(versions.on('a').acquire())), 'version unsaid 5.1-7');
    const dated = sold({ quantity: 2, maintenance: { from: '2026-01-01T00:00:00Z', until: '2027-01-01T00:00:00Z' } });
    assert.equal(why(dated.one.do(dated.on('a').acquire())), 'maintenance unsaid 2026-01-01');
  });
});
