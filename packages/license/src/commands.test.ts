import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, nameFault, encodeUtf8 } from './bytes.ts';
import { decodeCommand, encodeCommand } from './command-bytes.ts';
import { type Command, type OpenCommand, sessionIdOf, signCommand, signedCommandBytes } from './commands.ts';
import { fixture, seedKey } from './fixtures.ts';
import { LIMITS } from './limits.ts';
import { COUNTING_MODES } from './terms/index.ts';

const malformed = (message: RegExp) => ({ name: 'LicenseError', code: 'malformed', message });

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const name = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((one) => nameFault(one, 128) === undefined);
const code = fc.string({ unit: fc.constantFrom(...'abc-1'), maxLength: 20 });
const u64 = fc.maxSafeNat();
const inSession = {
  session: bytes(16),
  requestId: fc.integer({ min: 1_000, max: Number.MAX_SAFE_INTEGER }),
  lowestUnanswered: fc.integer({ min: 0, max: 1_000 }),
};
const released = {
  version: fc.constantFrom('7', '7.2', '0.0.1.999999999'),
  releasedAt: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
};
const used = fc.record(
  { product: code, feature: code, ...released, count: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }) },
  { requiredKeys: ['product', 'feature', 'count'] },
);
const item = fc.record(
  {
    product: code,
    feature: code,
    ...released,
    seats: fc.integer({ min: 1, max: 0xffff_ffff }),
    mode: fc.constantFrom(...COUNTING_MODES),
  },
  { requiredKeys: ['product', 'feature', 'seats'] },
);
const kinds: { readonly [K in Command['kind']]: fc.Arbitrary<Command> } = {
  open: fc.record({
    kind: fc.constant('open'),
    ...{ sessionKey: bytes(32), nonce: bytes(16), closeHash: bytes(32), atLogTime: u64 },
    ...{ user: name, host: name, program: name, signature: bytes(64) },
    ...{ address: fc.constantFrom('', '10.0.0.7', 'fe80::1'), client: fc.integer({ min: 0, max: 0xffff }) },
  }),
  reconfigure: fc.record({ kind: fc.constant('reconfigure'), document: fc.string({ maxLength: 40 }) }),
  renew: fc.record({
    kind: fc.constant('renew'),
    ...inSession,
    nonce: bytes(16),
    idleMs: fc.integer({ min: 0, max: 0xffff_ffff }),
  }),
  acquire: fc.record({
    kind: fc.constant('acquire'),
    ...inSession,
    ...{ releaseHash: bytes(32), items: fc.array(item, { minLength: 1, maxLength: 16 }) },
    waitMs: fc.integer({ min: 0, max: LIMITS.waitMs }),
  }),
  release: fc.record({ kind: fc.constant('release'), ...inSession, hold: u64, secret: bytes(32) }),
  consume: fc.record({
    kind: fc.constant('consume'),
    ...inSession,
    items: fc.array(used, { minLength: 1, maxLength: 16 }),
    signature: bytes(64),
  }),
  borrow: fc.record({
    kind: fc.constant('borrow'),
    ...inSession,
    ...{ releaseHash: bytes(32), items: fc.array(item, { minLength: 1, maxLength: 16 }) },
    forMs: fc.integer({ min: 1, max: LIMITS.borrowingMs }),
    signature: bytes(64),
  }),
  extend: fc.record({
    kind: fc.constant('extend'),
    ...inSession,
    ...{ hold: u64, forMs: fc.integer({ min: 1, max: LIMITS.borrowingMs }), signature: bytes(64) },
  }),
  close: fc.record({ kind: fc.constant('close'), ...inSession, secret: bytes(32) }),
  evict: fc.record({
    kind: fc.constant('evict'),
    ...{ admin: bytes(16), nonce: bytes(16), atLogTime: u64, session: bytes(16), reason: name, signature: bytes(64) },
  }),
  'write-off': fc.record({
    kind: fc.constant('write-off'),
    ...{ admin: bytes(16), nonce: bytes(16), atLogTime: u64, session: bytes(16), reason: name, signature: bytes(64) },
  }),
  update: fc.record({ kind: fc.constant('update'), document: fc.string({ unit: 'binary' }) }),
  rules: fc.record({
    kind: fc.constant('rules'),
    ...{
      admin: bytes(16),
      nonce: bytes(16),
      atLogTime: u64,
      document: fc.string({ unit: 'binary' }),
      signature: bytes(64),
    },
  }),
  unname: fc.record({
    kind: fc.constant('unname'),
    ...{ admin: bytes(16), nonce: bytes(16), atLogTime: u64, license: code, name, signature: bytes(64) },
  }),
};

/** Generated records have no prototype, also inside. */
function ordinary(command: Command): Command {
  return 'items' in command
    ? ({ ...command, items: command.items.map((one) => ({ ...one })) } as Command)
    : { ...command };
}

describe('commands', () => {
  for (const [kind, values] of Object.entries(kinds)) {
    test(`${kind} is read as it was written, and written as it was read`, () => {
      fc.assert(
        fc.property(values, (command) => {
          const written = encodeCommand(command);
          assert.deepEqual(decodeCommand(written), ordinary(command));
          assert.deepEqual(encodeCommand(decodeCommand(written)), written);
        }),
      );
    });

    test(`${kind} is refused when cut or extended`, () => {
      const [command] = fc.sample(values, { numRuns: 1, seed: 3 }) as [Command];
      const written = encodeCommand(command);
      for (let cut = 0; cut < written.length; cut++)
        assert.throws(() => decodeCommand(written.subarray(0, cut)), malformed(/./));
      assert.throws(() => decodeCommand(concatBytes(written, new Uint8Array(1))), malformed(/1 bytes too many/));
    });
  }

  test('whatever is decoded is a command with one encoding, and every fault is a LicenseError', () => {
    const sample = fc.oneof(...Object.values(kinds)).map(encodeCommand);
    const bent = fc.tuple(sample, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([written, place, bits]) => {
      const at = place % written.length;
      return written.with(at, (written[at] as number) ^ bits);
    });
    fc.assert(
      fc.property(fc.oneof(bent, fc.uint8Array({ maxLength: 200 })), (input) => {
        let command: Command;
        try {
          command = decodeCommand(input);
        } catch (error) {
          assert.equal((error as Error).name, 'LicenseError');
          return;
        }
        assert.deepEqual(encodeCommand(command), Uint8Array.from(input));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a command is refused', () => {
  const session = { session: new Uint8Array(16), requestId: 2, lowestUnanswered: 1 };
  const refused = (command: Command, message: RegExp) =>
    assert.throws(() => decodeCommand(encodeCommand(command)), malformed(message));
  const acquire = (more: object) =>
    ({
      kind: 'acquire',
      ...session,
      releaseHash: new Uint8Array(32),
      waitMs: 0,
      items: [{ product: 'cad', feature: '', seats: 1 }],
      ...more,
    }) as Command;

  const renew = { kind: 'renew', ...session, nonce: new Uint8Array(16), idleMs: 0 } as const;

  test('without a kind, with an unknown one, with counts and ids out of range', () => {
    assert.throws(() => decodeCommand(Uint8Array.of()), malformed(/truncated/));
    for (const kind of [0, 15, 255])
      assert.throws(() => decodeCommand(Uint8Array.of(kind)), malformed(/unknown command/));
    refused({ ...renew, requestId: 0, lowestUnanswered: 0 }, /request id 0/);
    refused({ ...renew, lowestUnanswered: 3 }, /lowestUnanswered is above/);
    refused(acquire({ items: [] }), /0 licenses in one command/);
    const many = Array.from({ length: LIMITS.itemsPerAcquire + 1 }, () => ({ product: 'cad', feature: '', seats: 1 }));
    refused(acquire({ items: many }), /17 licenses in one command/);
    decodeCommand(encodeCommand(acquire({ items: many.slice(1) })));
    decodeCommand(encodeCommand({ ...renew, lowestUnanswered: 2 }));
    refused(acquire({ items: [{ product: 'cad', feature: '', seats: 0 }] }), /0 seats/);
    const bytes = encodeCommand(acquire({}));
    assert.throws(() => decodeCommand(bytes.with(bytes.length - 1, 6)), malformed(/unknown counting mode 6/));
  });

  test('with a wait of more than a week', () => {
    refused(acquire({ waitMs: LIMITS.waitMs + 1 }), /a wait of 604800001 ms; at most 604800000/);
    decodeCommand(encodeCommand(acquire({ waitMs: LIMITS.waitMs })));
  });

  test('that borrows for no time, or for more than a year', () => {
    for (const forMs of [0, LIMITS.borrowingMs + 1]) {
      refused(
        { ...acquire({}), kind: 'borrow', forMs, signature: new Uint8Array(64) } as Command,
        /ms borrowed; allowed/,
      );
      refused({ kind: 'extend', ...session, hold: 1, forMs, signature: new Uint8Array(64) }, /ms borrowed; allowed/);
    }
  });

  test('with a version of the application that is none; not said is another thing', () => {
    const asked = (more: object) => acquire({ items: [{ product: 'cad', feature: '', seats: 1, ...more }] });
    for (const version of ['07', '7.', '.7', '7..2', '7.2.1.0.1', '1000000000', 'v7', '7.2-beta', ' 7', '-7'])
      refused(asked({ version }), /a version that is none/);
    refused(asked({ version: '1'.repeat(LIMITS.versionBytes + 1) }), /40 bytes, 39 allowed/);
    for (const version of ['0', '7.2.1', '999999999.999999999.999999999.999999999'])
      assert.deepEqual(decodeCommand(encodeCommand(asked({ version }))), asked({ version }));
    assert.deepEqual(decodeCommand(encodeCommand(asked({ version: '', releasedAt: 0 }))), asked({}));
  });

  test('to consume nothing, or of more than can be answered', () => {
    const consume = (items: readonly object[]) =>
      ({ kind: 'consume', ...session, items, signature: new Uint8Array(64) }) as Command;
    const item = { product: 'cad', feature: '', count: 1 };
    refused(consume([]), /0 licenses in one command/);
    refused(consume(Array.from({ length: 17 }, () => item)), /17 licenses in one command/);
    refused(consume([item, { ...item, count: 0 }]), /0 asked for/);
    refused(consume([{ ...item, version: '7.01' }]), /a version that is none/);
    decodeCommand(encodeCommand(consume([{ ...item, count: LIMITS.units }])));
  });

  test('with names that are too long or could forge a line of a log', () => {
    const open = (user: string, address = '') =>
      ({
        ...{ kind: 'open', sessionKey: new Uint8Array(32), nonce: new Uint8Array(16), closeHash: new Uint8Array(32) },
        ...{ atLogTime: 1, user, host: 'h', program: 'p', address, client: 2, signature: new Uint8Array(64) },
      }) as Command;
    refused(open('ada', 'a'.repeat(LIMITS.addressBytes + 1)), /46 bytes, 45 allowed/);
    refused(open('ada', '10.0.0.7\n'), /control character/);
    refused(open('\u202eada'), /control character/);
    refused(open('x'.repeat(129)), /129 bytes, 128 allowed/);
    refused(open('ada\n{"level":"info"}'), /control character/);
    refused(open('\u001b]0;owned\u0007'), /control character/);
    refused(acquire({ items: [{ product: 'c\u0000ad', feature: '', seats: 1 }] }), /control character/);
  });

  test('with an update that is not UTF-8, as any other fault: a LicenseError, not an end of the process', () => {
    const bytes = Uint8Array.of(8, 0, 0, 0, 1, 0xff);
    assert.throws(() => decodeCommand(bytes), malformed(/not UTF-8/));
    const marked: Command = { kind: 'update', document: '\ufeffx' };
    assert.deepEqual(decodeCommand(encodeCommand(marked)), marked);
  });

  test('more seats than fit are not asked for as fewer', () => {
    assert.throws(
      () => encodeCommand(acquire({ items: [{ product: 'cad', feature: '', seats: 2 ** 32 + 1 }] })),
      RangeError,
    );
  });
});

describe('authority of commands', () => {
  const { crypto, set } = fixture();
  const key = seedKey('session');
  const open = signCommand<OpenCommand>(
    set,
    {
      ...{
        kind: 'open',
        sessionKey: key.publicKey.bytes,
        nonce: new Uint8Array(16).fill(1),
        closeHash: new Uint8Array(32),
      },
      ...{ atLogTime: 5, user: 'ada', host: 'h', program: 'p', address: '', client: 2 },
    },
    key,
  );

  test('a signature covers the set, the kind and every field', () => {
    assert.ok(crypto.verify(key.publicKey, signedCommandBytes(set, open), open.signature));
    const others = [
      signedCommandBytes(new Uint8Array(16), open),
      signedCommandBytes(set, { ...open, user: 'eve' }),
      signedCommandBytes(set, { ...open, atLogTime: 6 }),
      signedCommandBytes(set, { ...open, closeHash: new Uint8Array(32).fill(1) }),
      signedCommandBytes(set, { ...open, address: '10.0.0.7' }),
      signedCommandBytes(set, { ...open, client: 1 }),
    ];
    for (const other of others) assert.ok(!crypto.verify(key.publicKey, other, open.signature));
    assert.deepEqual(signedCommandBytes(set, open).subarray(0, 12), encodeUtf8('trefoil/open'));
  });

  test('a session id follows from all of its open but the signature', () => {
    const id = sessionIdOf(crypto, set, open);
    assert.equal(id.length, 16);
    assert.deepEqual(sessionIdOf(crypto, set, { ...open, signature: new Uint8Array(64) } as OpenCommand), id);
    assert.notDeepEqual(sessionIdOf(crypto, set, { ...open, nonce: new Uint8Array(16) }), id);
    assert.notDeepEqual(sessionIdOf(crypto, new Uint8Array(16), open), id);
  });

  test('an open under a key of small order proves nothing', () => {
    const identity = Uint8Array.of(1, ...new Uint8Array(31));
    const forged = { ...open, sessionKey: identity, signature: concatBytes(identity, new Uint8Array(32)) };
    assert.ok(!crypto.verify({ alg: 'ed25519', bytes: identity }, signedCommandBytes(set, forged), forged.signature));
  });
});
