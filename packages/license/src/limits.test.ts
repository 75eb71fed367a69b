import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from './limits.ts';

test('the limits fit each other', () => {
  const base64 = 4 / 3;
  // A license of full size still fits an update and a bundle.
  assert.ok(LIMITS.documentBytes * base64 + 4_096 < LIMITS.updateBytes);
  assert.ok(LIMITS.documentBytes + 64 * 1024 < LIMITS.grantBundleBytes);
  // An outcome of an acquire of full size, in base64, in a bundle.
  const grantBytes = 4 * (2 + LIMITS.codeBytes) + 2 * (2 + LIMITS.nameBytes) + 200;
  assert.ok(LIMITS.itemsPerAcquire * grantBytes * base64 < LIMITS.documentBytes);
  assert.ok(LIMITS.itemsPerAcquire <= LIMITS.licensesPerBundle);
  // Counts that travel in one or two bytes.
  assert.ok(LIMITS.itemsPerAcquire <= 0xff && LIMITS.holdersInDenial <= 0xff);
  assert.ok(LIMITS.licensesPerUpdate <= 0xffff);
  // Times that travel in four bytes; seats, too.
  assert.ok(LIMITS.sessionTimeoutMaxMs <= 0xffff_ffff && LIMITS.quantity <= 0xffff_ffff);
  assert.ok(LIMITS.sessionTimeoutMinMs <= LIMITS.sessionTimeoutDefaultMs);
  assert.ok(LIMITS.sessionTimeoutDefaultMs <= LIMITS.sessionTimeoutMaxMs);
  for (const ms of [
    LIMITS.sessionTimeoutMinMs,
    LIMITS.sessionTimeoutMaxMs,
    LIMITS.sessionTimeoutDefaultMs,
    LIMITS.lingerMaxMs,
  ])
    assert.equal(ms % 1_000, 0, 'terms are in seconds');
  // Every product of license and quantity stays a safe integer.
  assert.ok(Number.isSafeInteger(LIMITS.quantity * LIMITS.licensesPerUpdate));
  // Four numbers of nine digits and their dots.
  assert.equal(LIMITS.versionBytes, 4 * 9 + 3);
  assert.ok(LIMITS.waitMs <= 0xffff_ffff && LIMITS.borrowingMs <= LIMITS.durationMs);
  // Seats times tokens, and an overdraft of 1,000 percent, stay safe integers.
  assert.ok(Number.isSafeInteger(0xffff_ffff * LIMITS.tokens) && Number.isSafeInteger(LIMITS.quantity * 1_000));
  // A license with all that the application and the customer may have in it is no document above the limit.
  const customer = LIMITS.licenseTexts * (LIMITS.codeBytes + LIMITS.nameBytes);
  assert.ok((LIMITS.vendorDataBytes * base64 + customer + 4_096) * base64 < LIMITS.documentBytes);
  assert.ok(LIMITS.proofHashes < 32, 'a leaf index is a number of 32 bits');
});
