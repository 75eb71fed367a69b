import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Fields } from '../fields.ts';
import { durationField, optionalDuration, parseDuration } from './durations.ts';

const DAY = 86_400_000;
const part = fc.option(fc.integer({ min: 0, max: 99_999 }), { nil: undefined });

describe('durations', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['P30D', 30 * DAY],
    ['PT8H', 8 * 3_600_000],
    ['PT90M', 90 * 60_000],
    ['PT1S', 1_000],
    ['PT0S', 0],
    ['P0D', 0],
    ['P1DT12H', 1.5 * DAY],
    ['P1DT2H3M4S', DAY + 2 * 3_600_000 + 3 * 60_000 + 4_000],
    ['PT1H1S', 3_601_000],
    ['P007D', 7 * DAY],
    ['PT999999999S', 999_999_999_000],
  ];
  for (const [text, ms] of cases) test(`${text} is ${ms} ms`, () => assert.equal(parseDuration(text), ms));

  test('have a spelling: no months and years, no fractions, no signs, and at least one part', () => {
    for (const text of [
      ...['', 'P', 'PT', 'P1DT', 'P1M', 'P1Y', 'P1W', 'P1M1D', '30D', 'P30', 'PT30', 'p30d', 'T8H', 'PT1D', 'P1H'],
      ...['PT1M1H', 'PT1S1M', 'P1D1D', 'P-1D', '-P1D', '+P1D', 'P1.5D', 'PT1,5H', 'P 1D', ' P1D', 'P1D ', 'P1D\n'],
      ...['P1234567890D', 'P١D', 'PD', 'PTH', 'P1DT1'],
    ])
      assert.equal(parseDuration(text), undefined, JSON.stringify(text));
  });

  test('mean the sum of their parts, whichever are left out', () => {
    fc.assert(
      fc.property(part, part, part, part, (days, hours, minutes, seconds) => {
        const said = (value: number | undefined, unit: string): string =>
          value === undefined ? '' : `${value}${unit}`;
        const time = said(hours, 'H') + said(minutes, 'M') + said(seconds, 'S');
        const text = `P${said(days, 'D')}${time === '' ? '' : `T${time}`}`;
        const sum = (days ?? 0) * DAY + (hours ?? 0) * 3_600_000 + (minutes ?? 0) * 60_000 + (seconds ?? 0) * 1_000;
        assert.equal(parseDuration(text), text === 'P' ? undefined : sum);
      }),
    );
  });

  test('whatever is read as one has the form', () => {
    const unit = fc.constantFrom(...'PT0123456789DHMS');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 9 }), (text) => {
        const ms = parseDuration(`P${text}`);
        if (ms === undefined) return;
        assert.ok(Number.isSafeInteger(ms) && ms >= 0 && ms % 1_000 === 0);
        assert.match(`P${text}`, /^P(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?$/);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a field that is a duration', () => {
  const read = (value: unknown, min: number, max: number): number =>
    durationField(new Fields({ wait: value as string }, 'terms.transfer'), 'wait', min, max);

  test('has bounds, which are allowed', () => {
    assert.equal(read('PT1S', 1_000, DAY), 1_000);
    assert.equal(read('P1D', 1_000, DAY), DAY);
    assert.equal(read('PT24H', 1_000, DAY), DAY);
  });

  const cases: readonly (readonly [unknown, number, number, string])[] = [
    ['1 day', 0, DAY, 'terms.transfer.wait is not a duration like P30D (30 days) or PT8H (8 hours)'],
    [30, 0, DAY, 'terms.transfer.wait is not a text'],
    ['PT0S', 1_000, DAY, 'terms.transfer.wait is PT0S, allowed are 1 second to 1 day'],
    ['PT86401S', 60_000, DAY, 'terms.transfer.wait is PT86401S, allowed are 1 minute to 1 day'],
    ['P3651D', 0, 3_650 * DAY, 'terms.transfer.wait is P3651D, allowed are 0 seconds to 3650 days'],
    ['PT1M', 5_400_000, DAY, 'terms.transfer.wait is PT1M, allowed are 90 minutes to 1 day'],
    ['P999999999D', 0, 7_200_000, 'terms.transfer.wait is P999999999D, allowed are 0 seconds to 2 hours'],
  ];
  for (const [value, min, max, message] of cases)
    test(message, () =>
      assert.throws(() => read(value, min, max), { name: 'LicenseError', code: 'malformed', message }),
    );

  test('may be left out', () => {
    assert.equal(optionalDuration(new Fields({}, ''), 'wait', 0, DAY), undefined);
    assert.equal(optionalDuration(new Fields({ wait: 'PT0S' }, ''), 'wait', 0, DAY), 0);
  });
});
