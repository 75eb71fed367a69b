import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Command, encodeCommand, encodeOutcome, type Outcome } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { SEAT_TIMEOUT_MS } from '@trefoil/sim/client-history';
import { History } from './history.ts';
import { SeatCount } from './seat-count.ts';

const crypto = nodeCrypto();
const NONE = () => undefined;

/** What a client says of one command: asked and answered at these times. */
function call(history: History, command: Asked, at: readonly [number, number | undefined], answer?: AnswerOf): void {
  const bytes = encodeCommand(command);
  const hash = crypto.sha256(bytes);
  history.asked('somebody', { kind: 'asked', at: at[0], hash, command: bytes });
  if (at[1] === undefined || answer === undefined) return;
  const { session, requestId } = command;
  const outcome = encodeOutcome({ ...answer, commandHash: hash, session, requestId } as Outcome);
  history.answered({ kind: 'answered', at: at[1], hash, outcome });
}

type Asked = Extract<Command, { kind: 'acquire' | 'consume' }>;
type AnswerOf = { readonly kind: Outcome['kind'] } & Readonly<Record<string, unknown>>;

const granted: AnswerOf = { kind: 'granted', grants: [] };
const denied: AnswerOf = {
  ...{ kind: 'denied', code: 'seats', product: 'cad', feature: '', quantity: 1, free: 0, holders: [] },
  ...{ waiting: 0, at: 0, detail: '' },
};

function acquire(session: number, requestId: number): Asked {
  return {
    ...{ kind: 'acquire', session: new Uint8Array(16).fill(session), requestId, lowestUnanswered: requestId },
    ...{ releaseHash: new Uint8Array(32), waitMs: 0, items: [{ product: 'cad', feature: '', seats: 1 }] },
  };
}

function historyOfOneSeat(): History {
  const history = new History();
  history.sold('cad', { product: 'cad', quantity: 1, units: undefined });
  return history;
}

describe('a history', () => {
  test('the same seat twice has no explanation before its time is over, and one afterwards', () => {
    for (const [secondAt, isExplained] of [
      [SEAT_TIMEOUT_MS - 1_000, false],
      [SEAT_TIMEOUT_MS + 1_000, true],
    ] as const) {
      const history = historyOfOneSeat();
      call(history, acquire(1, 1), [0, 10], granted);
      call(history, acquire(2, 1), [secondAt, secondAt + 10], granted);
      assert.equal(history.check(secondAt + 20, NONE).length === 0, isExplained);
    }
  });

  test('a denial that nothing explains is found; one that an unanswered request may explain is not', () => {
    const wrong = historyOfOneSeat();
    call(wrong, acquire(1, 1), [0, 10], denied);
    assert.match(wrong.check(100, NONE).join(), /no order explains the answers about cad/);
    const explained = historyOfOneSeat();
    call(explained, acquire(2, 1), [0, undefined]);
    call(explained, acquire(1, 1), [5, 10], denied);
    assert.deepEqual(explained.check(100, NONE), []);
  });

  test('a quantity that has changed explains what came after, not what came before', () => {
    const history = historyOfOneSeat();
    call(history, acquire(1, 1), [0, 10], granted);
    call(history, acquire(2, 1), [20, 30], granted);
    history.changed('cad', 2, { invokedAt: 25, returnedAt: 40 });
    assert.deepEqual(history.check(100, NONE), []);
    const late = historyOfOneSeat();
    call(late, acquire(1, 1), [0, 10], granted);
    call(late, acquire(2, 1), [20, 30], granted);
    late.changed('cad', 2, { invokedAt: 31, returnedAt: 40 });
    assert.equal(late.check(100, NONE).length, 1);
  });

  test('units that were given twice are found', () => {
    const history = new History();
    history.sold('units', { product: 'units', quantity: 0, units: 3 });
    const consume = (requestId: number): Asked => ({
      ...{
        kind: 'consume',
        session: new Uint8Array(16),
        requestId,
        lowestUnanswered: 1,
        items: [{ product: 'units', feature: '', count: 2 }],
      },
      ...{ signature: new Uint8Array(64) },
    });
    const consumed = {
      kind: 'consumed',
      parts: [{ item: 0, license: 'units', version: 1, units: 2, left: 1 }],
    } as const;
    call(history, consume(1), [0, 10], consumed);
    assert.deepEqual(history.check(100, NONE), []);
    call(history, consume(2), [20, 30], consumed);
    assert.equal(history.check(100, NONE).length, 1);
  });
});

test('seats in use at one instant are counted against what had been sold by then', () => {
  const count = new SeatCount();
  count.sold('cad', 1, 0);
  count.used({ license: 'cad', seats: 1, from: 0, until: 10 });
  count.used({ license: 'cad', seats: 1, from: 10, until: 20 });
  assert.deepEqual(count.check(), []);
  count.used({ license: 'cad', seats: 1, from: 19, until: 25 });
  assert.equal(count.check().length, 1);
  count.sold('cad', 2, 18);
  assert.deepEqual(count.check(), []);
});
