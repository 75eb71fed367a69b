import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Accept,
  decodeAccept,
  decodeCertificate,
  decodePromise,
  encodeAccept,
  encodeCertificate,
  encodePromise,
  epochOf,
  equalBytes,
} from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import { ceilingAt } from '../log-clock.ts';
import type { Refusal, ToProposer } from '../messages.ts';
import type { Signed } from '../signed.ts';
import { LedgerRoot } from '../ledger/root.ts';
import { RULES_VERSION } from '../entry.ts';
import {
  Bench,
  certificateOf,
  group,
  one,
  prepareOf,
  promisesFor,
  proposeOf,
  type ProposeOptions,
  refusalOf,
  START,
  voted,
} from './bench.ts';
import type { Propose } from './propose.ts';

describe('promises (PROTOCOL §4.1)', () => {
  test('the same request gets the same promise; another of that epoch none', () => {
    const bench = new Bench();
    const [first] = bench.prepare(1);
    const [again] = bench.prepare(1);
    assert.ok(first?.kind === 'promise' && again?.kind === 'promise');
    assert.deepEqual(again.promise, first.promise);
    assert.equal(refusalOf(bench.prepare(1, 'A', 2)), 'stale-epoch');
    assert.equal(refusalOf(bench.prepare(0, 'B')), 'stale-epoch');
    assert.equal(refusalOf(bench.prepare(2 + LIMITS.epochJump)), 'epoch-jump');
  });

  test('what was signed by another, or is no PREPARE, is refused and harms nobody', () => {
    const bench = new Bench();
    const stolen = prepareOf(1, 'A');
    assert.equal(refusalOf(bench.say('B', { kind: 'prepare', prepare: stolen })), 'bad-signature');
    const bytes = new Uint8Array(40);
    const odd = { bytes, signature: one.tmrKeys.A.sign(bytes) };
    assert.equal(refusalOf(bench.say('A', { kind: 'prepare', prepare: odd })), 'bad-signature');
    const foreign = [{ set: new Uint8Array(16) }, { epoch: epochOf(1, 'B') }];
    for (const change of foreign)
      assert.equal(
        refusalOf(bench.say('A', { kind: 'prepare', prepare: prepareOf(1, 'A', 1, change) })),
        'bad-signature',
      );
    const unsigned = { ...stolen, signature: one.tmrKeys.B.sign(stolen.bytes) };
    assert.equal(refusalOf(bench.say('A', { kind: 'prepare', prepare: unsigned })), 'bad-signature');
    assert.equal(bench.voter.promised, 0);
  });

  test('an older request is stale, though it was answered once; who led is shown the new one', () => {
    const bench = new Bench();
    const kinds = (answers: ToProposer[]): string[] => answers.map(({ kind }) => kind);
    assert.deepEqual(kinds(bench.prepare(1)), ['promise']);
    assert.deepEqual(kinds(bench.prepare(2)), ['promise'], 'the same one leads on');
    assert.equal(refusalOf(bench.prepare(1)), 'stale-epoch');
    assert.deepEqual(kinds(bench.prepare(3, 'B')).sort(), ['promise', 'superseded']);
    Object.assign(bench.voter.storedPromise ?? {}, { signature: undefined }); // as after a start: it is signed again
    assert.deepEqual(kinds(bench.prepare(3, 'B')), ['promise']);
  });
});

describe('reluctance (PROTOCOL §4.6)', () => {
  test('no promise to another while the active one lives; where clients wait, after a second, and then not for ten', () => {
    const bench = new Bench();
    bench.prepare(1);
    const ask = (counter: number, clientsWait: boolean): string[] => {
      bench.say('A', { kind: 'beat', epoch: bench.voter.promised, heard: 7, clients: 1, holdsVirtualIp: false });
      bench.voter.lastCertificateAt = bench.now;
      const prepare = prepareOf(counter, 'B', 1, { clientsWait });
      return bench.say('B', { kind: 'prepare', prepare }).map((one) => ('reason' in one ? one.reason : one.kind));
    };
    assert.deepEqual(ask(1, false), ['active-lives']);
    for (bench.now = 100; bench.now < 1_100; bench.now += 100)
      assert.deepEqual(ask(1, true), ['handOver', 'active-lives'], `${bench.now}`);
    bench.now = 2_101; // not asked for longer than a second: that was another trouble
    assert.deepEqual(ask(1, true), ['handOver', 'active-lives']);
    bench.now = 3_101;
    assert.ok(ask(1, true).includes('promise'));
    bench.prepare(2);
    for (const inMs of [100, 9_999]) {
      bench.now = 3_101 + inMs;
      assert.deepEqual(ask(2, true), ['active-lives'], `${inMs}`);
    }
    bench.now = 3_101 + 10_000;
    assert.deepEqual(ask(2, true), ['handOver', 'active-lives']);
    bench.now += 1_000;
    assert.ok(ask(2, true).includes('promise'));
    assert.equal(bench.voter.reluctance.pauseMs, 4 * LIMITS.reluctanceMinMs);
  });
});

describe('votes (PROTOCOL §3.2)', () => {
  test('one for each place: a repeat gets the same, another entry is a proof of a lie', () => {
    const { benches, justification, propose } = voted();
    const [bench] = benches;
    const [again] = bench.say('A', propose);
    assert.ok(again?.kind === 'vote');
    assert.deepEqual(again.vote.bytes, bench.voter.signedHigh?.statement);
    const other = proposeOf(bench, 2, { justification, utc: START + 1 });
    assert.equal(refusalOf(bench.say('A', other)), 'equivocation');
    assert.ok(bench.alarms.includes('equivocation'));
  });

  test('each refusal for its reason', () => {
    const reasons: readonly (readonly [Refusal, ProposeOptions])[] = [
      ['log-time', { logTime: 10_000 }],
      ['utc', { utc: START + 3_600_000 }],
      ['malformed', { commands: [new Uint8Array(3)] }],
      ['ledger-root', { ledgerRoot: new Uint8Array(32) }],
      ['wrong-head', { previous: new Uint8Array(32) }],
      ['malformed', { entry: { index: 2 } }],
      ['malformed', { entry: { set: new Uint8Array(16) } }],
      ['rules-version', { entry: { rulesVersion: RULES_VERSION + 1 } }],
      ['behind', { index: 5 }],
      ['bad-certificate', { certificate: new Uint8Array(3) }],
      ['bad-justification', { justification: [] }],
    ];
    for (const [reason, options] of reasons) {
      const benches = group();
      const justification = promisesFor(1, 'A', benches);
      const propose = proposeOf(benches[0], 2, { justification, ...options });
      assert.equal(refusalOf(benches[0].say('A', propose)), reason);
      assert.equal(benches[0].voter.replica.lastIndex, 0, reason);
    }
    const bench = new Bench();
    assert.equal(refusalOf(bench.say('A', proposeOf(bench, 2))), 'stale-epoch');
    assert.equal(refusalOf(bench.say('B', proposeOf(bench, 2))), 'bad-signature');
    assert.equal(refusalOf(bench.say('B', proposeOf(bench, 2, { key: 'B' }))), 'bad-signature'); // an epoch of the other
    const benches = group();
    const justification = promisesFor(1, 'A', benches);
    benches[0].prepare(2);
    assert.equal(refusalOf(benches[0].say('A', proposeOf(benches[0], 2, { justification }))), 'stale-epoch');
    benches[1].voter.withholding = 'its incarnation is not drawn yet';
    assert.equal(refusalOf(benches[1].say('A', proposeOf(benches[1], 2, { justification }))), 'withholding');
  });

  test('a refused successor leaves the log as it was, so that a later promise admits the vote', () => {
    const { benches } = voted();
    const [first, second, third] = benches;
    const { lastHead } = first.voter.replica;
    // The other two never saw the entry: their promises justify another one in its place.
    const fresh = [new Bench(2), new Bench(3)];
    const justification = promisesFor(2, 'B', fresh);
    first.prepare(2, 'B');
    const poisoned = proposeOf(first, 5, { justification, utc: START + 3_600_000 });
    assert.equal(refusalOf(first.say('B', poisoned)), 'utc');
    assert.ok(equalBytes(first.voter.replica.lastHead, lastHead));
    assert.equal(first.voter.replica.lastIndex, 1);
    assert.equal(first.say('B', proposeOf(first, 5, { justification, utc: START + 5 }))[0]?.kind, 'vote');
    assert.ok(!equalBytes(first.voter.replica.lastHead, lastHead));
    assert.equal(second.voter.replica.lastIndex + third.voter.replica.lastIndex, 2);
  });

  test('what a peer has signed is not measured by the own wall clock when a new epoch offers it again (PROTOCOL §6.3)', () => {
    const { benches, propose } = voted();
    const [first, , third] = benches;
    const accept = first.voter.signedHigh?.statement as Uint8Array;
    const votes = ([1, 2] as const).map((member) => ({
      member,
      signature: (one.containers[member - 1] as typeof one.root).sign(accept),
    }));
    const certificate = encodeCertificate({ statement: accept, votes });
    const previous = (propose as Propose).head;
    const hour = { index: 2, previous, certificate, utc: START + 3_600_000 };
    third.wallMs += 3_600_000;
    assert.equal(third.say('A', proposeOf(third, 2, hour))[0]?.kind, 'vote');
    assert.equal(refusalOf(first.say('A', proposeOf(first, 2, hour))), 'utc');
    const justification = promisesFor(2, 'B', [first, third]);
    const other = proposeOf(first, 5, { ...hour, justification, utc: START + 3_600_001 });
    assert.equal(refusalOf(first.say('B', other)), 'bad-justification');
    assert.equal(first.say('B', proposeOf(first, 5, { ...hour, justification }))[0]?.kind, 'vote');
  });

  test('what a peer has signed too early is let pass when its time has come; anything else is not (PROTOCOL §6.2)', () => {
    const { benches, propose } = voted();
    const [first, second, third] = benches;
    const certificate = certificateOf([first, second]);
    const previous = (propose as Propose).head;
    const early = { index: 2, previous, certificate, logTime: 6_000, utc: START + 6_000 };
    const tail = proposeOf(first, 2, early);
    const [own, peers] = promisesFor(2, 'B', [first, third]) as [Signed, Signed];
    const log = { logEpoch: 2, lastIndex: 2, lastHead: tail.head };
    const bytes = encodePromise({ ...decodePromise(peers.bytes), ...log });
    const signature = (one.containers[2] as typeof one.root).sign(bytes);
    const justification = [own, { bytes, signature }];
    const again = (): string => refusalOf(first.say('B', proposeOf(first, 5, { ...early, justification })));
    for (const [now, expected] of [
      [100, 'log-time'],
      [5_800, 'log-time'],
      [6_000, 'vote'],
    ] as const) {
      first.now = now;
      assert.equal(again(), expected, `${now}`);
    }
    // It would let the same pass again, in another epoch.
    assert.ok(ceilingAt(first.voter.clock, 6_000) >= 6_000);
    const justified = promisesFor(2, 'B', [second]);
    second.now = 60_000;
    assert.equal(
      refusalOf(second.say('B', proposeOf(second, 5, { ...early, justification: [own, ...justified] }))),
      'log-time',
    );
  });

  test('a malformed root entry makes no snapshot of the one that comes in its place', () => {
    const benches = group();
    const justification = promisesFor(1, 'A', benches);
    const [bench] = benches;
    const ledgerRoot = new LedgerRoot(one.crypto).current(bench.voter.replica.ledger);
    const bad = proposeOf(bench, 2, { justification, ledgerRoot, commands: [new Uint8Array(3)] });
    assert.equal(refusalOf(bench.say('A', bad)), 'malformed');
    assert.equal(bench.voter.pendingSnapshot, undefined);
    assert.equal(bench.say('A', proposeOf(bench, 2, { justification }))[0]?.kind, 'vote');
    assert.equal(bench.voter.pendingSnapshot, undefined);
  });
});

describe('two certificates that contradict each other (PROTOCOL §7.4)', () => {
  const signed = (change: Partial<Accept>, bench: Bench): Uint8Array => {
    const statement = encodeAccept({ ...(bench.voter.signedHigh?.accept as Accept), ...change });
    const votes = ([1, 2] as const).map((member) => ({
      member,
      signature: (one.containers[member - 1] as typeof one.root).sign(statement),
    }));
    return encodeCertificate({ statement, votes });
  };
  /** Who has two certified entries. */
  const behindTwo = (): Bench => {
    const { benches, propose } = voted();
    const [first, second] = benches;
    const previous = (propose as Propose).head;
    const certificate = certificateOf([first, second]);
    for (const bench of [first, second]) bench.say('A', proposeOf(bench, 2, { index: 2, previous, certificate }));
    first.say('A', { kind: 'certified', certificate: certificateOf([first, second]) });
    assert.equal(first.voter.replica.certifiedIndex, 2);
    return first;
  };
  const digest = new Uint8Array(32).fill(9);
  const cases = { 'another head': { head: digest }, 'other outcomes': { outcomesRoot: digest } };
  for (const [what, change] of Object.entries(cases))
    for (const index of [1, 2])
      test(`${what} at entry ${index} of 2: it signs nothing more`, () => {
        const bench = behindTwo();
        const { head } = decodeAccept(
          decodeCertificate(bench.voter.recent.certificateOf(index) as Uint8Array).statement,
        );
        bench.say('A', { kind: 'certified', certificate: signed({ index, head, ...change }, bench) });
        assert.deepEqual(
          bench.alarms.filter((alarm) => alarm === 'fork'),
          ['fork'],
        );
        assert.equal(refusalOf(bench.prepare(2, 'B')), 'withholding');
        const previous = bench.voter.replica.lastHead;
        assert.equal(refusalOf(bench.say('A', proposeOf(bench, 2, { index: 3, previous }))), 'withholding');
      });

  test('the same certificate again, or one of another epoch over the same entry, is none', () => {
    const bench = behindTwo();
    for (const change of [{}, { epoch: 4 }])
      bench.say('A', { kind: 'certified', certificate: signed({ index: 2, ...change }, bench) });
    assert.deepEqual(bench.alarms, []);
    assert.equal(bench.voter.withholding, '');
  });
});

describe('one statement at a time (PROTOCOL §3.3)', () => {
  test('what comes while the disk is slow waits its turn, in order', () => {
    const benches = group();
    const justification = promisesFor(1, 'A', benches);
    const [bench] = benches;
    bench.held = [];
    const propose = proposeOf(bench, 2, { justification });
    assert.deepEqual(bench.say('A', propose), []);
    assert.deepEqual(bench.say('A', propose), []); // duplicated
    assert.deepEqual(bench.prepare(1, 'B'), []); // a takeover meanwhile
    bench.sent = [];
    bench.release();
    const kinds = bench.sent.filter((answer) => answer.kind !== 'status').map((answer) => answer.kind);
    assert.deepEqual(kinds.slice(0, 2), ['vote', 'vote']);
    assert.ok(kinds.includes('promise') && kinds.includes('superseded'), kinds.join());
    assert.equal(bench.voter.promised, 3);
    assert.equal(refusalOf(bench.say('A', propose)), 'stale-epoch');
  });

  test('late or foreign answers of disk and container change nothing', () => {
    const { benches } = voted();
    const [bench] = benches;
    bench.effects = [];
    bench.step({ kind: 'persisted', ticket: 1 });
    bench.step({ kind: 'signed', ticket: 1, signature: new Uint8Array(64) });
    bench.step({ kind: 'snapshotWritten', index: 9 });
    assert.deepEqual(bench.effects, []);
  });

  test('a flood loses messages of its own sender, and nobody else’s', () => {
    const { benches } = voted();
    const [bench] = benches;
    bench.held = [];
    const index2 = {
      index: 2,
      certificate: certificateOf(benches.slice(0, 2)),
      previous: bench.voter.replica.lastHead,
    };
    bench.say('A', proposeOf(bench, 2, index2));
    bench.prepare(2, 'A');
    const junk = { bytes: new Uint8Array(10), signature: new Uint8Array(64) };
    for (let i = 0; i < 100; i++) bench.say('B', { kind: 'shown', vote: junk });
    const waiting = bench.voter.deferred.map(({ from }) => from);
    assert.deepEqual(waiting, ['A', ...Array.from({ length: LIMITS.deferredMessages }, () => 'B')]);
    bench.release();
  });

  test('a flood is bounded', () => {
    const bench = new Bench();
    bench.held = [];
    for (let i = 0; i < 1_000; i++) bench.prepare(1 + i);
    assert.ok(bench.voter.deferred.length <= LIMITS.deferredMessages);
    bench.release();
  });
});
