import { describe, test } from 'node:test';
import { errorsOf, fuzz } from '@trefoil/fuzz';
import { encodeAccept, encodeCertificate } from '@trefoil/license';
import { decodeEntry, encodeEntry, headAfter } from './entry.ts';
import { encodeRecords, encodeSnapshot, openSnapshot } from './ledger/snapshot.ts';
import { TestLedger, TestSession } from './ledger/test-ledger.ts';
import {
  decodeToProposer,
  decodeToVoter,
  encodeToProposer,
  encodeToVoter,
  type ToProposer,
  type ToVoter,
} from './messages.ts';
import type { Signed } from './signed.ts';
import { decodeRecord, encodeRecord, type LogRecord } from './records.ts';

const refuses = errorsOf('LicenseError');
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i);
const signed: Signed = { bytes: bytes(40), signature: bytes(64) };
const certificate = bytes(70);
const entries = { kind: 'entries', from: 7, entries: [bytes(50), bytes(3)], certificate } as const;
const snapshot = { kind: 'snapshot', bytes: bytes(30) } as const;

const TO_VOTER: readonly ToVoter[] = [
  { kind: 'beat', epoch: 3, heard: 7, clients: 2, holdsVirtualIp: true },
  { kind: 'prepare', prepare: signed },
  {
    ...{
      kind: 'propose',
      configVersion: 1,
      epoch: 3,
      index: 8,
      head: bytes(32),
      signature: bytes(64),
      entry: bytes(90),
      certificate,
    },
    justification: [signed, signed],
  },
  { kind: 'certified', certificate },
  entries,
  snapshot,
  { kind: 'fetch', from: 9 },
  { kind: 'rejoin', member: 2, rejoin: signed },
  { kind: 'knownAs', incarnation: bytes(16) },
  { kind: 'shown', vote: signed },
  { kind: 'resign', epoch: 3 },
];

const TO_PROPOSER: readonly ToProposer[] = [
  {
    ...{
      kind: 'status',
      promised: 3,
      logEpoch: 2,
      certifiedIndex: 8,
      lastIndex: 9,
      certificate,
      logClock: 5,
      wallMs: 6,
    },
    ...{
      ownerSilentMs: 4,
      incarnations: [bytes(16), bytes(16), bytes(16)],
      rejoins: [signed, signed],
      withholding: 'why',
    },
    ...{ unanchored: true, heard: ['A', 'B'], holdVirtualIp: ['B'] },
  },
  { kind: 'vote', vote: signed, logClock: 12 },
  { kind: 'promise', promise: signed, certificate, tail: bytes(20) },
  { kind: 'refused', what: 'propose', epoch: 3, reason: 'behind' },
  { kind: 'superseded', prepare: signed },
  { kind: 'asked', prepare: signed },
  { kind: 'handOver', prepare: signed },
  entries,
  snapshot,
];

const RECORDS: readonly LogRecord[] = [
  { kind: 'voted', statement: bytes(30), entry: bytes(40) },
  { kind: 'certified', certificate },
  { kind: 'caughtUp', from: 3, entries: [bytes(10), bytes(20)], certificate },
  { kind: 'promised', promise: bytes(30), prepare: signed },
  { kind: 'incarnation', member: 3, incarnation: bytes(16) },
  { kind: 'snapshot', index: 4, logEpoch: 2, configVersion: 1 },
  { kind: 'signedHigh', statement: bytes(30) },
  { kind: 'suspect', why: 'why' },
];

describe('one value has one encoding, and all else is a LicenseError', () => {
  test('to a license server', () =>
    fuzz({ valid: TO_VOTER.map(encodeToVoter), read: (b) => encodeToVoter(decodeToVoter(b)), refuses }));
  test('to a TMR server', () =>
    fuzz({ valid: TO_PROPOSER.map(encodeToProposer), read: (b) => encodeToProposer(decodeToProposer(b)), refuses }));
  test('records of a log', () =>
    fuzz({ valid: RECORDS.map(encodeRecord), read: (b) => encodeRecord(decodeRecord(b)), refuses }));
  test('entries', () => {
    const ledger = new TestLedger();
    const valid = [undefined, bytes(32)].map((ledgerRoot) =>
      encodeEntry({ ...ledger.entry([bytes(20), bytes(3)]), ledgerRoot }),
    );
    return fuzz({ valid, read: (b) => encodeEntry(decodeEntry(b)), refuses });
  });
});

describe('a snapshot, from whomever', () => {
  const ledger = usedLedger();
  const { fixture } = ledger;
  const records = encodeRecords(ledger.ledger);
  const entry = encodeEntry({ ...ledger.entry([]), ledgerRoot: ledger.root });
  const head = bytes(32);
  const statement = encodeAccept({
    ...{ set: fixture.set, configVersion: 1, epoch: 3, index: ledger.ledger.index + 1 },
    ...{ head: headAfter(fixture.crypto, head, entry), outcomesRoot: bytes(32), leafCount: 0, logTime: 9, utc: 9 },
  });
  const votes = ([1, 2] as const).map((member) => ({
    member,
    signature: fixture.containers[member - 1]?.sign(statement) ?? bytes(64),
  }));
  const parts = {
    head,
    entry,
    certificate: encodeCertificate({ statement, votes }),
    configurations: new Uint8Array(0),
    records,
  };
  const open = (b: Uint8Array): undefined => void openSnapshot(ledger.context, b, 1e6);

  test('altered in any way it is refused', () =>
    fuzz({ valid: [encodeSnapshot(parts)], read: open, refuses, seals: true }));

  test('with records that somebody has put into a true one', () =>
    fuzz({ valid: [records], read: (b) => open(encodeSnapshot({ ...parts, records: b })), refuses, seals: true }));
});

/** With a record of each kind. */
function usedLedger(): TestLedger {
  const ledger = new TestLedger();
  const terms = { quantity: 3, features: [{ name: 'render', quantity: 2 }], counting: ['session', 'user'] };
  ledger.sell({ ...terms, units: 9 });
  const [ada, bob, eve] = ['ada', 'bob', 'eve'].map((name) => TestSession.opened(ledger, name)) as [S, S, S];
  ledger.do(ada.acquire([{ product: 'cad', seats: 2 }]));
  ledger.do(ada.consume(2, { product: 'cad' }));
  ledger.do(bob.acquire());
  ledger.do(eve.close());
  ledger.do(ledger.evict(bob.id));
  return ledger;
}

type S = TestSession;
