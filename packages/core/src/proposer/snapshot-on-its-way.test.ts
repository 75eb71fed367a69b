/** While a snapshot for one that lags is on its way, it is not asked for again and again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProposerEffect } from './state.ts';
import { ProposerBench } from './bench.ts';

test('a license server with an empty store comes back; its snapshot takes 5 s on the way', () => {
  const bench = new ProposerBench();
  const [l1, l2] = bench.voters;
  for (let now = 10; now <= 3_000; now += 10) {
    const effects = bench.tick(now);
    for (const member of [1, 2] as const) effects.push(...bench.hears(member, bench.status(member)));
    bench.passOn(effects, [1, 2]);
  }
  // As after ten thousand entries: the others have a snapshot and not the entries before it.
  const at = bench.proposer.replica.certifiedIndex;
  const big = new Uint8Array(64 * 1024 * 1024);
  for (const { voter } of [l1, l2]) {
    voter.recent.reset(at + 1);
    voter.snapshot = { index: at, parts: [big] };
  }
  bench.proposer.recent.reset(at + 1);
  let asked = 0;
  const count = (effects: readonly ProposerEffect[]): void => {
    for (const effect of effects) {
      if (effect.kind !== 'send') continue;
      if (effect.message.kind !== 'fetch') continue;
      asked++;
      const donor = bench.voters[effect.member - 1];
      for (const answer of donor?.say('A', effect.message) ?? []) count(bench.hears(effect.member, answer));
    }
  };
  for (let now = 3_010; now <= 8_000; now += 10) {
    const effects = bench.tick(now);
    for (const member of [1, 2] as const) effects.push(...bench.hears(member, bench.status(member)));
    // L3 says of itself what it is, 20 times a second, as long as the snapshot isn't there.
    if (now % 50 === 0) count(bench.hears(3, bench.status(3)));
    bench.passOn(
      effects.filter((e) => e.kind === 'send' && e.message.kind !== 'fetch'),
      [1, 2],
    );
  }
  assert.ok(asked <= 5, `${asked} copies of one snapshot`);
});
