import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeAccept, decodePromise, equalBytes, type Member } from '@trefoil/license';
import { decodeEntry, encodeEntry } from '../entry.ts';
import { LedgerRoot } from '../ledger/root.ts';
import { decodeRecord, encodeRecord, type LogRecord } from '../records.ts';
import { LIMITS } from '../limits.ts';
import { Scenario } from '../scenarios/scenario.ts';
import { play } from '../scenarios/steps.ts';
import type { World } from '../scenarios/world.ts';
import { onSnapshot, onSnapshotWritten } from './catch-up.ts';
import { recoverVoter, type SnapshotSource } from './recover.ts';

/** A restart from the store as it stands remembers everything that was signed, and has the ledger that goes with its log. */
function checkStore(world: World, member: Member): void {
  const { voters, witness } = world;
  const recovered = world.recover(member);
  assert.equal(recovered.kind, 'recovered', recovered.kind === 'suspect' ? recovered.why : '');
  const { voter } = recovered;
  const vote = witness.lastVote.get(`L${member}`);
  if (vote !== undefined) {
    const { epoch, index, head } = decodeAccept(vote);
    const known = voter.signedHigh?.accept;
    assert.ok(known !== undefined && (known.epoch > epoch || (known.epoch === epoch && known.index >= index)));
    if (known.epoch === epoch && known.index === index) assert.deepEqual(voter.signedHigh?.statement, vote);
    const { lastIndex, lastHead, certifiedIndex } = voter.replica;
    const holds = certifiedIndex >= index || (lastIndex === index && equalBytes(lastHead, head));
    assert.ok(holds || voter.logEpoch > epoch, 'a vote is not in the log');
  }
  const promise = witness.lastPromise.get(`L${member}`);
  if (promise !== undefined) {
    const { epoch } = decodePromise(promise);
    assert.ok(voter.promised >= epoch);
    if (voter.promised === epoch) assert.deepEqual(voter.storedPromise?.promise, promise);
  }
  assert.ok(voter.promised >= voter.logEpoch);
  const living = voters[member].voter?.replica;
  if (living === undefined || !equalBytes(living.lastHead, voter.replica.lastHead)) return;
  const rootOf = ({ ledger }: typeof living): Uint8Array => {
    const dirty = [...ledger.dirty];
    const root = LedgerRoot.of(ledger).current(ledger);
    for (const name of dirty) ledger.dirty.add(name); // the server itself still needs them
    return root;
  };
  assert.deepEqual(rootOf(voter.replica), rootOf(living));
}

const story = `
> start all
> vendor sells cad-1: 3 seats of cad
> alice, bob and carol on ws-1 open a session
> alice acquires cad
> run 3 s
> bob acquires cad, not waiting
> run 1 ms
> crash A
> run 500 ms
> cut L3 from B
> carol acquires cad
> alice renews
> run 8 s
> restart A
> mend L3 to B
> run 1 s
> crash L1
> carol renews
> restart L1
> run 2 s
> crash B
> run 500 ms
> alice releases cad
> crash L2 and L3
> restart L2 and L3
> run 5 s
> alice renews
`;

describe('recovery', () => {
  test('a crash at any moment forgets nothing that was signed', () => {
    const scenario = new Scenario();
    scenario.options = { snapshotEveryEntries: 5, recentBytes: 1_500 };
    let checked = 0;
    scenario.world.onDurable = (member) => {
      checkStore(scenario.world, member);
      checked++;
    };
    play(scenario, story);
    assert.deepEqual(scenario.check(), []);
    assert.ok(checked > 100, `${checked} stores`);
  });

  test('a note that was written behind a new file changes nothing', () => {
    const { world, records } = told();
    const known = records.filter((record) => record.kind === 'certified');
    const { kind, voter } = recover(world, [...records, ...known.slice(-2)], undefined);
    assert.equal(kind, 'recovered');
    assert.equal(voter.replica.certifiedIndex, world.recover(1).voter.replica.certifiedIndex);
  });

  test('what contradicts itself is suspect', () => {
    const { world, records } = told();
    const votes = records.filter((record) => record.kind === 'voted');
    const [first, second] = [votes.at(-2), votes.at(-1)];
    assert.ok(first?.kind === 'voted' && second?.kind === 'voted');
    const cases: Record<string, readonly LogRecord[]> = {
      'a gap': records.filter((record) => record !== first),
      'the entry of another vote': [...records.slice(0, -1), { ...second, entry: first.entry }],
      'a certificate of nothing': records.filter((record, i) => record.kind !== 'voted' || i < 3),
      'a snapshot that is not there': [{ kind: 'snapshot', index: 500, logEpoch: 2, configVersion: 1 }],
    };
    for (const [what, broken] of Object.entries(cases))
      assert.equal(recover(world, broken, undefined).kind, 'suspect', what);
  });

  test('what another version of the program has made is told, and is not suspect: nothing of it is set aside', () => {
    const { world, records } = told();
    const vote = records.findLast((record) => record.kind === 'voted');
    assert.ok(vote?.kind === 'voted');
    const older = encodeEntry({ ...decodeEntry(vote.entry), rulesVersion: 1 });
    const log = [...records.filter((record) => record !== vote), { ...vote, entry: older }];
    assert.throws(
      () => recover(world, log, undefined),
      /made under version 1 of the rules.*use the program that made it/,
    );
  });

  test('a suspicion lasts through restarts, until the next vote', () => {
    const { world, records } = told();
    const suspicious: LogRecord[] = [...records, { kind: 'suspect', why: 'an old copy' }];
    assert.equal(recover(world, suspicious, undefined).voter.withholding, 'an old copy');
    const vote = records.findLast((record) => record.kind === 'voted') as LogRecord;
    assert.equal(recover(world, [...suspicious, vote], undefined).voter.withholding, '');
  });

  test('and when a snapshot begins a new log file: it does not stay behind in the old one', () => {
    const scenario = new Scenario();
    scenario.options = { snapshotEveryEntries: 5, recentBytes: 1_500 };
    play(scenario, '> start all\n> run 8 s\n');
    const { world } = scenario;
    const [snapshot] = world.voters[2].store.snapshots.values();
    assert.ok(snapshot !== undefined);
    const { voter } = recover(world, [{ kind: 'suspect', why: 'an old copy' }], undefined);
    onSnapshot(voter, 'A', snapshot, world.clock(1));
    const { index = 0 } = voter.snapshot ?? {};
    const [rotate] = onSnapshotWritten(voter, index);
    assert.ok(rotate?.kind === 'rotate' && index > 0);
    const again = recover(world, rotate.records, snapshot).voter;
    assert.equal(again.replica.certifiedIndex, index);
    assert.equal(again.withholding, 'an old copy');
  });
});

/** A short history of license server 1, as records. */
function told(): { world: World; records: LogRecord[] } {
  const scenario = new Scenario();
  play(
    scenario,
    '> start all\n> vendor sells cad-1: 3 seats of cad\n> alice on ws-1 opens a session\n> alice acquires cad\n',
  );
  const { world } = scenario;
  return { world, records: world.voters[1].store.records.map(decodeRecord) };
}

function recover(world: World, records: readonly LogRecord[], snapshot: SnapshotSource) {
  const again = records.map((record) => decodeRecord(encodeRecord(record)));
  return recoverVoter(world.context, 1, { records: again, snapshot }, world.clock(1));
}

test('where more came since a snapshot than one append takes, the old log file stays until the next', () => {
  const scenario = new Scenario();
  scenario.options = { snapshotEveryEntries: 5 };
  play(scenario, '> start all\n> run 8 s\n');
  const { voter } = scenario.world.voters[1];
  assert.ok(voter?.snapshot !== undefined);
  const { index } = voter.snapshot;
  assert.equal(onSnapshotWritten(voter, index)[0]?.kind, 'rotate');
  const { recent, replica } = voter;
  for (let i = 0; i < 5; i++)
    recent.push(replica.certifiedIndex + 1 + i, new Uint8Array(LIMITS.entryBytes), replica.certificate);
  assert.deepEqual(onSnapshotWritten(voter, index), []);
});
