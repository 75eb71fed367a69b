import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LicenseError, type Member, type TmrServer } from '@trefoil/license';
import fc from 'fast-check';
import { LIMITS } from './limits.ts';
import {
  decodeToProposer,
  decodeToVoter,
  encodeToProposer,
  encodeToVoter,
  REFUSALS,
  type ToProposer,
  type ToVoter,
} from './messages.ts';
import { decodeRecord, encodeRecord, type LogRecord } from './records.ts';

/** With Object's prototype, so that values can be compared with what a decoder returns. */
const shape = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true });
const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const bytes = fc.uint8Array({ maxLength: 80 });
const u64 = fc.maxSafeNat();
const u16 = fc.nat(0xffff);
const program = fc.string({ maxLength: 20 });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const member = fc.constantFrom<Member>(1, 2, 3);
const signed = shape({ bytes, signature: exactly(64) });
const kind = <K extends string>(name: K) => fc.constant(name);
const entries = shape({
  kind: kind('entries'),
  from: u64,
  entries: fc.array(bytes, { maxLength: 3 }),
  certificate: bytes,
});
const snapshot = shape({ kind: kind('snapshot'), bytes });

const toVoter: fc.Arbitrary<ToVoter> = fc.oneof(
  shape({ kind: kind('beat'), epoch: u64, heard: fc.nat(7), clients: u32, holdsVirtualIp: fc.boolean() }),
  shape({ kind: kind('prepare'), prepare: signed }),
  shape({
    kind: kind('propose'),
    ...{
      configVersion: u32,
      epoch: u64,
      index: u64,
      head: exactly(32),
      signature: exactly(64),
      entry: bytes,
      certificate: bytes,
    },
    justification: fc.array(signed, { maxLength: 3 }),
  }),
  shape({ kind: kind('certified'), certificate: bytes }),
  entries,
  snapshot,
  shape({ kind: kind('fetch'), from: u64 }),
  shape({ kind: kind('rejoin'), member, rejoin: signed }),
  shape({ kind: kind('knownAs'), incarnation: exactly(16) }),
  shape({ kind: kind('shown'), vote: signed }),
  shape({ kind: kind('resign'), epoch: u64 }),
  shape({ kind: kind('about'), rules: u16, program }),
);

const toProposer: fc.Arbitrary<ToProposer> = fc.oneof(
  shape({
    kind: kind('status'),
    ...{ promised: u64, logEpoch: u64, certifiedIndex: u64, lastIndex: u64, certificate: bytes, logClock: u64 },
    ...{ wallMs: u64, ownerSilentMs: u32, incarnations: fc.tuple(exactly(16), exactly(16), exactly(16)) },
    ...{
      rejoins: fc.array(signed, { maxLength: LIMITS.rejoinsShown }),
      withholding: fc.string({ maxLength: 50 }),
      unanchored: fc.boolean(),
      heard: fc.subarray<TmrServer>(['A', 'B']),
      holdVirtualIp: fc.subarray<TmrServer>(['A', 'B']),
    },
  }),
  shape({ kind: kind('vote'), vote: signed, logClock: u64 }),
  shape({ kind: kind('promise'), promise: signed, certificate: bytes, tail: bytes }),
  shape({
    kind: kind('refused'),
    ...{
      what: fc.constantFrom('prepare' as const, 'propose' as const),
      epoch: u64,
      reason: fc.constantFrom(...REFUSALS),
    },
  }),
  shape({ kind: kind('superseded'), prepare: signed }),
  shape({ kind: kind('asked'), prepare: signed }),
  shape({ kind: kind('handOver'), prepare: signed }),
  entries,
  snapshot,
  shape({
    kind: kind('about'),
    ...{ rules: u16, program, tmrPrograms: fc.tuple(program, program) },
    alarms: fc.array(fc.string({ maxLength: 50 }), { maxLength: 64 }),
  }),
);

const record: fc.Arbitrary<LogRecord> = fc.oneof(
  shape({ kind: kind('voted'), statement: bytes, entry: bytes }),
  shape({ kind: kind('certified'), certificate: bytes }),
  shape({ kind: kind('caughtUp'), from: u64, entries: fc.array(bytes, { maxLength: 3 }), certificate: bytes }),
  shape({ kind: kind('promised'), promise: bytes, prepare: signed }),
  shape({ kind: kind('incarnation'), member, incarnation: exactly(16) }),
  shape({ kind: kind('snapshot'), index: u64, logEpoch: u64, configVersion: u32 }),
  shape({ kind: kind('signedHigh'), statement: bytes }),
  shape({ kind: kind('suspect'), why: fc.string({ maxLength: 50 }) }),
);

/** A value comes back as it was; cut or extended bytes are refused, by a LicenseError and nothing else. */
function roundTrips<T>(
  values: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  decode: (bytes: Uint8Array) => T,
): void {
  fc.assert(
    fc.property(values, fc.nat(), (value, cut) => {
      const encoded = encode(value);
      assert.deepEqual(decode(encoded), value);
      for (const wrong of [encoded.subarray(0, cut % encoded.length), Uint8Array.of(...encoded, 0)])
        assert.throws(() => decode(wrong), LicenseError);
    }),
    { numRuns: 300 },
  );
}

describe('messages and records', () => {
  test('to a license server', () => roundTrips(toVoter, encodeToVoter, decodeToVoter));
  test('to a TMR server', () => roundTrips(toProposer, encodeToProposer, decodeToProposer));
  test('of the log', () => roundTrips(record, encodeRecord, decodeRecord));
  test('entries that no record of a log could hold are refused before they are read', () => {
    const message = (count: number): Uint8Array => {
      const entries = Array.from({ length: count }, () => new Uint8Array(LIMITS.entryBytes / 3));
      return encodeToProposer({ kind: 'entries', from: 1, entries, certificate: new Uint8Array(0) });
    };
    assert.equal(decodeToProposer(message(3)).kind, 'entries');
    assert.throws(() => decodeToProposer(message(5)), /entries of more than 1048576 bytes/);
  });

  test('random bytes are refused, by a LicenseError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        for (const decode of [decodeToVoter, decodeToProposer, decodeRecord])
          try {
            decode(noise);
          } catch (error) {
            assert.ok(error instanceof LicenseError, String(error));
          }
      }),
      { numRuns: 2_000 },
    );
  });
});
