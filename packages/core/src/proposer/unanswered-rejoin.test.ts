/**
 * After an ordinary start of one server, a false one says that it knows the start and can promise, and answers no PREPARE: the fresh
 * epochs that it costs become rare.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { group } from '../voter/bench.ts';
import { CLEAN_RESTART } from '../voter/membership.ts';
import { startRejoin } from '../voter/rejoin.ts';
import { ProposerBench } from './bench.ts';

for (const lies of [false, true])
  test(`L3 ${lies ? 'answers no PREPARE' : 'is honest'}`, () => {
    const voters = group();
    const [l1] = voters;
    for (const effect of startRejoin(l1.voter, new Uint8Array(16).fill(9), CLEAN_RESTART, l1.clock))
      l1.carryOut(effect);
    const bench = new ProposerBench('A', voters);
    let leading = 0;
    let gap = 0;
    for (let now = 10; now <= 63_000; now += 10) {
      const effects = bench.tick(now);
      for (const voter of voters) voter.step({ kind: 'tick' });
      for (const member of [1, 2, 3] as const) effects.push(...bench.hears(member, bench.status(member)));
      const lost = (one: (typeof effects)[number]): boolean =>
        lies && one.kind === 'send' && one.member === 3 && one.message.kind === 'prepare';
      bench.passOn(effects.filter((one) => !lost(one)));
      if (now <= 3_000) continue;
      gap = bench.proposer.role === 'leading' ? 0 : gap + 10;
      if (gap === 0) leading++;
    }
    const epochs = bench.effects.filter((one) => one.kind === 'role' && one.role === 'preparing').length;
    assert.ok(epochs < 40, `${epochs} epochs`);
    assert.ok(leading > 5_700, `led ${leading} of 6,000 times`);
  });
