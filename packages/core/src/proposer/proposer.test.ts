import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  decodeCommand,
  decodePromise,
  encodePromise,
  INCARNATION_BYTES,
  type LogPromise,
  type Member,
} from '@trefoil/license';
import { decodeEntry, encodeEntry, type Entry, headAfter, RULES_VERSION } from '../entry.ts';
import { LIMITS } from '../limits.ts';
import type { ToProposer } from '../messages.ts';
import { NEVER_HEARD, type VoterStatus } from '../voter-status.ts';
import { Scenario } from '../scenarios/scenario.ts';
import { START } from '../voter/bench.ts';
import type { Voter } from '../voter/state.ts';
import { play } from '../scenarios/steps.ts';
import { takeBatch } from './queue.ts';
import type { Priority, Proposer } from './state.ts';
import { stepProposer } from './step.ts';

const begin = '> start all\n> vendor sells cad-1: 2 seats of cad\n> alice and bob on ws-1 open a session\n';

/** Two TMR servers and three license servers in order, with A leading; and what was said in them. */
function group(): { scenario: Scenario; said: string[]; tell: (steps: string) => void } {
  const scenario = new Scenario();
  const said: string[] = [];
  const tell = (steps: string): void => void said.push(...play(scenario, steps).split('\n'));
  tell(begin);
  return { scenario, said, tell };
}

describe('leading', () => {
  test('an entry that was certified for somebody else is decided by that certificate', () => {
    const { scenario, said, tell } = group();
    const { world } = scenario;
    tell('> alice acquires cad, not waiting\n> run 1 ms\n');
    // A's certificate reaches L1 alone, and L1 doesn't reach B until B leads.
    for (const way of ['A>L2', 'A>L3', 'B>L1', 'L1>B']) world.cuts.add(way);
    tell('> run 2 ms\n> crash A\n');
    // L3 promises, but is never shown the entry again: without L1 there is no second vote.
    world.tamper = (from, to, message) =>
      from === 'B' && to === 3 && message.kind === 'propose' ? undefined : message;
    tell('> run 500 ms\n> mend B to L1\n> run 700 ms\n> alice asks again\n> status\n');
    assert.deepEqual(scenario.check(), []);
    assert.ok(
      said.some((line) => line.includes('alice got the very same bytes')),
      said.join('\n'),
    );
    assert.ok((world.proposers.B?.replica.certifiedIndex ?? 0) > 4);
  });

  test('who would lead feeds who lacks nothing but the certificate of the entry that brought a configuration (PROTOCOL §4.9)', () => {
    const { scenario, said, tell } = group();
    const { world } = scenario;
    tell('> run 1 s\n> crash L3\n> a new machine is plugged in as L3\n> run 1 s\n');
    // L2 votes for the entry, and is not told that it is certified.
    world.tamper = (from, to, message) =>
      from === 'A' && to === 2 && message.kind !== 'propose' ? undefined : message;
    tell('> the vendor replaces L3\n> crash A\n');
    world.tamper = (_from, _to, message) => message;
    const { certifiedIndex, lastIndex } = (world.voters[2].voter as Voter).replica;
    assert.equal(certifiedIndex, lastIndex - 1);
    tell('> run 3 s\n> alice renews\n');
    assert.deepEqual(scenario.check(), []);
    assert.equal(world.proposers.B?.role, 'leading', said.join('\n'));
  });

  test('what a license server signs that is no vote, or another entry than it promised, harms nobody', () => {
    const { scenario } = group();
    const proposer = scenario.world.proposers.A as Proposer;
    const bytes = new Uint8Array(50);
    const signature = scenario.world.fixture.containers[0]?.sign(bytes) as Uint8Array;
    const odd = { bytes, signature };
    const messages: readonly ToProposer[] = [
      { kind: 'vote', vote: odd, logClock: 0 },
      { kind: 'promise', promise: odd, certificate: bytes, tail: bytes },
      { kind: 'superseded', prepare: odd },
      { kind: 'asked', prepare: odd },
      { kind: 'handOver', prepare: odd },
      { kind: 'entries', from: 1, entries: [bytes], certificate: bytes },
      { kind: 'snapshot', bytes },
    ];
    for (const message of messages) {
      stepProposer(proposer, { kind: 'message', member: 1, message }, scenario.world.clock());
      stepProposer(
        scenario.world.proposers.B as Proposer,
        { kind: 'message', member: 1, message },
        scenario.world.clock(),
      );
    }
    assert.equal(proposer.role, 'leading');
  });

  test('one that was told of another start than the other two, as by a clone, does not keep them from an epoch', () => {
    for (const odd of [1, 2, 3] as const) {
      const { scenario, said, tell } = group();
      const { voter } = scenario.world.voters[odd];
      (voter as Voter).incarnations[odd % 3] = new Uint8Array(INCARNATION_BYTES).fill(9);
      tell('> crash A\n> run 1 s\n> bob acquires cad\n');
      assert.deepEqual(scenario.check(), []);
      assert.ok(
        said.some((line) => line.includes('bob is granted')),
        said.join('\n'),
      );
    }
  });

  test('a promise with another tail than it names is not built on', () => {
    const { scenario, said, tell } = group();
    const { world } = scenario;
    tell('> alice acquires cad, not waiting\n> run 1 ms\n');
    world.onSaid = (member, message) =>
      member === 1 && message.kind === 'promise' ? { ...message, tail: Uint8Array.from([1, 2, 3]) } : message;
    tell('> crash A\n> run 1 s\n> bob acquires cad\n');
    assert.deepEqual(scenario.check(), []);
    assert.ok(
      said.some((line) => line.includes('bad-promise')),
      said.join('\n'),
    );
    assert.ok(
      said.some((line) => line.includes('bob is granted')),
      said.join('\n'),
    );
  });
});

describe('a false license server', () => {
  const odd = (change: Partial<Entry>) => (proposer: Proposer) => {
    const { context, replica } = proposer;
    const { index, logTime, utc } = { index: replica.certifiedIndex + 1, logTime: 10_000, utc: START + 10_000 };
    const entry = { set: context.configuration.set, index, logTime, utc, rulesVersion: RULES_VERSION, commands: [] };
    return encodeEntry({ ...entry, ledgerRoot: undefined, ...change });
  };
  const tails: Readonly<Record<string, (proposer: Proposer) => Uint8Array>> = {
    'no entry': () => Uint8Array.of(1, 2, 3),
    'an entry with something that is no command': odd({ commands: [Uint8Array.of(99)] }),
    'an entry of another place': odd({ index: 1_000_000 }),
    'an entry of other rules': odd({ rulesVersion: 77 }),
    'an entry of another set': odd({ set: new Uint8Array(16) }),
    'an entry over another ledger': odd({ ledgerRoot: new Uint8Array(32) }),
    'an entry of a time that has passed': odd({ logTime: 0 }),
    'an entry of a year that has passed': odd({ utc: START - 365 * 86_400_000 }),
  };
  for (const [what, tailOf] of Object.entries(tails))
    test(`invents ${what}, and promises a log with it: nobody builds on it`, () => {
      const { scenario, said, tell } = group();
      const { world } = scenario;
      const proposer = world.proposers.B as Proposer;
      const bytes = tailOf(proposer);
      world.onSaid = (member, message) => {
        if (member !== 1 || message.kind !== 'promise') return message;
        const promise = decodePromise(message.promise.bytes);
        const { certifiedIndex, crypto, lastHead, tail } = proposer.replica;
        const log = {
          lastIndex: certifiedIndex + 1,
          lastHead: headAfter(crypto, tail?.previousHead ?? lastHead, bytes),
        };
        const statement = encodePromise({ ...promise, ...log });
        const signature = world.fixture.containers[0]?.sign(statement) as Uint8Array;
        return { ...message, promise: { bytes: statement, signature }, tail: bytes };
      };
      tell('> crash A\n> run 2 s\n> bob acquires cad\n');
      for (const expected of ['bad-promise', 'bob is granted'])
        assert.ok(
          said.some((line) => line.includes(expected)),
          said.join('\n'),
        );
    });
});

describe('a false license server that says it has promised a far epoch', () => {
  const most = Number.MAX_SAFE_INTEGER;
  for (const promised of [1_000, 1_000_000, most - 3, most])
    for (const leads of ['A', 'nobody'])
      test(`${promised}, while ${leads} leads: the others are served`, () => {
        const { scenario, said, tell } = group();
        const { world } = scenario;
        world.onSaid = (member, message) => {
          if (member !== 1) return message;
          if (message.kind === 'refused')
            return { ...message, what: 'prepare', epoch: promised, reason: 'stale-epoch' };
          return message.kind === 'status' ? { ...message, promised } : message;
        };
        if (leads === 'nobody') tell('> crash A\n> run 2 s\n');
        tell('> run 2 s\n> bob acquires cad\n> run 3 s\n');
        assert.ok(
          said.some((line) => line.includes('bob is granted')),
          said.join('\n'),
        );
        const { epoch } = world.proposers.B ?? { epoch: 0 };
        assert.ok(epoch < 200_000, `${epoch}`);
      });
});

describe('a false license server that promises another log', () => {
  const digest = new Uint8Array(32).fill(7);
  const lies: Readonly<Record<string, (promise: LogPromise) => Partial<LogPromise>>> = {
    'a longer one': ({ lastIndex }) => ({ lastIndex: lastIndex + 5, lastHead: digest }),
    'one that is longer by an entry': ({ lastIndex }) => ({ lastIndex: lastIndex + 1, lastHead: digest }),
    'one without end': () => ({ lastIndex: Number.MAX_SAFE_INTEGER, lastHead: digest }),
    'its own, of a later epoch': ({ epoch }) => ({ logEpoch: epoch - 1 }),
    'a longer one of a later epoch': ({ epoch, lastIndex }) => ({ logEpoch: epoch - 1, lastIndex: lastIndex + 5 }),
    'a shorter one of a later epoch': ({ epoch, lastIndex }) => ({ logEpoch: epoch - 1, lastIndex: lastIndex - 1 }),
    'one with another end': () => ({ lastHead: digest }),
    'one of an epoch to come': ({ epoch }) => ({ logEpoch: epoch + 100 }),
  };
  const none = new Uint8Array(0);
  const bare = { certificate: none, tail: none };
  const shown: Readonly<Record<string, Partial<Extract<ToProposer, { kind: 'promise' }>>>> = {
    'what it has': {},
    'no last entry': { tail: none },
    nothing: bare,
  };
  /** L1 answers first, so that its promise is among the two that are taken. */
  function lyingGroup(change: (promise: LogPromise) => Partial<LogPromise>, beside: object, status: object) {
    const { scenario, said, tell } = group();
    const { world } = scenario;
    world.onSaid = (member, message) => {
      if (member !== 1) return message;
      if (message.kind === 'status') return { ...message, ...status };
      if (message.kind !== 'promise') return message;
      const promise = decodePromise(message.promise.bytes);
      const statement = encodePromise({ ...promise, ...change(promise) });
      const signature = world.fixture.containers[0]?.sign(statement) as Uint8Array;
      return { ...message, promise: { bytes: statement, signature }, ...beside };
    };
    return { scenario, said, tell };
  }
  for (const [what, change] of Object.entries(lies))
    for (const [beside, messages] of Object.entries(shown))
      test(`${what}, and shows ${beside}: the others are served when the leader dies`, () => {
        const { scenario, said, tell } = lyingGroup(change, messages, {});
        tell('> crash A\n> run 3 s\n> bob acquires cad\n> run 1 s\n');
        assert.ok(
          said.some((line) => line.includes('bob is granted')),
          said.join('\n'),
        );
        assert.deepEqual(scenario.check(), []);
      });

  test('an empty one of a later epoch, and nobody dies: nor when it has fresh epochs asked for all the while', () => {
    const genesis = new Scenario().world;
    genesis.startProposer('A');
    const lastHead = (genesis.proposers.A as Proposer).replica.lastHead;
    const empty = ({ epoch }: LogPromise) => ({ logEpoch: epoch - 1, lastIndex: 0, lastHead });
    const status = { promised: 0 };
    const { scenario, said, tell } = lyingGroup(empty, bare, status);
    const { proposers } = scenario.world;
    const told = scenario.world.onSaid;
    scenario.world.onSaid = (member, message) => {
      status.promised = Math.max(proposers.A?.epoch ?? 0, proposers.B?.epoch ?? 0) + 2;
      return told(member, message);
    };
    tell('> run 2 s\n> alice acquires cad\n> run 5 s\n> bob acquires cad\n> run 2 s\n');
    for (const expected of ['alice is granted', 'bob is granted'])
      assert.ok(
        said.some((line) => line.includes(expected)),
        said.join('\n'),
      );
  });
});

describe('a false license server that lies in each status', () => {
  const most = Number.MAX_SAFE_INTEGER;
  const odd = { bytes: new Uint8Array(40), signature: new Uint8Array(64) };
  const lies: Readonly<Record<string, Partial<VoterStatus>>> = {
    'it has far more than there is': { certifiedIndex: most, lastIndex: most },
    'it has nothing': { certifiedIndex: 0, lastIndex: 0, certificate: new Uint8Array(0) },
    'its certificate can not be read': { certificate: new Uint8Array(300) },
    'it hears the one who leads': { ownerSilentMs: 0 },
    'it hears nobody': { ownerSilentMs: NEVER_HEARD },
    'its log clock is at the end of time': { logClock: most },
    'its wall clock is at the end of time': { wallMs: most },
    'its wall clock is at the beginning': { wallMs: 0, logClock: 0 },
    'its log is of an epoch to come': { logEpoch: most },
    'it has started anew, in words that are none': { rejoins: [odd, odd], unanchored: true },
    'it withholds': { withholding: 'just so' },
  };
  for (const [what, lie] of Object.entries(lies))
    for (const dies of ['A', 'nobody'])
      test(`${what}: the others are served when ${dies} dies`, () => {
        const { scenario, said, tell } = group();
        const { world } = scenario;
        world.onSaid = (member, message) =>
          member === 1 && message.kind === 'status' ? { ...message, ...lie } : message;
        tell('> run 1 s\n> alice acquires cad\n> run 1 s\n');
        if (dies === 'A') tell('> crash A\n');
        tell('> run 2 s\n> bob acquires cad\n> run 2 s\n');
        for (const expected of ['alice is granted', 'bob is granted'])
          assert.ok(
            said.some((line) => line.includes(expected)),
            said.join('\n'),
          );
        assert.deepEqual(scenario.check(), []);
      });
});

describe('the queue (PROTOCOL §5.14)', () => {
  function queued(counts: Partial<Record<Priority, readonly number[]>>): Proposer {
    const { scenario } = group();
    const proposer = scenario.world.proposers.A as Proposer;
    let token = 0;
    for (const [priority, sizes] of Object.entries(counts) as [Priority, readonly number[]][])
      for (const size of sizes)
        proposer.queue[priority].push({ token: ++token, bytes: new Uint8Array(size), priority, deadlineMs: Infinity });
    return proposer;
  }
  const batch = (proposer: Proposer): string[] =>
    takeBatch(proposer, { monotonicMs: 0, wallMs: 0 }).map((one) => `${one.priority} ${one.bytes.length}`);

  test('most urgent first, within the limits of an entry', () => {
    const proposer = queued({ other: [1], acquire: [2], release: [3], renew: [4, 5] });
    assert.deepEqual(batch(proposer), ['renew 4', 'renew 5', 'release 3', 'acquire 2', 'other 1']);
    const many = queued({ acquire: Array.from({ length: LIMITS.batchCommands + 1 }, () => 1) });
    assert.equal(batch(many).length, LIMITS.batchCommands);
    assert.equal(batch(many).length, 1);
  });

  test('a command that fills an entry of its own is not passed over for ever', () => {
    const proposer = queued({ acquire: [10], other: [LIMITS.batchBytes + 1] });
    assert.deepEqual(batch(proposer), ['acquire 10']);
    proposer.queue.acquire.push({ token: 9, bytes: new Uint8Array(10), priority: 'acquire', deadlineMs: Infinity });
    assert.deepEqual(batch(proposer), [`other ${LIMITS.batchBytes + 1}`]);
    assert.deepEqual(batch(proposer), ['acquire 10']);
  });

  test('commands of an entry that a takeover dropped go in again, in their order', () => {
    const { scenario, tell } = group();
    const { world } = scenario;
    const order: number[] = [];
    const { epoch } = world.proposers.A as Proposer;
    // No license server is shown the entry; A itself asks for a fresh epoch, as it does when an entry is stuck.
    world.tamper = (_from, _to, message) => {
      if (message.kind !== 'propose') return message;
      if (message.epoch === epoch) return undefined;
      for (const bytes of decodeEntry(message.entry).commands) {
        const command = decodeCommand(bytes);
        if ('requestId' in command && !order.includes(command.requestId)) order.push(command.requestId);
      }
      return message;
    };
    const open = '> alice acquires cad, not waiting\n> alice acquires cad, not waiting\n> alice renews, not waiting\n';
    tell(`${open}> run 2 s\n`);
    assert.deepEqual(order, [3, 1, 2]); // the renewal first, then the others as they came
    assert.deepEqual(scenario.check(), []);
  });
});

test('an epoch that may have been used before is never used again by a TMR server that starts anew', () => {
  const { scenario, tell } = group();
  const { world } = scenario;
  const epochs: number[] = [];
  world.tamper = (_from, _to, message) => {
    if (message.kind === 'propose') epochs.push(message.epoch);
    return message;
  };
  for (let i = 0; i < 4; i++) tell('> crash A and B\n> restart A\n> run 300 ms\n> restart B\n> run 300 ms\n');
  assert.ok(new Set(epochs).size >= 4);
  assert.deepEqual(
    epochs,
    epochs.toSorted((a, b) => a - b),
  );
  const members: readonly Member[] = [1, 2, 3];
  for (const member of members) assert.equal(world.voters[member].voter?.withholding, '');
  assert.deepEqual(scenario.check(), []);
});
