import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RefusalReports, type Refusal } from './refusals.ts';

test('refusals are told once a minute for each address, with how many were not told', () => {
  const told: Refusal[] = [];
  const reports = new RefusalReports((refusal) => told.push(refusal));
  for (let second = 0; second < 61; second++) reports.refused('192.0.2.1', 'no certificate', second * 1_000);
  reports.refused('192.0.2.2', 'no certificate', 61_000);
  assert.deepEqual(
    told.map(({ address, suppressed }) => [address, suppressed]),
    [
      ['192.0.2.1', 0],
      ['192.0.2.1', 59],
      ['192.0.2.2', 0],
    ],
  );
});

test('the list of addresses does not grow without end', () => {
  let told = 0;
  const reports = new RefusalReports(() => void told++);
  for (let address = 0; address < 1_001; address++) reports.refused(String(address), '', 0);
  reports.refused('1', '', 1); // still known
  assert.equal(told, 1_001);
  reports.refused('0', '', 1); // forgotten, so told again
  assert.equal(told, 1_002);
});
