import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  decodeAccept,
  decodePromise,
  encodeAccept,
  encodePromise,
  type LogPromise,
  type Member,
} from '@trefoil/license';
import { encodeEntry, headAfter, RULES_VERSION } from '../entry.ts';
import type { ToProposer } from '../messages.ts';
import type { Signed } from '../signed.ts';
import { certificateOf, group, one, promisesFor, proposeOf } from '../voter/bench.ts';
import { ProposerBench, sent } from './bench.ts';
import type { ProposerEffect } from './state.ts';

type Promised = Extract<ToProposer, { kind: 'promise' }>;
type Voted = Extract<ToProposer, { kind: 'vote' }>;

const signedBy = (member: Member, bytes: Uint8Array): Signed => ({
  bytes,
  signature: (one.containers[member - 1] as typeof one.root).sign(bytes),
});

/** What that license server answers to what is for it. */
function answer<Kind extends ToProposer['kind']>(
  bench: ProposerBench,
  effects: readonly ProposerEffect[],
  member: Member,
  kind: Kind,
): Extract<ToProposer, { kind: Kind }> {
  for (const effect of effects) {
    if (effect.kind !== 'send' || effect.member !== member) continue;
    for (const said of bench.voters[member - 1]?.say(bench.id, effect.message) ?? [])
      if (said.kind === kind) return said as Extract<ToProposer, { kind: Kind }>;
  }
  throw new Error(`L${member} says no ${kind}`);
}

function changed(message: Promised, change: Partial<LogPromise>): Promised {
  const promise = decodePromise(message.promise.bytes);
  return { ...message, promise: signedBy(promise.member, encodePromise({ ...promise, ...change })) };
}

function otherOutcomes(message: Voted): Voted {
  const accept = decodeAccept(message.vote.bytes);
  return { ...message, vote: signedBy(2, encodeAccept({ ...accept, outcomesRoot: new Uint8Array(32) })) };
}

const otherEntry = {
  ...{ set: one.set, index: 1, logTime: 0, utc: 1, rulesVersion: RULES_VERSION },
  ...{ ledgerRoot: undefined, commands: [] },
};

describe('promises (PROTOCOL §4.2)', () => {
  test('only one for this epoch and this PREPARE, by the one who says it, with its signature', () => {
    const bench = new ProposerBench();
    const asks = bench.tick(100);
    const promise = answer(bench, asks, 1, 'promise');
    const { epoch } = decodePromise(promise.promise.bytes);
    const broken = { ...promise.promise, signature: new Uint8Array(64) };
    const odd: readonly [string, Member, Promised][] = [
      ['of another, shown by this one', 2, promise],
      ['of another epoch', 1, changed(promise, { epoch: epoch + 2 })],
      ['for another PREPARE', 1, changed(promise, { nonce: new Uint8Array(16) })],
      ['with another signature', 1, { ...promise, promise: broken }],
    ];
    for (const [what, member, message] of odd) {
      assert.deepEqual(bench.hears(member, message), [], what);
      assert.equal(bench.proposer.attempt?.promises.size, 0, what);
    }
    bench.hears(1, promise);
    assert.equal(bench.proposer.attempt?.promises.size, 1);
  });

  for (const [what, change] of Object.entries({
    'an earlier epoch': { logEpoch: 0, lastIndex: 0 },
    'a shorter log of the same epoch': { lastIndex: 0 },
  }))
    test(`one that forgets a vote that was seen is not used, and is shown the vote: ${what}`, () => {
      const bench = new ProposerBench();
      bench.passOn(bench.tick(100), [1, 2]);
      assert.equal(bench.proposer.replica.certifiedIndex, 1);
      // L3 is heard no more, and an entry gets no certificate.
      bench.step({ kind: 'linkDown', member: 3 });
      let asks: ProposerEffect[] = [];
      for (let now = 110; bench.proposer.role === 'leading' && now < 4_000; now += 10) {
        for (const member of [1, 2] as const) bench.hears(member, bench.status(member));
        asks = bench.tick(now);
      }
      const promise = answer(bench, asks, 1, 'promise');
      assert.deepEqual(sent(bench.hears(1, changed(promise, change))), ['shown to L1']);
      assert.equal(bench.proposer.attempt?.promises.size, 0);
      bench.hears(1, promise);
      assert.equal(bench.proposer.attempt?.promises.size, 1);
    });

  for (const what of ['lack what is certified', 'have another entry in its place'] as const)
    test(`of two logs that ${what} nothing is made`, () => {
      const first = new ProposerBench();
      first.passOn(first.tick(100));
      // B has what was certified, and has seen no vote.
      const bench = new ProposerBench('B', first.voters);
      const [fetch] = bench.effects.filter((effect) => effect.kind === 'send' && effect.message.kind === 'fetch');
      const donor = fetch?.kind === 'send' ? fetch.member : 1;
      bench.hears(donor, answer(bench, [fetch as ProposerEffect], donor, 'entries'));
      const { certifiedIndex, certified } = bench.proposer.replica;
      assert.equal(certifiedIndex, 1);
      for (const voter of bench.voters) voter.now = 10_000;
      bench.tick(400);
      for (const member of [1, 2, 3] as const) bench.hears(member, bench.status(member));
      const asks = bench.tick(410);
      const none = new Uint8Array(0);
      const { crypto, lastHead } = new ProposerBench().proposer.replica;
      const tail = what === 'lack what is certified' ? none : encodeEntry(otherEntry);
      const log =
        tail === none
          ? { logEpoch: 0, lastIndex: 0, lastHead }
          : {
              logEpoch: (certified?.epoch ?? 0) + 1,
              lastIndex: 1,
              lastHead: headAfter(crypto, lastHead, tail),
            };
      for (const member of [1, 2, 3] as const) {
        const promise = changed(answer(bench, asks, member, 'promise'), log);
        // As long as one of them may have it, its promise is waited for.
        assert.deepEqual(bench.alarms, []);
        bench.hears(member, { ...promise, certificate: none, tail });
      }
      assert.deepEqual(bench.alarms, ['certified-entry-missing']);
      assert.equal(bench.proposer.role, 'follower');
    });
});

describe('votes (PROTOCOL §3.4, §7.4)', () => {
  /** It leads, and has proposed its first entry. */
  function proposing(): { bench: ProposerBench; proposals: ProposerEffect[] } {
    const bench = new ProposerBench();
    const asks = bench.tick(100);
    bench.hears(1, answer(bench, asks, 1, 'promise'));
    return { bench, proposals: bench.hears(2, answer(bench, asks, 2, 'promise')) };
  }

  test('of two votes of one server for one place the second is told, and does not count', () => {
    const { bench, proposals } = proposing();
    const vote = answer(bench, proposals, 2, 'vote');
    bench.hears(2, otherOutcomes(vote));
    bench.hears(2, vote);
    assert.deepEqual(bench.alarms, ['double-vote']);
    bench.hears(1, answer(bench, proposals, 1, 'vote'));
    assert.equal(bench.proposer.replica.certifiedIndex, 0);
  });

  test('one signed by another, or in another epoch, does not count', () => {
    const { bench, proposals } = proposing();
    const vote = answer(bench, proposals, 2, 'vote');
    const accept = decodeAccept(vote.vote.bytes);
    bench.hears(1, vote);
    bench.hears(2, { ...vote, vote: signedBy(2, encodeAccept({ ...accept, epoch: accept.epoch + 2 })) });
    bench.hears(1, answer(bench, proposals, 1, 'vote'));
    assert.equal(bench.proposer.replica.certifiedIndex, 0);
    assert.deepEqual(bench.alarms, []);
  });

  test('the third, which is not waited for, is compared all the same', () => {
    for (const odd of [true, false]) {
      const { bench, proposals } = proposing();
      const late = answer(bench, proposals, 2, 'vote');
      const asks = bench.proposer.attempt?.prepare as Signed;
      bench.voters[2].say('A', { kind: 'prepare', prepare: asks });
      const third = answer(bench, proposals, 3, 'vote');
      bench.hears(1, answer(bench, proposals, 1, 'vote'));
      bench.hears(3, third);
      assert.equal(bench.proposer.replica.certifiedIndex, 1);
      bench.hears(2, odd ? otherOutcomes(late) : late);
      assert.deepEqual(bench.alarms, odd ? ['odd-vote'] : []);
    }
  });
});

describe('following (PROTOCOL §4.7)', () => {
  const fetches = (effects: readonly ProposerEffect[]): string[] =>
    sent(effects).filter((what) => what.startsWith('fetch'));

  /** B follows; L1 says that it has an entry, and L2 really has it. */
  function follower(): { bench: ProposerBench; entries: Extract<ToProposer, { kind: 'entries' }> } {
    const first = new ProposerBench();
    first.passOn(first.tick(100));
    const bench = new ProposerBench('B');
    const fetch: ProposerEffect = { kind: 'send', member: 2, message: { kind: 'fetch', from: 1 } };
    return { bench, entries: answer(first, [fetch], 2, 'entries') };
  }

  const heardAgain = (bench: ProposerBench, has: Partial<Record<Member, number>>): ProposerEffect[] =>
    ([1, 2, 3] as const).flatMap((member) =>
      bench.hears(member, bench.status(member, { certifiedIndex: has[member] ?? 0, ownerSilentMs: 0, promised: 2 })),
    );

  test('who says that it has more and gives nothing is asked once more only where nobody else has it', () => {
    const { bench, entries } = follower();
    heardAgain(bench, { 1: 9 });
    const asked: string[] = [];
    for (let now = 10; now < 1_000; now += 10) {
      if (now % 50 === 0) asked.push(...fetches(heardAgain(bench, { 1: 9 })));
      asked.push(...fetches(bench.tick(now)));
    }
    // Not in a hurry: every 300 ms, the others in between.
    assert.ok(asked.includes('fetch to L1') && asked.length <= 4, asked.join());
    assert.deepEqual(fetches(heardAgain(bench, { 1: 9, 2: 1 })).slice(-1), ['fetch to L2']);
    assert.deepEqual(fetches(bench.hears(2, entries)), ['fetch to L2'], 'and from then on at once');
    assert.equal(bench.proposer.replica.certifiedIndex, 1);
  });

  test('what is false is told, and another is asked at once; what nobody asked for makes nobody ask', () => {
    const { bench, entries } = follower();
    const asked = bench.proposer.following?.member as Member;
    const bad = { ...entries, entries: [new Uint8Array(90)] };
    const other = asked === 3 ? 2 : 3;
    assert.deepEqual(fetches(bench.hears(other, bad)), []);
    assert.equal(fetches(bench.hears(asked, bad)).length, 1);
    assert.notEqual(bench.proposer.following?.member, asked);
    assert.deepEqual(bench.alarms, ['bad-feed', 'bad-feed']);
  });

  test('what comes late or twice changes nothing', () => {
    const { bench, entries } = follower();
    bench.hears(2, entries);
    const { following } = bench.proposer;
    assert.deepEqual(bench.hears(2, entries), []);
    assert.equal(bench.proposer.following, following);
  });
});

test('one license server that hears the active one, or says so, does not end a takeover that two others promise', () => {
  const bench = new ProposerBench();
  const prepares = bench.tick(100);
  assert.equal(bench.proposer.role, 'preparing');
  const hears = (member: Member): ProposerEffect[] =>
    bench.hears(member, { kind: 'refused', what: 'prepare', epoch: 0, reason: 'active-lives' });
  for (let i = 0; i < 3; i++) hears(3);
  bench.passOn(prepares, [1, 2]);
  assert.equal(bench.proposer.role, 'leading');
  const other = new ProposerBench();
  other.tick(100);
  for (const member of [3, 2] as const)
    other.hears(member, { kind: 'refused', what: 'prepare', epoch: 0, reason: 'active-lives' });
  assert.equal(other.proposer.role, 'follower');
});

test('a promise that is shown again when its server has gone on accuses nobody, and is not built on', () => {
  const [l1, l2, l3] = group();
  const justification = promisesFor(1, 'B', [l1, l2]);
  const propose = proposeOf(l1, 3, { justification });
  for (const one of [l1, l2]) assert.equal(one.say('B', propose)[0]?.kind, 'vote');
  const bench = new ProposerBench('A', [l1, l2, l3]);
  bench.tick(400);
  for (const member of [1, 2, 3] as const) bench.hears(member, bench.status(member));
  const prepare = bench.tick(410).find((one) => one.kind === 'send' && one.message.kind === 'prepare');
  assert.ok(prepare?.kind === 'send');
  assert.equal(l3.say('A', prepare.message)[0]?.kind, 'promise', 'it is lost on the way');
  l3.say('B', { kind: 'entries', from: 1, entries: [propose.entry], certificate: certificateOf([l1, l2]) });
  const [again] = l3.say('A', prepare.message);
  assert.ok(again?.kind === 'promise');
  bench.hears(3, again);
  assert.deepEqual(bench.alarms, []);
  assert.equal(bench.proposer.attempt?.promises.has(3), false);
});

test('a process that starts anew asks for an epoch that it can not have proposed in before', () => {
  const epochs = [0, 11_000, 32_767].map((epochStretch) => {
    const bench = new ProposerBench('A', group(), { epochStretch });
    bench.passOn(bench.tick(100));
    assert.equal(bench.proposer.role, 'leading');
    return bench.proposer.epoch;
  });
  assert.deepEqual(epochs, [2, 22_002, 65_536]);
});
