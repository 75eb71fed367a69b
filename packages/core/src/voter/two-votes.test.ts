/**
 * An honest license server whose disk is whole must not be made to sign two votes at one place by one false license server and
 * one false TMR server (PROTOCOL §9.4, §9.11): a promise of its own and one of the false server justified epoch e, in which it
 * voted; after a new start two others are shown, for the false one promises e twice.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogRecord } from '../records.ts';
import type { ToProposer } from '../messages.ts';
import type { Signed } from '../signed.ts';
import { Bench, context, group, promisesFor, proposeOf, refusalOf, START } from './bench.ts';
import { recoverVoter } from './recover.ts';
import { CLEAN_RESTART } from './membership.ts';
import { startRejoin } from './rejoin.ts';

const voteIn = (answers: readonly ToProposer[]): Signed => {
  const [vote] = answers.flatMap((answer) => (answer.kind === 'vote' ? [answer.vote] : []));
  assert.ok(vote !== undefined);
  return vote;
};

test('no two votes at one place by an honest server with a whole disk', () => {
  const [l1, l2, l3] = group();
  // Epoch 2 of A, on the promises of L1 and L3.
  const first = voteIn(l1.say('A', proposeOf(l1, 2, { justification: promisesFor(1, 'A', [l1, l3]) })));
  // L1 is killed and started anew, with all that it has ever written.
  const records = l1.effects.flatMap((effect): readonly LogRecord[] =>
    effect.kind === 'persist' || effect.kind === 'note' ? effect.records : [],
  );
  const again = new Bench(1);
  const recovered = recoverVoter(context, 1, { records, snapshot: undefined }, again.clock);
  assert.equal(recovered.kind, 'recovered');
  again.voter = recovered.voter;
  assert.deepEqual(again.voter.signedHigh?.statement, first.bytes); // it knows what it has signed
  for (const effect of startRejoin(again.voter, new Uint8Array(16).fill(9), CLEAN_RESTART, again.clock))
    again.carryOut(effect);
  const [rejoin] = again.voter.rejoin?.signed ?? [];
  assert.ok(rejoin !== undefined);
  // L2 is honest: it stores the REJOIN, and promises epoch 2, of which it hears for the first time.
  l2.say('A', { kind: 'rejoin', member: 1, rejoin });
  // L3 is false: it promises epoch 2 once more, as if it had not.
  const liar = new Bench(3);
  liar.say('A', { kind: 'rejoin', member: 1, rejoin });
  const justification = promisesFor(1, 'A', [l2, liar]);
  const other = again.say('A', proposeOf(again, 2, { justification, utc: START + 1 }));
  assert.equal(refusalOf(other), 'equivocation');
});
