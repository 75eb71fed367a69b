import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trefoil } from './running-group.ts';

interface Figures {
  readonly granted: number;
  readonly denied: number;
  readonly failedCalls: number;
  readonly licenseServerKill: { readonly maxGapMs: number };
  readonly tmrServerKill: { readonly maxGapMs: number };
  readonly caughtUp: boolean;
  readonly afterUpdate: { readonly quantity: number; readonly granted: number };
  readonly singleConstituent: string;
  readonly offlineVerified: boolean;
  readonly secondsTaken: number;
}

test('the demo tells its story to the end, and its figures hold', { timeout: 120_000 }, async () => {
  const { code, stdout, stderr } = await trefoil(['demo', '--once', '--json']);
  assert.equal(code, 0, stderr);
  const figures = JSON.parse(stdout) as Figures;
  assert.equal(figures.granted, 5);
  assert.equal(figures.denied, 3);
  assert.equal(figures.failedCalls, 0);
  assert.deepEqual(figures.afterUpdate, { quantity: 6, granted: 6 });
  assert.equal(figures.singleConstituent, 'refused');
  assert.equal(figures.offlineVerified, true);
  assert.equal(figures.caughtUp, true);
  assert.ok(figures.secondsTaken < 90, `took ${String(figures.secondsTaken)} s`);
  // Gaps are aims: printed beside their targets, no reason to fail.
  const { licenseServerKill, tmrServerKill } = figures;
  process.stderr.write(`license server killed: longest gap ${licenseServerKill.maxGapMs} ms (aim 20)\n`);
  process.stderr.write(`active TMR server killed: longest gap ${tmrServerKill.maxGapMs} ms (aim 250)\n`);
});
