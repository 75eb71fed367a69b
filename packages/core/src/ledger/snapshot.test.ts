import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeAccept, encodeCertificate, equalBytes, type Member, Reader, Writer } from '@trefoil/license';
import { encodeEntry, headAfter } from '../entry.ts';
import { encodeConfigurations } from './configurations.ts';
import { encodeRecords, encodeSnapshot, openSnapshot } from './snapshot.ts';
import { TestLedger, TestSession } from './test-ledger.ts';

interface Under {
  readonly configVersion: number;
  readonly voters: readonly (readonly [member: Member, generation: number])[];
}

const FIRST: Under = {
  configVersion: 1,
  voters: [
    [1, 0],
    [2, 0],
  ],
};

/** The certified snapshot of this ledger, with other bytes in the place of its records. */
function snapshotOf(one: TestLedger, records: Uint8Array, under: Under = FIRST): Uint8Array {
  const { crypto, set } = one.fixture;
  const { configVersion, voters } = under;
  const entry = encodeEntry({ ...one.entry([]), ledgerRoot: one.root });
  const head = new Uint8Array(32);
  const statement = encodeAccept({
    ...{ set, configVersion, epoch: 3, index: one.ledger.index + 1, head: headAfter(crypto, head, entry) },
    ...{ outcomesRoot: new Uint8Array(32), leafCount: 0, logTime: 9, utc: 9 },
  });
  const votes = voters.map(([member, generation]) => ({
    member,
    signature: one.fixture.container(member, generation).sign(statement),
  }));
  return encodeSnapshot({
    head,
    entry,
    certificate: encodeCertificate({ statement, votes }),
    configurations: encodeConfigurations(one.ledger),
    records,
  });
}

/** The same records, with other names. */
function renamed(records: Uint8Array, rename: (name: Uint8Array) => Uint8Array): Uint8Array {
  const reader = new Reader(records);
  const count = reader.u32();
  const writer = new Writer().u32(count);
  for (let i = 0; i < count; i++) writer.bytes(rename(reader.bytes(256))).bytes(reader.bytes(100_000));
  return writer.done();
}

test('a snapshot has one form: records under other names are refused, though they give the same ledger (PROTOCOL §8.3)', () => {
  const one = new TestLedger();
  one.sell({ quantity: 3 });
  TestSession.opened(one, 'ada');
  const records = encodeRecords(one.ledger);
  const { ledger } = openSnapshot(one.context, snapshotOf(one, records), 1e6);
  assert.ok(equalBytes(encodeRecords(ledger), records));
  const kinds = { meta: 'M', session: 'S' };
  for (const [kind, letter] of Object.entries(kinds)) {
    const bent = renamed(records, (name) =>
      name[0] === letter.charCodeAt(0) ? Uint8Array.of(...name.subarray(0, 1), 0xff, ...name.subarray(2)) : name,
    );
    assert.throws(
      () => openSnapshot(one.context, snapshotOf(one, bent), 1e6),
      { name: 'LicenseError', code: 'wrong-proof' },
      kind,
    );
  }
});

test('a snapshot is certified under the version of the configuration that it leads to, and no other (PROTOCOL §4.9)', () => {
  const one = new TestLedger();
  const document = one.fixture.reconfiguration({ version: 2, generations: [0, 0, 1] });
  assert.equal(one.do({ kind: 'reconfigure', document }).kind, 'reconfigured');
  const open = (configVersion: number, generation: number): number => {
    const voters = [[1, 0] as const, [3, generation] as const];
    const bytes = snapshotOf(one, encodeRecords(one.ledger), { configVersion, voters });
    return openSnapshot(one.context, bytes, 1e6).accept.configVersion;
  };
  assert.equal(open(2, 1), 2);
  assert.throws(() => open(2, 0), { name: 'LicenseError' });
  assert.throws(() => open(1, 0), { name: 'LicenseError' });
});

test('records that do not have the certified root are not looked into, however many they are or whatever is in them', () => {
  const one = new TestLedger();
  const nonsense = new Writer().u32(1).bytes(Uint8Array.of(83, 1)).bytes(new Uint8Array(3)).done();
  const bomb = new Writer().u32(0xffff_ffff).done();
  assert.throws(() => openSnapshot(one.context, snapshotOf(one, nonsense), 1e6), { code: 'wrong-proof' });
  assert.throws(() => openSnapshot(one.context, snapshotOf(one, bomb), 1e6), /a snapshot of 4294967295 records/);
});
