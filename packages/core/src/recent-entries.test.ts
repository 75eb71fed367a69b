import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentEntries } from './recent-entries.ts';

const entry = (bytes: number): Uint8Array => new Uint8Array(bytes);
const proof = (index: number): Uint8Array => Uint8Array.of(index);

function filled(maxBytes: number, sizes: readonly number[], uncertified: readonly number[] = []): RecentEntries {
  const recent = new RecentEntries(maxBytes);
  sizes.forEach((size, i) => recent.push(i + 1, entry(size), uncertified.includes(i + 1) ? undefined : proof(i + 1)));
  return recent;
}

test('keeps the newest within its bytes, at least one', () => {
  const recent = filled(100, [40, 40, 40, 40]);
  assert.deepEqual(
    [1, 2, 3, 4, 5].map((index) => recent.has(index)),
    [false, false, true, true, false],
  );
  recent.push(5, entry(500), proof(5));
  assert.deepEqual(
    [4, 5].map((index) => recent.has(index)),
    [false, true],
  );
});

test('a gap starts anew', () => {
  const recent = filled(1_000, [10, 10]);
  recent.push(9, entry(10), proof(9));
  assert.deepEqual(
    [2, 9].map((index) => recent.has(index)),
    [false, true],
  );
});

test('a chunk ends at a certificate, and does not grow beyond its limit for a later one', () => {
  const recent = filled(10_000, [40, 40, 40, 40, 40, 40], [4, 5]);
  assert.deepEqual(lengths(recent, 1, 100), [2, 2]);
  assert.deepEqual(lengths(recent, 3, 100), [1, 3]); // 3 is certified; 4 and 5 lead beyond the limit
  assert.deepEqual(lengths(recent, 4, 100), [3, 6]); // must reach the next certificate
  assert.deepEqual(lengths(recent, 4, 10), [3, 6]);
  assert.deepEqual(lengths(recent, 6, 100), [1, 6]);
  assert.equal(recent.chunk(7, 100), undefined);
  assert.equal(filled(1_000, [10, 10], [1, 2]).chunk(1, 100), undefined);
});

function lengths(recent: RecentEntries, from: number, maxBytes: number): unknown {
  const chunk = recent.chunk(from, maxBytes);
  return [chunk?.entries.length, chunk?.certificate[0]];
}

test('chunks do not grow from hand to hand', () => {
  // Each hand keeps only the certificate at the end of what it was given.
  let recent = filled(
    1_000_000,
    Array.from({ length: 60 }, () => 50),
  );
  let longest = 0;
  for (let hand = 0; hand < 5; hand++) {
    const next = new RecentEntries(1_000_000);
    for (let from = 1; recent.has(from); ) {
      const { entries, certificate } = recent.chunk(from, 200 + 30 * hand) as {
        entries: Uint8Array[];
        certificate: Uint8Array;
      };
      longest = Math.max(longest, entries.length);
      entries.forEach((one, i) => next.push(from + i, one, i === entries.length - 1 ? certificate : undefined));
      from += entries.length;
    }
    recent = next;
  }
  assert.ok(longest <= 6, `${longest} entries in a chunk`);
});
