import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command, Outcome } from '@trefoil/license';
import { Acknowledged } from './acknowledged.ts';

const session = new Uint8Array(16);
const FORGOTTEN = { kind: 'refused', code: 'forgotten', session, requestId: 3 } as unknown as Outcome;

function afterwards(kind: string, lowestUnanswered: number, outcome: object): string | undefined {
  const acknowledged = new Acknowledged();
  acknowledged.heard({ kind, lowestUnanswered } as unknown as Command, { session, ...outcome } as unknown as Outcome);
  return acknowledged.heard({ kind: 'extend', lowestUnanswered: 3 } as unknown as Command, FORGOTTEN);
}

test('what carries authority is forgotten only by what carries it (PROTOCOL §5.11)', () => {
  const wrong = 'has forgotten a extend whose answer nobody has acknowledged';
  assert.equal(afterwards('consume', 4, { kind: 'consumed' }), undefined);
  assert.equal(afterwards('extend', 4, { kind: 'refused', code: 'unknown-hold' }), undefined);
  assert.equal(afterwards('extend', 4, { kind: 'refused', code: 'evicted' }), undefined);
  assert.equal(afterwards('extend', 3, { kind: 'refused', code: 'unknown-hold' }), wrong);
  assert.equal(afterwards('extend', 4, { kind: 'refused', code: 'bad-signature' }), wrong);
  assert.equal(afterwards('acquire', 4, { kind: 'granted' }), wrong);
});
