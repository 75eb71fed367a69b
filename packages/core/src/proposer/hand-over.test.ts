import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeCommand, epochOf } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import { Scenario } from '../scenarios/scenario.ts';
import { play } from '../scenarios/steps.ts';
import { Bench } from '../voter/bench.ts';
import { NEVER_HEARD } from '../voter-status.ts';
import type { Signed } from '../signed.ts';
import { otherIsHeard, type Proposer } from './state.ts';
import { stepProposer } from './step.ts';

describe('a license server and RESIGN (PROTOCOL §4.8)', () => {
  /** It hears A lead, and B wants to. */
  function led(): { bench: Bench; isHeldBack: () => boolean } {
    const bench = new Bench();
    bench.prepare(1);
    bench.say('A', { kind: 'beat', epoch: bench.voter.promised, heard: 7, clients: 1, holdsVirtualIp: true });
    bench.voter.lastCertificateAt = bench.now;
    const isHeldBack = (): boolean =>
      bench.prepare(2, 'B').some((one) => one.kind === 'refused' && one.reason === 'active-lives');
    assert.ok(isHeldBack());
    return { bench, isHeldBack };
  }

  test('of the owner: it is silent at once, both are told, and the other one may have the next epoch', () => {
    const { bench, isHeldBack } = led();
    bench.say('A', { kind: 'resign', epoch: bench.voter.promised });
    const told = bench.sent.flatMap((one) => (one.kind === 'status' ? [one.ownerSilentMs] : []));
    assert.deepEqual(told, [NEVER_HEARD, NEVER_HEARD]);
    assert.ok(!isHeldBack());
    assert.equal(bench.voter.promised, epochOf(2, 'B'));
  });

  test("of somebody else's epoch, or of one that has passed: nothing happens", () => {
    const { bench, isHeldBack } = led();
    for (const [from, epoch] of [
      ['B', bench.voter.promised],
      ['B', epochOf(1, 'B')],
      ['A', epochOf(0, 'A')],
      ['A', epochOf(9, 'A')],
    ] as const) {
      bench.say(from, { kind: 'resign', epoch });
      assert.deepEqual(bench.sent, [], `${from} ${epoch}`);
      assert.ok(isHeldBack(), `${from} ${epoch}`);
    }
  });

  test('its report says whom it hears, and who holds the virtual IP, for as long as their beats are new', () => {
    const { bench } = led();
    const seen = (inMs: number): string => {
      bench.sent = [];
      bench.now += inMs;
      bench.step({ kind: 'linkDown', from: 'B' });
      const [status] = bench.sent.flatMap((one) => (one.kind === 'status' ? [one] : []));
      return `${status?.heard.join()} ${status?.holdVirtualIp.join()}`;
    };
    bench.say('B', { kind: 'beat', epoch: 0, heard: 7, clients: 0, holdsVirtualIp: false });
    assert.equal(seen(0), 'A A', 'the link to B has ended');
    bench.step({ kind: 'linkUp', from: 'B', hearsAbout: false });
    bench.say('B', { kind: 'beat', epoch: 0, heard: 7, clients: 0, holdsVirtualIp: true });
    bench.sent = [];
    bench.step({ kind: 'linkUp', from: 'A', hearsAbout: false });
    const [status] = bench.sent.flatMap((one) => (one.kind === 'status' ? [one] : []));
    assert.deepEqual(status?.holdVirtualIp, ['A', 'B']);
  });
});

describe('a TMR server that is to hand over', () => {
  function group(): { scenario: Scenario; tell: (text: string) => string; a: () => Proposer } {
    const scenario = new Scenario();
    const tell = (text: string): string => play(scenario, text);
    tell('> start all\n> vendor sells cad-1: 2 seats of cad\n> alice on ws-1 opens a session\n');
    return { scenario, tell, a: () => scenario.world.proposers.A as Proposer };
  }

  test('finishes the open entry first, and proposes nothing behind it', () => {
    const { scenario, tell, a } = group();
    tell('> alice acquires cad, not waiting\n> run 1 ms\n');
    assert.ok(a().proposal !== undefined);
    const { index } = a().proposal as { index: number };
    tell('> A hands over\n');
    assert.equal(a().role, 'leading', 'it waits for the votes');
    tell('> run 20 ms\n');
    assert.equal(a().role, 'follower');
    assert.ok(a().replica.certifiedIndex >= index);
    tell('> run 1 s\n');
    assert.equal((scenario.world.proposers.B as Proposer).role, 'leading');
    assert.deepEqual(scenario.check(), []);
  });

  test('an entry that is never certified: it asks for an epoch as ever, and hands over no more', () => {
    const { tell, a } = group();
    tell('> cut A from L1 and L2\n> alice acquires cad, not waiting\n> run 5 ms\n> A hands over\n');
    tell(`> run ${LIMITS.takeoverAfterMs * 10} ms\n> mend A to L1 and L2\n> run 2 s\n`);
    assert.equal(a().handsOver, false);
  });

  test('keeps clients that can not reach the other one, whoever asks for an epoch meanwhile', () => {
    for (const isStuck of [false, true]) {
      const { scenario, tell, a } = group();
      tell('> A hands over\n> run 100 ms\n');
      const { prepare } = (scenario.world.proposers.B as Proposer).attempt as { prepare: Signed };
      const proposer = a();
      assert.equal(proposer.role, 'follower');
      proposer.epoch = 0; // as if that PREPARE were news
      const now = scenario.world.clock();
      const bytes = encodeCommand({
        kind: 'close',
        session: new Uint8Array(16),
        requestId: 1,
        lowestUnanswered: 1,
        secret: new Uint8Array(32),
      });
      proposer.queue.release.push({ token: 77, bytes, priority: 'release', deadlineMs: now.monotonicMs + 5_000 });
      proposer.stuckUntil = isStuck ? now.monotonicMs + 1_000 : -Infinity;
      const effects = stepProposer(
        proposer,
        { kind: 'message', member: 1, message: { kind: 'superseded', prepare } },
        now,
      );
      assert.deepEqual(
        effects.flatMap((one) => (one.kind === 'redirect' ? [one.token] : [])),
        isStuck ? [] : [77],
      );
    }
  });

  test('knows whether the other one could', () => {
    const { scenario, tell, a } = group();
    const couldHeBe = (): boolean => otherIsHeard(a(), scenario.world.clock());
    assert.ok(couldHeBe());
    tell('> cut B from L1 and L2\n> run 1 s\n');
    assert.ok(!couldHeBe(), 'one license server hears it: nobody could be served');
    tell('> mend B to L1 and L2\n> run 1 s\n');
    assert.ok(couldHeBe());
    tell('> crash B\n> run 1 s\n');
    assert.ok(!couldHeBe());
  });
});
