import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Outcome } from '@trefoil/license';
import { denialSentence } from './sentences.ts';

type Denied = Outcome & { kind: 'denied' };

const holder = { user: 'anna', host: 'ws-1', sinceUtc: Date.UTC(2026, 10, 24), seats: 1, idleMs: 0, untilUtc: 0 };

function said(code: Denied['code'], more: Partial<Denied> = {}): string {
  return denialSentence({
    ...{ kind: 'denied', code, product: 'cad', feature: '', quantity: 2, free: 0, waiting: 0, at: 0, detail: '' },
    ...{ holders: [], commandHash: new Uint8Array(32), session: new Uint8Array(16), requestId: 1 },
    ...more,
  });
}
const seats = (more: Partial<Denied>): string => said('seats', { holders: [holder], ...more });

describe('why there is no seat, in a sentence', () => {
  test('others have them', () => {
    assert.equal(seats({}), 'All 2 seats of cad are taken: anna on ws-1 since 2026-11-24 00:00 UTC.');
    assert.match(seats({ quantity: 1 }), /^The only seat of cad is taken: anna/);
    assert.match(seats({ free: 1, waiting: 1 }), /^Only 1 of 2 seats of cad is free\. One is waiting\.$/);
  });

  test('nobody is blamed where it is something else', () => {
    const cases: Readonly<Record<string, string>> = {
      exclusive: 'This computer has a seat of cad already, and the license allows one use for each computer.',
      'borrowing 1 2': 'Only 2 seats of cad may be borrowed at a time, and 1 is left.',
      'borrowing 2 2': 'Only 2 seats of cad may be borrowed at a time.',
      'most 2': 'The license for cad has only 2 seats: more can never be granted.',
      'most 0': 'The license for cad has no seat: more can never be granted.',
      'units 1': 'The license for cad has units left for 1 seat only; the vendor sells more.',
    };
    for (const [detail, sentence] of Object.entries(cases)) assert.equal(seats({ free: 1, detail }), sentence);
    assert.match(seats({ detail: 'waiting', waiting: 1 }), /is for those who wait for it\. One is waiting\.$/);
    assert.match(seats({ detail: 'reserved' }), /reserved for others by an administrator/);
    assert.match(seats({ detail: 'apart' }), /have to come from one/);
  });

  test('what the application did not say is named', () => {
    assert.match(said('version', { detail: 'unsaid 5-7' }), /\(5-7\), and .* --product-version, or as "version" of/);
    assert.match(said('version', { detail: '5-7' }), /is not for this version of the application \(but for 5-7\)\.$/);
    const at = Date.UTC(2027, 0, 1);
    assert.match(
      said('maintenance', { at, detail: 'unsaid' }),
      /before 2027-01-01, and .* --released, or as "releasedAt"/,
    );
    assert.match(
      said('maintenance', { at, detail: 'unsaid 2026-01-01' }),
      /for releases from 2026-01-01 and before 2027-01-01, and /,
    );
    assert.match(
      said('maintenance', { at, detail: '2026-01-01' }),
      /from 2026-01-01 .*: the maintenance does not cover/,
    );
  });

  test('what would help', () => {
    assert.match(said('unknown-product'), /"trefoil licenses"/);
    assert.match(said('rule', { detail: 'deny cad' }), /\(deny cad\): ask the administrator; "trefoil rules show"/);
    assert.match(said('units', { detail: '3' }), /has 3 units left: too few/);
    assert.match(said('named', { quantity: 1 }), /^The only seat of cad belongs to another user/);
  });
});
