import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, nameFault } from './bytes.ts';
import { LIMITS } from './limits.ts';
import { DENIAL_CODES, REFUSAL_CODES } from './outcome-codes.ts';
import { type Grant } from './outcome-parts.ts';
import { decodeOutcome, encodeOutcome, type Outcome } from './outcomes.ts';
import { COUNTING_MODES } from './terms/index.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const text = fc
  .string({ unit: 'grapheme', maxLength: 12 })
  .filter((one) => nameFault(one, LIMITS.codeBytes) === undefined);
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const u64 = fc.maxSafeNat();
const head = { commandHash: bytes(32), session: bytes(16), requestId: u64 };
const item = fc.integer({ min: 0, max: LIMITS.itemsPerAcquire - 1 });
const grant = fc.record({
  ...{ license: text, version: u32, licenseDigest: bytes(32), tmrId: u64, product: text, feature: text, seats: u32 },
  ...{ mode: fc.constantFrom(...COUNTING_MODES), user: text, host: text, sessionKey: bytes(32), hold: u64 },
  ...{ item, flags: fc.integer({ min: 0, max: 15 }) },
  ...{ releaseHash: bytes(32), issuedLogTime: u64, issuedUtc: u64, lifeMs: u64, notAfter: u64 },
});
const grants = fc.array(grant, { maxLength: 3 });
const holder = fc.record({ user: text, host: text, sinceUtc: u64, seats: u32, idleMs: u32, untilUtc: u64 });
const place = fc.integer({ min: 1, max: 0xffff_ffff });
const waiting = fc.array(fc.record({ hold: u64, place }), { maxLength: 3 });
const part = fc.record({ item, license: text, version: u32, units: u64, left: u64 });
const counters = { used: u64, borrowed: u64, unitsUsed: u64, firstUseUtc: u64 };
const installed = fc.record({ license: text, version: u32, product: text, quantity: u64, ...counters });

const answers: { readonly [K in Outcome['kind']]: fc.Arbitrary<object> } = {
  opened: fc.record({ logTime: u64, utc: u64, timeoutMs: u32 }),
  granted: fc.record({ grants }),
  renewed: fc.record({ logTime: u64, grants, waiting }),
  queued: fc.record({ place, untilLogTime: u64, renewWithinMs: u32 }),
  unserved: fc.record({ hold: u64 }),
  ruled: fc.record({ version: u32, rules: u32 }),
  reconfigured: fc.record({ version: u32, member: fc.constantFrom(0, 1, 2, 3) }),
  unnamed: fc.record({ license: text, name: text }),
  released: fc.record({ hold: u64 }),
  consumed: fc.record({ parts: fc.array(part, { maxLength: 4 }) }),
  closed: fc.record({}),
  denied: fc.record({
    ...{ code: fc.constantFrom(...DENIAL_CODES), product: text, feature: text, quantity: u64, free: u64 },
    ...{ waiting: u32, at: u64, detail: text },
    holders: fc.array(holder, { maxLength: 10 }),
  }),
  refused: fc.record({ code: fc.constantFrom(...REFUSAL_CODES), detail: text }),
  evicted: fc.record({ reason: text, freeAtLogTime: u64 }),
  updated: fc.record({ licenses: fc.array(installed, { maxLength: 4 }) }),
  expired: fc.record({ hold: u64 }),
  ended: fc.record({ why: fc.constantFrom('silent', 'evicted') }),
};

const outcomes = Object.entries(answers).map(([kind, answer]) => ({
  kind,
  values: fc.tuple(fc.record(head), answer).map(([first, rest]) => ordinary({ ...first, kind, ...rest }) as Outcome),
}));

/** Generated records have no prototype; decoded ones do. */
function ordinary(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordinary);
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, ordinary(one)]));
}

describe('outcomes', () => {
  for (const { kind, values } of outcomes) {
    test(`${kind} is read as it was written, and written as it was read`, () => {
      fc.assert(
        fc.property(values, (outcome) => {
          const written = encodeOutcome(outcome);
          assert.deepEqual(decodeOutcome(written), outcome);
          assert.deepEqual(encodeOutcome(decodeOutcome(written)), written);
        }),
      );
    });

    test(`${kind} is refused when cut or extended`, () => {
      const [outcome] = fc.sample(values, { numRuns: 1, seed: 5 }) as [Outcome];
      const written = encodeOutcome(outcome);
      for (let cut = 0; cut < written.length; cut++)
        assert.throws(() => decodeOutcome(written.subarray(0, cut)), { name: 'LicenseError', code: 'malformed' });
      assert.throws(() => decodeOutcome(concatBytes(written, new Uint8Array(1))), { code: 'malformed' });
    });
  }

  test('whatever is decoded has one encoding, and every fault is a LicenseError', () => {
    const sample = fc.oneof(...outcomes.map(({ values }) => values)).map(encodeOutcome);
    const bent = fc.tuple(sample, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([written, place, bits]) => {
      const at = place % written.length;
      return written.with(at, (written[at] as number) ^ bits);
    });
    fc.assert(
      fc.property(bent, (input) => {
        let outcome: Outcome;
        try {
          outcome = decodeOutcome(input);
        } catch (error) {
          assert.equal((error as Error).name, 'LicenseError');
          return;
        }
        assert.deepEqual(encodeOutcome(outcome), Uint8Array.from(input));
      }),
      { numRuns: 2_000 },
    );
  });

  test('unknown kinds and codes are refused', () => {
    const denied = encodeOutcome({
      ...{ kind: 'denied', commandHash: new Uint8Array(32), session: new Uint8Array(16), requestId: 1, code: 'seats' },
      ...{ product: '', feature: '', quantity: 1, free: 0, waiting: 0, at: 0, detail: '', holders: [] },
    });
    assert.throws(() => decodeOutcome(denied.with(0, 18)), /unknown outcome 18/);
    assert.throws(() => decodeOutcome(denied.with(0, 0)), /unknown outcome 0/);
    assert.throws(() => decodeOutcome(denied.with(57, DENIAL_CODES.length)), /unknown denial/);
  });

  test('items, flags and places that do not exist are refused', () => {
    const head = { commandHash: new Uint8Array(32), session: new Uint8Array(16), requestId: 1 };
    const [first] = fc.sample(grant, { numRuns: 1, seed: 1 }) as [Grant];
    const granted = (more: object): Outcome => ({ ...head, kind: 'granted', grants: [{ ...first, ...more }] });
    const part = { item: 16, license: 'cad-1', version: 1, units: 1, left: 0 };
    const cases: readonly (readonly [Outcome, RegExp])[] = [
      [granted({ flags: 16 }), /unknown flags 16/],
      [granted({ item: LIMITS.itemsPerAcquire }), /unknown item 16/],
      [{ ...head, kind: 'consumed', parts: [part] }, /unknown item 16/],
      [{ ...head, kind: 'queued', place: 0, untilLogTime: 1, renewWithinMs: 1 }, /place 0/],
      [{ ...head, kind: 'renewed', logTime: 1, grants: [], waiting: [{ hold: 1, place: 0 }] }, /place 0/],
    ];
    for (const [outcome, message] of cases)
      assert.throws(() => decodeOutcome(encodeOutcome(outcome)), { name: 'LicenseError', code: 'malformed', message });
    decodeOutcome(encodeOutcome(granted({ flags: 7, item: 15 })));
  });
});
