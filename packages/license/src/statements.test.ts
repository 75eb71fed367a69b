import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { concatBytes } from './bytes.ts';
import {
  ACCEPT_BYTES,
  decodeAccept,
  decodePrepare,
  decodePromise,
  decodeRejoin,
  encodeAccept,
  encodePrepare,
  encodePromise,
  encodeRejoin,
  encodePropose,
  epochCounter,
  epochOf,
  epochOwner,
  type Member,
  tag,
  TAGS,
} from './statements.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u64 = fc.maxSafeNat();
const head = { set: bytes(16), configVersion: u32, epoch: u64 };

const statements = {
  ACCEPT: {
    values: fc.record({
      ...head,
      index: u64,
      head: bytes(32),
      outcomesRoot: bytes(32),
      leafCount: u32,
      logTime: u64,
      utc: u64,
    }),
    encode: encodeAccept,
    decode: decodeAccept,
    length: 136,
  },
  PROMISE: {
    values: fc.record({
      ...head,
      member: fc.constantFrom<Member>(1, 2, 3),
      incarnations: fc.tuple(bytes(16), bytes(16), bytes(16)),
      ...{ logEpoch: u64, lastIndex: u64, lastHead: bytes(32), nonce: bytes(16) },
    }),
    encode: encodePromise,
    decode: decodePromise,
    length: 157,
  },
  PREPARE: {
    values: fc.record({ ...head, clientsWait: fc.boolean(), nonce: bytes(16) }),
    encode: encodePrepare,
    decode: decodePrepare,
    length: 61,
  },
  REJOIN: {
    values: fc.record({
      ...{ set: bytes(16), configVersion: u32, member: fc.constantFrom<Member>(1, 2, 3) },
      ...{ incarnation: bytes(16), replaces: bytes(16) },
    }),
    encode: encodeRejoin,
    decode: decodeRejoin,
    length: 69,
  },
} as const;

/** Each of them takes its own kind of value; which is for the record above to say. */
type AnyStatement = {
  values: fc.Arbitrary<unknown>;
  encode: (value: unknown) => Uint8Array;
  decode: (bytes: Uint8Array) => unknown;
  length: number;
};

describe('statements', () => {
  for (const [name, entry] of Object.entries(statements)) {
    const { values, encode, decode, length } = entry as unknown as AnyStatement;

    test(`${name} has one width and is read as it was written`, () => {
      fc.assert(
        fc.property(values, (value) => {
          const written = encode(value);
          assert.equal(written.length, length);
          assert.deepEqual(decode(written), { ...(value as object) });
          assert.deepEqual(encode(decode(written)), written);
        }),
      );
    });

    test(`${name} is refused when cut, extended or under another tag`, () => {
      const [value] = fc.sample(values, { numRuns: 1, seed: 1 });
      const written = encode(value);
      for (let cut = 0; cut < written.length; cut++)
        assert.throws(() => decode(written.subarray(0, cut)), { name: 'LicenseError', code: 'malformed' });
      assert.throws(() => decode(concatBytes(written, new Uint8Array(1))), { code: 'malformed' });
      for (const other of Object.values(TAGS))
        if (!written.subarray(0, 16).every((byte, i) => byte === other[i]))
          assert.throws(() => decode(concatBytes(other, written.subarray(16))), /wrong tag/);
    });
  }

  test('a member is 1, 2 or 3, a flag 0 or 1', () => {
    const promise = encodePromise({
      ...{ set: new Uint8Array(16), configVersion: 1, epoch: 2, member: 1, logEpoch: 1, lastIndex: 1 },
      incarnations: [new Uint8Array(16), new Uint8Array(16), new Uint8Array(16)],
      ...{ lastHead: new Uint8Array(32), nonce: new Uint8Array(16) },
    });
    for (const member of [0, 4, 255]) assert.throws(() => decodePromise(promise.with(44, member)), /no member/);
    const prepare = encodePrepare({
      set: new Uint8Array(16),
      configVersion: 1,
      epoch: 2,
      clientsWait: true,
      nonce: new Uint8Array(16),
    });
    assert.throws(() => decodePrepare(prepare.with(44, 2)), /unknown flag 2/);
  });

  test('PROPOSE covers set, version, epoch, index and head', () => {
    const propose = { set: new Uint8Array(16), configVersion: 1, epoch: 2, index: 3, head: new Uint8Array(32).fill(4) };
    assert.equal(encodePropose(propose).length, 84);
  });

  test('no tag is another, and each has 16 bytes', () => {
    const names = Object.values(TAGS).map((one) => Buffer.from(one).toString('latin1'));
    assert.equal(new Set(names).size, names.length);
    assert.ok(names.every((name) => name.length === 16));
    assert.throws(() => tag('seventeen letters'), RangeError);
    assert.equal(ACCEPT_BYTES, 136);
  });
});

test('every epoch belongs to one TMR server', () => {
  for (const counter of [0, 1, 7, 2 ** 40])
    for (const owner of ['A', 'B'] as const) {
      assert.equal(epochOwner(epochOf(counter, owner)), owner);
      assert.equal(epochCounter(epochOf(counter, owner)), counter);
    }
  assert.ok(epochOf(4, 'A') > epochOf(3, 'B'));
});
