/** Behind a statement that it has forgotten a server starts anew before it takes up what else has waited. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeAccept } from '@trefoil/license';
import { group, one, promisesFor, proposeOf } from './bench.ts';
import { startRejoin } from './rejoin.ts';

test('L1, put back and gone on alone, is shown a forgotten vote while it signs a promise; the epoch that takes it in comes next', () => {
  const benches = group();
  const [l1, l2, l3] = benches;
  const incarnation = new Uint8Array(16).fill(9);
  for (const effect of startRejoin(l1.voter, incarnation, 're-joining after a start', l1.clock)) l1.carryOut(effect);
  for (const bench of benches) bench.now = 2_500;
  l1.step({ kind: 'tick' });
  assert.ok(l1.voter.unanchored);
  for (const peer of [l2, l3])
    for (const rejoin of l1.voter.rejoin?.signed ?? []) peer.say('A', { kind: 'rejoin', member: 1, rejoin });
  // What it signed before its store was put back.
  const old = encodeAccept({
    set: one.set,
    configVersion: 1,
    epoch: 3,
    index: 5,
    head: new Uint8Array(32).fill(5),
    outcomesRoot: new Uint8Array(32),
    leafCount: 0,
    logTime: 0,
    utc: 0,
  });
  const vote = { bytes: old, signature: (one.containers[0] as typeof one.root).sign(old) };
  l1.held = []; // its disk and its container take their time
  l1.prepare(5);
  const justification = promisesFor(5, 'A', [l2, l3]);
  l1.say('B', { kind: 'shown', vote });
  l1.say('A', proposeOf(l1, 10, { justification }));
  for (let held = l1.held; held !== undefined && held.length > 0; held = l1.held) {
    l1.held = [];
    for (const event of held) l1.step(event);
  }
  assert.match(l1.voter.withholding, /older than a vote for entry 5 in epoch 3/);
  assert.equal(l1.voter.signedHigh?.accept.epoch, undefined);
});
