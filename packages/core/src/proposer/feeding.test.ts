import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Member } from '@trefoil/license';
import { ProposerBench, sent } from './bench.ts';

const ALL: readonly Member[] = [1, 2, 3];

/** For so long everybody tells of itself, and these are heard and answered, too. */
function pass(bench: ProposerBench, ms: number, answering: readonly Member[], asked: string[] = []): void {
  for (const until = bench.now + ms; bench.now < until; ) {
    const effects = bench.tick(bench.now + 10);
    for (const member of ALL) effects.push(...bench.hears(member, bench.status(member)));
    asked.push(...sent(effects).filter((what) => what.startsWith('fetch')));
    bench.passOn(effects, answering);
  }
}

/** A leads, remembers no entry, and license server 3 lacks some. */
function lagging(): ProposerBench {
  const bench = new ProposerBench();
  pass(bench, 1_000, ALL);
  pass(bench, 2_000, [1, 2]);
  const { recent, replica, role } = bench.proposer;
  assert.equal(role, 'leading');
  recent.reset(replica.certifiedIndex + 1);
  return bench;
}

test('a license server that says it has all and gives nothing keeps nobody from being fed', () => {
  for (const liar of [1, 2] as const) {
    const bench = lagging();
    const asked: string[] = [];
    pass(bench, 1_000, liar === 1 ? [2, 3] : [1, 3], asked);
    const [certified] = new Set(bench.voters.map(({ voter }) => voter.replica.certifiedIndex));
    assert.equal(bench.voters[2].voter.replica.certifiedIndex, certified, `asked: ${asked.join(', ')}`);
  }
});

test('what nobody asked for is not passed on, however well it would fit', () => {
  const bench = lagging();
  const { certifiedIndex } = bench.voters[2].voter.replica;
  const entries = { kind: 'entries', from: certifiedIndex + 1, entries: [], certificate: new Uint8Array(0) } as const;
  assert.deepEqual(bench.hears(1, entries), []);
  assert.deepEqual(bench.hears(1, { kind: 'snapshot', bytes: new Uint8Array(10) }), []);
});

test('a snapshot that was asked for is passed on by who would lead, too: without the one who lacks it there may be no promises', () => {
  const bytes = new Uint8Array(10);
  for (const role of ['leading', 'preparing'] as const) {
    const bench = lagging();
    const lacks = bench.voters[2].voter.replica.certifiedIndex;
    bench.proposer.role = role;
    bench.proposer.members[3].donors = { from: lacks + 1, asked: [1], times: 1 };
    assert.deepEqual(
      sent(bench.hears(1, { kind: 'snapshot', bytes })).filter((what) => what.startsWith('snapshot')),
      ['snapshot to L3'],
      role,
    );
  }
});
