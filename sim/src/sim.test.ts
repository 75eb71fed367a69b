import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { REFUSALS } from '@trefoil/core';
import { BUGS } from './bugs.ts';
import { NEVER_REFUSED } from './checks.ts';
import { FAULTS } from './faults.ts';
import { lieNames } from './lies.ts';
import { runMany } from './many.ts';
import { run } from './run.ts';
import { TREASONS } from './traitor.ts';

test('a seed is the same run again, bit for bit', async () => {
  const [one, again] = [await run(7), await run(7)];
  assert.equal(one.traceHash, again.traceHash);
  assert.deepEqual(one.notes, again.notes);
  assert.notEqual(one.traceHash, (await run(8)).traceHash);
});

/** A piece in which all that is asked for below happens: the rarest of it is in the seeds 138, 174 and 183 only. */
const FROM = 11;
const SEEDS = 176;
/** What is in a hundredth of the runs is in this one. */
const RARE = 756;

/** Each branch of the protocol has a message, a refusal or an alarm of its own. */
const MESSAGES = {
  voter: [
    'beat',
    'prepare',
    'propose',
    'certified',
    'entries',
    'snapshot',
    'fetch',
    'rejoin',
    'shown',
    'knownAs',
    'resign',
    'about',
  ],
  proposer: ['status', 'vote', 'promise', 'refused', 'superseded', 'handOver', 'entries', 'snapshot', 'asked', 'about'],
};
const ALARMS = [
  'unanchored',
  'rolled-back',
  'equivocation',
  'double-vote',
  'odd-vote',
  'own-outcomes-differ',
  'bad-feed',
  'bad-promise',
  'refused',
  'replaced',
  'newer-rules',
];

/** Of licenses that say more than a quantity, and of the customer's rules. */
const ANSWERS = [
  ...['seats', 'units', 'named', 'rule', 'expired', 'unknown-feature', 'borrowing'].map((code) => `denied ${code}`),
  ...['older-rules', 'unknown-name', 'in-use', 'too-soon'].map((code) => `refused ${code}`),
  ...['ruled', 'unnamed', 'queued'],
];

test('some seeds: nothing is found, and everything that can go wrong does', async () => {
  const { failed, counts } = await runMany({
    ...{ from: FROM, seeds: SEEDS, workers: availableParallelism() },
    // Where the log has forked, nothing is promised from there on.
    onResult: ({ seed, entries, harms, cutShort, faults }) =>
      assert.ok((entries >= 300 && harms >= 5) || cutShort || faults.length > 0, `${seed}: ${entries}, ${harms}`),
  });
  const { failed: alsoFailed, counts: rare } = await runMany({ from: RARE, seeds: 1, workers: 1 });
  const given = (verdict: string): number => counts.get(`history ${verdict}`) ?? 0;
  assert.ok(given('gave-up') <= given('linearizable') / 100, 'searches for an order that were given up');
  assert.deepEqual(
    [...failed, ...alsoFailed].map(({ seed, faults }) => `npm run -s sim -- ${seed}: ${faults.join('; ')}`),
    [],
  );
  const commands = [
    'open',
    'acquire',
    'renew',
    'release',
    'consume',
    'close',
    'update',
    'evict',
    'forged',
    'acquire, and wait',
    'acquire by taste',
    'consume, several items',
    'rules',
    'unname',
    'borrow',
    'borrow or extend, asked again',
    'extend',
    'give back',
    'write-off',
    'reconfigure',
  ];
  const expected = [
    ...Object.keys(FAULTS).map((name) => `fault: ${name}`),
    'a program was exchanged',
    ...lieNames(true).map((name) => `lie: ${name}`),
    ...Object.keys(TREASONS).map((name) => `treason: ${name}`),
    ...commands.map((name) => `command ${name}`),
    ...['proof: two-proposals', 'proof: two-votes', 'asked again after no answer', 'an entry invented'],
    ...MESSAGES.voter.map((kind) => `a license server hears: ${kind}`),
    ...MESSAGES.proposer.map((kind) => `a TMR server hears: ${kind}`),
    ...REFUSALS.filter((reason) => !NEVER_REFUSED.includes(reason)).map((reason) => `refused: ${reason}`),
    ...ALARMS.map((alarm) => `alarm: ${alarm}`),
    ...['follower', 'preparing', 'leading'].map((role) => `role changed: ${role}`),
    ...['re-joined', 'an unconfirmed write at the end of the log was cut'],
    ...['served after a wait', 'log set aside', 'log replayed in commit order', 'history linearizable'],
    "a client's wall clock was set back before it slept",
    ...ANSWERS.map((answer) => `outcome ${answer}`),
    ...['seats beyond the quantity', 'seats kept for others', 'a seat that has ended is not renewed'],
    ...['units of several licenses at once', 'units of several items at once'],
    ...['a seat that is not paid for is not renewed', 'waits for what the books know'],
    ...['seats that leave', 'an extension that is denied', 'a laptop is lost with what it has borrowed'],
    ...['replaced: a dead one', 'replaced: one that votes', 'a license server was replaced'],
    ...['served after a wait, in the books', 'an end of what is waited for in vain'],
  ];
  assert.deepEqual(
    expected.filter((what) => !counts.has(what) && !rare.has(what)),
    [],
    'what never happened',
  );
});

test('each seeded bug still fits the text of the product', () => {
  for (const { name, file, find } of BUGS) {
    const text = readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
    assert.equal(text.split(find).length, 2, `${name}: ${file} does not have exactly one: ${find}`);
  }
});
