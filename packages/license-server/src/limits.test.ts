import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@trefoil/core';
import { STORE_LIMITS } from './log-store/limits.ts';

test('the log store takes whatever a voter may want to be made durable', () => {
  const beside = 16 * 1024; // statement, certificate, numbers
  // Entries taken over are one record; a vote with its entry another; what a new file begins with, one append.
  assert.ok(LIMITS.chunkBytes + beside <= STORE_LIMITS.recordBytes);
  assert.ok(LIMITS.entryBytes + beside <= STORE_LIMITS.recordBytes);
  assert.ok(LIMITS.checkpointBytes + beside <= STORE_LIMITS.frameBytes);
  // Notes that wait for the next vote, up to 1 MiB and one more of them, and the vote.
  assert.ok(1024 * 1024 + LIMITS.chunkBytes + LIMITS.entryBytes + beside <= STORE_LIMITS.frameBytes);
});
