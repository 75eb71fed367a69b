import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS as FORMAT } from '@trefoil/license';
import { freeAt, LIMITS } from './limits.ts';

/** At most: three codes, two names, hashes, numbers. */
const GRANT_BYTES = 3 * FORMAT.codeBytes + 2 * FORMAT.nameBytes + 3 * 32 + 100;

test('the limits fit each other', () => {
  const relations: readonly (readonly [string, boolean])[] = [
    ['an update fits an entry', FORMAT.updateBytes + 1_024 <= LIMITS.entryBytes],
    ['a batch fits an entry', LIMITS.batchBytes + 8 * LIMITS.batchCommands <= LIMITS.entryBytes],
    ['a chunk and an entry behind it fit a message', 2 * LIMITS.feedBytes + LIMITS.entryBytes <= LIMITS.chunkBytes],
    ['three beats before a takeover', 3 * LIMITS.beatMs <= LIMITS.takeoverAfterMs],
    ['an idle group keeps its log clock running', 2 * LIMITS.idleEntryMs <= LIMITS.logClockRunMs],
    ['an idle group counts as living', LIMITS.idleEntryMs < LIMITS.certificateFreshMs],
    ['a stuck entry is given up after it was sent again', LIMITS.stuckMs >= 4 * LIMITS.retryPrepareMaxMs],
    ['a log in memory reaches back to the last snapshot', LIMITS.logBytesInMemory >= 2 * LIMITS.snapshotEveryBytes],
    ['an ended session is known as long as its open is not stale', LIMITS.openWindowMs >= LIMITS.sessionTimeoutMs],
    ['sessions live between the bounds of terms', LIMITS.sessionTimeoutMs >= FORMAT.sessionTimeoutMinMs],
    ['the first held-back wish is granted before the pause', LIMITS.reluctantMs < LIMITS.reluctanceMinMs],
    ['a renewal fits a grant bundle', LIMITS.itemsPerSession <= FORMAT.licensesPerBundle],
    ['and a remembered outcome', LIMITS.itemsPerSession * GRANT_BYTES <= FORMAT.documentBytes],
    [
      'any command fits an entry by what it brings about',
      LIMITS.itemsPerSession * GRANT_BYTES < LIMITS.outcomeBytes / 8,
    ],
    ['a full entry of denials, too', LIMITS.batchCommands * 1_024 <= LIMITS.outcomeBytes],
    ['all sessions with a seat each fit the ledger', LIMITS.sessions * 1_800 <= LIMITS.ledgerBytes],
    ['and no more records than may be', LIMITS.ledgerBytes / 200 + 10_000 <= LIMITS.ledgerRecords],
    ['and the ledger a frame, with the licenses', LIMITS.ledgerBytes + 32 * 1024 * 1024 <= 256 * 1024 * 1024],
    ['a vote and a certificate together leave ε', 2 * LIMITS.ceilingSlackMs === LIMITS.clockSlackMs],
    ['a wall clock may jitter within ε', LIMITS.clockSlackMs < LIMITS.wallSlackMs],
  ];
  assert.deepEqual(
    relations.filter(([, holds]) => !holds).map(([what]) => what),
    [],
  );
});

test('a seat is free when its life has run out by any clock (PROTOCOL §6.7)', () => {
  // The client's clock may be slow by ρ/2, the voters' fast by ρ/2: the client stops at D(1 − ρ) by its own.
  const lifeMs = 60_000;
  const clientStopsAfter = (lifeMs * (1 - LIMITS.clockRate)) / (1 - LIMITS.clockRate / 2);
  const groupFreesAfter = (freeAt(0, lifeMs) - LIMITS.clockSlackMs) / (1 + LIMITS.clockRate / 2);
  assert.ok(clientStopsAfter < groupFreesAfter);
});
