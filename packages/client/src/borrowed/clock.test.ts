import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BorrowerClock } from './clock.ts';

const MINUTE = 60_000;
const START = Date.UTC(2026, 10, 24);

/** A machine whose clock the test sets. */
function machine(): { monotonicMs: number; wallMs: number; now(): { monotonicMs: number; wallMs: number } } {
  return {
    monotonicMs: 0,
    wallMs: START,
    now() {
      return { monotonicMs: this.monotonicMs, wallMs: this.wallMs };
    },
  };
}

describe("the clock of a borrower's machine (PROTOCOL §5.18)", () => {
  test('goes with the wall clock, also through a sleep', () => {
    const one = machine();
    const clock = new BorrowerClock(one, START - 1);
    assert.equal(clock.now(), START);
    one.wallMs += 8 * 60 * MINUTE;
    one.monotonicMs += 10;
    assert.equal(clock.now(), START + 8 * 60 * MINUTE);
    assert.equal(clock.setBackMs, 0);
  });

  test('never falls: neither while it is open nor below what was seen before', () => {
    const one = machine();
    const clock = new BorrowerClock(one, START + 10 * MINUTE);
    assert.equal(clock.now(), START + 10 * MINUTE);
    assert.equal(clock.setBackMs, 10 * MINUTE);
    one.wallMs += 10 * MINUTE;
    assert.equal(clock.setBackMs, 0);
    one.wallMs -= 6 * MINUTE;
    assert.equal(clock.now(), START + 10 * MINUTE);
    assert.equal(clock.setBackMs, 6 * MINUTE);
  });

  test('put right by some minutes, it is not set back; and what passes meanwhile counts', () => {
    const one = machine();
    const clock = new BorrowerClock(one, START);
    one.wallMs -= 5 * MINUTE;
    assert.equal(clock.setBackMs, 0);
    one.wallMs -= 1;
    assert.equal(clock.setBackMs, 5 * MINUTE + 1);
    one.monotonicMs += 3 * MINUTE; // it stands still
    assert.equal(clock.now(), START + 3 * MINUTE);
  });
});
