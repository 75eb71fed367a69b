import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DENIAL_CODES, type DenialCode, type JsonObject } from '@trefoil/license';
import { TestLedger, TestSession, type TestItem } from '../test-ledger.ts';

/** The specification's own table: code, and when a license denies it. */
const table = readFileSync(join(import.meta.dirname, '../../../../../docs/PROTOCOL.md'), 'utf8')
  .split('### 5.8 Acquire')[1]
  ?.split('### 5.9')[0]
  ?.split('\n')
  .map((line) => /^\| ([a-z][a-z-]*) \| /.exec(line)?.[1])
  .filter((code) => code !== undefined && code !== 'code');

/** What makes a license fail one check: its terms, what is asked for, and who has been there. */
interface Fault {
  readonly terms?: JsonObject;
  readonly item?: Partial<TestItem>;
  readonly waitMs?: number;
  readonly named?: boolean;
  readonly rules?: readonly JsonObject[];
  readonly forMs?: number;
}

const CONFIGURATION_EXPIRES = Date.UTC(2027, 10, 1);
const YEAR = { 2026: Date.UTC(2026, 0, 1), 2027: Date.UTC(2027, 0, 1) };

const FAULTS: Readonly<Record<DenialCode, Fault>> = {
  'unknown-product': { item: { product: 'none' } },
  'unknown-feature': { item: { feature: 'drafting' } },
  'mode-not-allowed': { item: { mode: 'user' } },
  client: { terms: { minimum: { client: 3 } } },
  version: { terms: { versions: { to: '7' } }, item: { version: '8.0' } },
  maintenance: { terms: { maintenance: { until: '2026-06-01T00:00:00Z' } }, item: { releasedAt: YEAR[2027] } },
  'not-yet': { terms: { notBefore: '2029-01-01T00:00:00Z' } },
  expired: { terms: { notAfter: '2026-11-24T00:00:10Z' }, waitMs: 20_000 },
  'configuration-expired': { waitMs: CONFIGURATION_EXPIRES - Date.UTC(2026, 10, 24) },
  rule: { rules: [{ rule: 'deny', product: 'cad' }] },
  named: { terms: { named: { who: 'user', changes: 0, within: 'P1D' } }, named: true },
  units: { terms: { units: 1, seatTime: { every: 'PT1H', units: 5 } } },
  borrowing: { forMs: 60_000 },
  seats: { item: { seats: 2 } },
};

function denialWith(faults: readonly Fault[]): string {
  const one = new TestLedger();
  const first = { quantity: 1, ...(faults.some((fault) => fault.named) && FAULTS.named.terms) };
  one.sell(first);
  const bob = TestSession.opened(one, 'bob');
  one.do(bob.acquire());
  one.do(bob.release(1));
  for (const { rules } of faults) if (rules !== undefined) one.rule(rules);
  const terms = Object.assign({ quantity: 1 }, ...faults.map((fault) => fault.terms)) as JsonObject;
  assert.equal(one.sell(terms, { version: 2 }).kind, 'updated');
  one.wait(Math.max(1, ...faults.map((fault) => fault.waitMs ?? 1)));
  const alice = TestSession.opened(one, 'alice');
  const item = Object.assign({ product: 'cad' }, ...faults.map((fault) => fault.item)) as TestItem;
  const forMs = faults.find((fault) => fault.forMs !== undefined)?.forMs;
  const outcome = one.do(forMs === undefined ? alice.acquire([item]) : alice.borrow(forMs, [item]));
  return outcome.kind === 'denied' ? outcome.code : outcome.kind;
}

describe('the order of checks is that of the specification (PROTOCOL §5.8)', () => {
  test('its table names all codes, in their order', () => assert.deepEqual(table, [...DENIAL_CODES]));

  test('without a fault the seat is granted', () => assert.equal(denialWith([]), 'granted'));

  const codes = Object.keys(FAULTS) as (keyof typeof FAULTS)[];
  for (const code of codes) test(`${code} alone`, () => assert.equal(denialWith([FAULTS[code]]), code));

  for (const [i, earlier] of codes.entries())
    for (const later of codes.slice(i + 1)) {
      if (earlier === 'not-yet' && later === 'expired') continue; // no license is both
      test(`${earlier} before ${later}`, () => assert.equal(denialWith([FAULTS[later], FAULTS[earlier]]), earlier));
    }
});
