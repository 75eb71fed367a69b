import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OtherRules } from './entry.ts';
import { applyFeed, checkFeed } from './feed.ts';
import type { EntriesMessage } from './messages.ts';
import { Bench, certificateOf, proposeOf, START, voted } from './voter/bench.ts';

/** Two certified entries, and somebody who has none of them. */
function twoEntries(): { entries: Uint8Array[]; certificates: Uint8Array[]; other: Uint8Array; behind: Bench } {
  const { benches, propose } = voted();
  const first = certificateOf(benches);
  assert.ok(propose.kind === 'propose');
  const options = { index: 2, utc: START + 1, previous: propose.head, certificate: first };
  const next = proposeOf(benches[0], 2, options);
  const other = proposeOf(benches[0], 2, { ...options, utc: START + 2 }).entry;
  for (const bench of benches) assert.equal(bench.say('A', next)[0]?.kind, 'vote');
  const entries = [propose.entry, next.entry];
  return { entries, certificates: [first, certificateOf(benches)], other, behind: new Bench(3) };
}

test('what is fed has to continue the log and to hash to what was certified', () => {
  const { entries, certificates, other, behind } = twoEntries();
  const [first, second] = certificates as [Uint8Array, Uint8Array];
  const { replica } = behind.voter;
  const verdict = (change: Partial<EntriesMessage>): string => {
    const chunk = checkFeed(replica, {
      kind: 'entries',
      from: 1,
      entries,
      certificate: second,
      ...change,
    });
    assert.ok(!(chunk instanceof OtherRules));
    return typeof chunk === 'string' ? chunk : `${chunk.start} to ${chunk.accept.index}`;
  };
  assert.equal(verdict({}), '1 to 2');
  assert.equal(verdict({ entries: entries.slice(0, 1), certificate: first }), '1 to 1');
  assert.equal(verdict({ from: 2, entries: entries.slice(1) }), 'useless', 'one is missing');
  assert.equal(verdict({ entries: [] }), 'useless');
  assert.equal(verdict({ certificate: new Uint8Array(0) }), 'false');
  assert.equal(verdict({ certificate: first }), 'false', 'of another index');
  assert.equal(verdict({ entries: [entries[0] as Uint8Array, other] }), 'false');
  assert.equal(verdict({ entries: entries.toReversed() }), 'false');
});

test('of what is known already only the rest is taken', () => {
  const { entries, certificates, behind } = twoEntries();
  const [first, second] = certificates as [Uint8Array, Uint8Array];
  const { replica, recent } = behind.voter;
  const take = (message: EntriesMessage): number[] => {
    const chunk = checkFeed(replica, message);
    assert.ok(typeof chunk !== 'string' && !(chunk instanceof OtherRules));
    return applyFeed(replica, recent, chunk).map(({ entry }) => entry.index);
  };
  assert.deepEqual(take({ kind: 'entries', from: 1, entries: entries.slice(0, 1), certificate: first }), [1]);
  assert.deepEqual(replica.certified?.index, 1);
  assert.deepEqual(take({ kind: 'entries', from: 1, entries, certificate: second }), [2]);
  assert.equal(replica.certifiedIndex, 2);
  assert.equal(replica.tail, undefined);
  assert.deepEqual(recent.chunk(1, 1_000_000)?.entries, entries);
  assert.equal(checkFeed(replica, { kind: 'entries', from: 1, entries, certificate: second }), 'useless');
});
