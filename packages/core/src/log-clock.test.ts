import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from './limits.ts';
import {
  ceilingAt,
  clockCertified,
  clockVoted,
  type LogClock,
  readLogClock,
  startLogClock,
  utcAllowed,
} from './log-clock.ts';

/** Votes as a license server does: only for what its ceiling lets pass. */
function propose(clock: LogClock, logTime: number, nowMs: number): boolean {
  if (logTime < clock.newest || logTime > ceilingAt(clock, nowMs)) return false;
  clockVoted(clock, logTime, nowMs);
  return true;
}

describe('the ceiling on log time (PROTOCOL §6.2)', () => {
  for (const everyMs of [0.5, 2, 10, 1_000])
    test(`a TMR server that always proposes the most, every ${everyMs} ms, gains 1 % and ε`, () => {
      const clock = startLogClock(0, 0);
      const minutes = 1;
      let logTime = 0;
      for (let now = 0; now <= minutes * 60_000; now += everyMs) {
        const most = Math.floor(ceilingAt(clock, now));
        if (propose(clock, most, now)) logTime = most;
      }
      assert.ok(
        logTime <= minutes * 60_000 * (1 + LIMITS.clockRate) + LIMITS.clockSlackMs,
        `log time ran to ${logTime}`,
      );
    });

  test('certificates raise it to their time, never above: ε does not add up through them', () => {
    const clock = startLogClock(0, 0);
    for (let i = 1; i <= 1_000; i++) clockCertified(clock, i, 0, false);
    assert.equal(ceilingAt(clock, 0), 1_000);
  });

  test('an outage moves it two seconds, however long it lasts', () => {
    const clock = startLogClock(5_000, 0);
    assert.ok(ceilingAt(clock, 3_600_000) <= 5_000 + LIMITS.logClockRunMs + LIMITS.clockSlackMs);
    assert.equal(readLogClock(clock, 3_600_000), 5_000 + LIMITS.logClockRunMs);
  });

  test('a server that was away for an hour votes at once, for what the others have let pass', () => {
    const clock = startLogClock(5_000, 0);
    const now = 3_600_000;
    assert.ok(!propose(clock, 5_000 + now, now));
    clockCertified(clock, 5_000 + now, now, false);
    assert.ok(propose(clock, 5_000 + now, now));
    assert.ok(!propose(clock, 5_100 + now, now + 1));
    assert.ok(propose(clock, 5_100 + now, now + 100));
  });

  test('an old entry that is signed again takes the reading back below the ceiling', () => {
    const clock = startLogClock(0, 0);
    assert.ok(propose(clock, 0, 0));
    clockVoted(clock, 0, 1_500); // the same entry, in a new epoch
    assert.ok(readLogClock(clock, 1_500) <= ceilingAt(clock, 1_500));
    assert.ok(propose(clock, readLogClock(clock, 1_600), 1_600));
  });
});

describe('a lying leader beside one server whose clock is wrong (PROTOCOL §11.6)', () => {
  /** Two honest clocks; the third lets everything pass. Each entry is voted for by two, the others hear of it then or later. */
  const step = fc.record({
    afterMs: fc.constantFrom(0, 1, 40, 300, 1_000, 2_500),
    /** 0, 1: that one and the wrong clock; 2: the two that are right. */
    voters: fc.nat(2),
    fast: fc.boolean(),
    /** The honest one that didn't vote sees the certificate at once; else before it votes itself. */
    heard: fc.boolean(),
  });

  test('gains no more than ε on true time from any entry to a later one', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const clocks = [startLogClock(0, 0), startLogClock(0, 0)] as const;
        let now = 0;
        let newest = 0;
        let voted: readonly LogClock[] = [];
        let slowest = Infinity;
        const hears = (clock: LogClock): void => clockCertified(clock, newest, now, voted.includes(clock));
        for (const { afterMs, voters, fast, heard } of steps) {
          now += afterMs;
          const honest = voters === 2 ? clocks : [clocks[voters] as LogClock];
          honest.forEach(hears);
          if (fast) newest = Math.max(newest, Math.floor(Math.min(...honest.map((one) => ceilingAt(one, now)))));
          for (const clock of honest) assert.ok(propose(clock, newest, now), 'what is certified can be followed');
          voted = honest;
          if (heard) clocks.forEach(hears);
          const course = newest - (1 + LIMITS.clockRate) * now;
          assert.ok(course - slowest <= LIMITS.clockSlackMs + 0.01, `gained ${course - slowest} ms`);
          slowest = Math.min(slowest, course);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('the reading', () => {
  test('keeps pace under load, though each entry takes a while to come', () => {
    const clock = startLogClock(0, 0);
    let now = 0;
    for (; now < 10_000; now += 1.5) {
      // The TMR server proposes what it was told last; it arrives 0.7 ms later.
      const told = readLogClock(clock, now);
      assert.ok(propose(clock, told, now + 0.7));
    }
    assert.ok(now - readLogClock(clock, now) < 5, `${now - readLogClock(clock, now)} ms lost in ten seconds`);
  });

  test('is never above the ceiling', () => {
    const clock = startLogClock(0, 0);
    let now = 0;
    for (let i = 0; i < 2_000; i++) {
      now += (i * 7_919) % 700;
      if (i % 3 === 0) clockCertified(clock, clock.newest + ((i * 31) % 400), now, i % 2 === 0);
      else propose(clock, Math.max(clock.newest, readLogClock(clock, now)), now);
      assert.ok(readLogClock(clock, now) <= ceilingAt(clock, now));
    }
  });
});

describe('UTC (PROTOCOL §6.3)', () => {
  const before = { index: 9, logTime: 1_000, utc: 50_000_000, utcLead: 0 };
  const allowed = (logTime: number, utc: number, wallMs: number, lead = 0): boolean =>
    utcAllowed({ ...before, utcLead: lead }, { logTime, utc }, wallMs);

  test('the course of log time is always accepted, less never', () => {
    assert.ok(allowed(1_500, 50_000_500, 0));
    assert.ok(!allowed(1_500, 50_000_499, 99_000_000));
  });

  test('more, up to the own wall clock and δ', () => {
    assert.ok(allowed(1_000, 50_010_000, 50_010_000 - LIMITS.wallSlackMs));
    assert.ok(!allowed(1_000, 50_010_001, 50_010_000 - LIMITS.wallSlackMs));
  });

  test('and a day in total', () => {
    const far = 50_000_000 + LIMITS.utcLeadMs;
    assert.ok(allowed(1_000, far, far));
    assert.ok(!allowed(1_000, far, far, 1));
    assert.ok(!allowed(1_000, far + 1, far + 1));
    assert.ok(!allowed(1_000, far + 1, Infinity), 'also where no wall clock is asked');
  });

  test('the first entry sets it', () => {
    const empty = { index: 0, logTime: 0, utc: 0, utcLead: 0 };
    assert.ok(utcAllowed(empty, { logTime: 0, utc: 1_000_000 }, 999_000));
    assert.ok(!utcAllowed(empty, { logTime: 0, utc: 1_000_000 }, 997_000));
  });
});
