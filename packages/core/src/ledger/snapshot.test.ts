import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeAccept, encodeCertificate, equalBytes, Reader, Writer } from '@trefoil/license';
import { encodeEntry, headAfter } from '../entry.ts';
import { encodeRecords, encodeSnapshot, openSnapshot } from './snapshot.ts';
import { TestLedger, TestSession } from './test-ledger.ts';

/** The certified snapshot of this ledger, with other bytes in the place of its records. */
function snapshotOf(one: TestLedger, records: Uint8Array): Uint8Array {
  const { crypto, set, containers } = one.fixture;
  const entry = encodeEntry({ ...one.entry([]), ledgerRoot: one.root });
  const head = new Uint8Array(32);
  const statement = encodeAccept({
    ...{ set, configVersion: 1, epoch: 3, index: one.ledger.index + 1, head: headAfter(crypto, head, entry) },
    ...{ outcomesRoot: new Uint8Array(32), leafCount: 0, logTime: 9, utc: 9 },
  });
  const votes = ([1, 2] as const).map((member) => ({
    member,
    signature: containers[member - 1]?.sign(statement) ?? new Uint8Array(64),
  }));
  return encodeSnapshot({
    head,
    entry,
    certificate: encodeCertificate({ statement, votes }),
    configurations: new Uint8Array(0),
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

test('records that do not have the certified root are not looked into, however many they are or whatever is in them', () => {
  const one = new TestLedger();
  const nonsense = new Writer().u32(1).bytes(Uint8Array.of(83, 1)).bytes(new Uint8Array(3)).done();
  const bomb = new Writer().u32(0xffff_ffff).done();
  assert.throws(() => openSnapshot(one.context, snapshotOf(one, nonsense), 1e6), { code: 'wrong-proof' });
  assert.throws(() => openSnapshot(one.context, snapshotOf(one, bomb), 1e6), /a snapshot of 4294967295 records/);
});
