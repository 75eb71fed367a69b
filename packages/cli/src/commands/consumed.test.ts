import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consumedLine } from './consumed.ts';

test('what was used up, and what is left in which licenses', () => {
  const part = (license: string, units: number, left: number) => ({ item: 0, license, version: 1, units, left });
  assert.equal(
    consumedLine('ren', { units: 1, remaining: 99, parts: [part('u-1', 1, 99)] }),
    'consumed 1 unit of ren; 99 are left in license u-1',
  );
  assert.equal(
    consumedLine('ren', { units: 101, remaining: 1, parts: [part('u-1', 100, 0), part('u-2', 1, 1)] }),
    'consumed 101 units of ren; 1 is left in licenses u-1, u-2',
  );
  assert.equal(
    consumedLine('ren', { units: 2, remaining: Infinity, parts: [part('u-1', 2, 2 ** 53 - 1)] }),
    'consumed 2 units of ren; there is no limit in license u-1',
  );
});
