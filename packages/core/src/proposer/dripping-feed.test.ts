/**
 * A false license server that gives true entries, one by one and late, must not be asked again and again because it says that it
 * has most.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProposerBench } from './bench.ts';

for (const lies of [false, true])
  test(`A dies after 1000 entries, B has just started; L1 ${lies ? 'gives one entry after 290 ms, whenever asked' : 'is honest'}`, () => {
    const first = new ProposerBench('A');
    for (let now = 50; first.proposer.replica.certifiedIndex < 1_000; now += 50) {
      const effects = first.tick(now);
      for (const member of [1, 2, 3] as const) effects.push(...first.hears(member, first.status(member)));
      first.passOn(effects);
    }
    const { voters } = first;
    for (const voter of voters) voter.step({ kind: 'linkDown', from: 'A' });
    const bench = new ProposerBench('B', voters);
    const start = first.now;
    bench.tick(start); // the bench begins at 0: now it has just started
    bench.proposer.members[1].gaveNone = false;
    bench.proposer.following = undefined;
    const at = voters[1].voter.replica.certifiedIndex;
    const late: { at: number; from: number }[] = [];
    let led = 0;
    const more = { certifiedIndex: at + 1_000 };
    const note = (effects: typeof bench.effects): void => {
      for (const one of effects)
        if (one.kind === 'send' && one.member === 1 && one.message.kind === 'fetch')
          late.push({ at: bench.now + 290, from: one.message.from });
    };
    const isFetch = (one: (typeof bench.effects)[number]): boolean =>
      one.kind === 'send' && one.member === 1 && one.message.kind === 'fetch';
    if (lies) note(bench.hears(1, bench.status(1, more)));
    for (let now = start + 10; now <= start + 60_000 && led === 0; now += 10) {
      const effects = bench.tick(now);
      for (const member of [1, 2, 3] as const)
        effects.push(...bench.hears(member, bench.status(member, lies && member === 1 ? more : {})));
      while (late[0] !== undefined && late[0].at <= now) {
        const { from } = late.shift() as { from: number };
        const chunk = voters[1].voter.recent.chunk(from, 1); // true, and certified
        if (chunk !== undefined) effects.push(...bench.hears(1, { kind: 'entries', from, ...chunk }));
      }
      if (lies) note(effects);
      bench.passOn(lies ? effects.filter((one) => !isFetch(one)) : effects);
      if (bench.proposer.role === 'leading') led = now - start;
    }
    assert.ok(led > 0 && led < 5_000);
  });
