/**
 * An entry that two have signed, whose certificate a false license server alone was given. It shows it with its promise and gives nothing;
 * but another shows the very entry with its own.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificateOf, group, promisesFor, proposeOf } from '../voter/bench.ts';
import { ProposerBench } from './bench.ts';

for (const lies of [false, true])
  test(`L1 ${lies ? 'answers no fetch' : 'is honest'}; A is gone, and B wants to lead`, () => {
    const voters = group();
    const [l1, l2, l3] = voters;
    const justification = promisesFor(1, 'A', voters);
    const propose = proposeOf(l1, 2, { justification });
    for (const voter of [l1, l2]) assert.equal(voter.say('A', propose)[0]?.kind, 'vote');
    l1.say('A', { kind: 'certified', certificate: certificateOf([l1, l2]) });
    for (const voter of voters) voter.step({ kind: 'linkDown', from: 'A' });
    assert.deepEqual(
      [l1, l2, l3].map(({ voter: { replica } }) => [replica.certifiedIndex, replica.lastIndex]),
      [
        [1, 1],
        [0, 1],
        [0, 0],
      ],
    );
    const bench = new ProposerBench('B', voters);
    for (let now = 10; now <= 60_000; now += 10) {
      const effects = bench.tick(now);
      for (const member of [1, 2, 3] as const) effects.push(...bench.hears(member, bench.status(member)));
      const isFetch = (one: (typeof effects)[number]): boolean =>
        one.kind === 'send' && one.member === 1 && one.message.kind === 'fetch';
      bench.passOn(lies ? effects.filter((one) => !isFetch(one)) : effects);
    }
    const certified = voters.map(({ voter }) => voter.replica.certifiedIndex);
    assert.ok((certified[1] ?? 0) > 10 && (certified[2] ?? 0) > 10, 'L2, L3 and B hear each other for a minute');
  });
