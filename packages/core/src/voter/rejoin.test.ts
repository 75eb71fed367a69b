import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeRejoin, encodeRejoin, type Member, type Rejoin, type TmrServer } from '@trefoil/license';
import { LIMITS } from '../limits.ts';
import type { ToVoter } from '../messages.ts';
import type { Signed } from '../signed.ts';
import { decodeRecord, encodeRecord } from '../records.ts';
import { Bench, certificateOf, context, group, one, promisesFor, proposeOf, refusalOf, START, voted } from './bench.ts';
import { recoverVoter } from './recover.ts';
import { CLEAN_RESTART } from './membership.ts';
import { startRejoin } from './rejoin.ts';
import type { VoterEffect } from './state.ts';

/** A second entry. */
const BEHIND = { index: 2, utc: START + 1 };

/** With a log: it can start anew, from all of it or from an older copy. */
class Stored extends Bench {
  records: Uint8Array[] = [];

  override carryOut(effect: VoterEffect): void {
    if (effect.kind === 'persist' || effect.kind === 'note') this.records.push(...effect.records.map(encodeRecord));
    super.carryOut(effect);
  }

  /** Its peers are told. */
  start(number: number, group: readonly Bench[]): void {
    const log = { records: this.records.map(decodeRecord), snapshot: undefined };
    this.voter = recoverVoter(context, this.member, log, this.clock).voter;
    this.step({ kind: 'linkUp', from: 'A', hearsAbout: false });
    this.step({ kind: 'linkUp', from: 'B', hearsAbout: false });
    const incarnation = new Uint8Array(16).fill(16 * this.member + number);
    for (const effect of startRejoin(this.voter, incarnation, CLEAN_RESTART, this.clock)) this.carryOut(effect);
    const rejoin = this.voter.rejoin?.signed[0] as Signed;
    for (const peer of group) if (peer !== this) peer.say('A', { kind: 'rejoin', member: this.member, rejoin });
  }

  wait(ms: number): void {
    this.now += ms;
    this.step({ kind: 'tick' });
  }
}

describe('re-joining (PROTOCOL §7)', () => {
  const shown = (bench: Bench, what: 'vote' | 'promise'): ToVoter => {
    const bytes = what === 'vote' ? bench.voter.signedHigh?.statement : bench.voter.storedPromise?.promise;
    const signature = (one.containers[bench.member - 1] as typeof one.root).sign(bytes as Uint8Array);
    return { kind: 'shown', vote: { bytes: bytes as Uint8Array, signature } };
  };

  test('shown an own vote or promise that it does not remember, it withholds at once, before what waits behind', () => {
    for (const what of ['vote', 'promise'] as const) {
      const { benches, justification } = voted();
      const rolledBack = new Bench(1);
      const propose = proposeOf(rolledBack, 2, { justification, utc: START + 1 });
      if (what === 'vote') rolledBack.prepare(1);
      rolledBack.held = [];
      rolledBack.prepare(1, 'B'); // pending, so that the following wait
      const proof = shown(benches[0], what);
      if (what === 'promise') benches[0].prepare(7);
      rolledBack.say('A', what === 'promise' ? shown(benches[0], what) : proof);
      rolledBack.say('A', propose);
      rolledBack.release();
      assert.match(rolledBack.voter.withholding, new RegExp(`older than a ${what}`));
      assert.equal(rolledBack.voter.signedHigh, undefined);
      assert.equal(refusalOf(rolledBack.prepare(9)), 'withholding');
    }
  });

  test('what it does remember, or others signed, or is no statement of its own, is nothing to it', () => {
    const { benches } = voted();
    const [first, second] = benches;
    first.say('A', shown(first, 'vote'));
    first.say('A', shown(first, 'promise'));
    first.say('A', shown(second, 'vote'));
    const bytes = new Uint8Array(20);
    const odd = { bytes, signature: (one.containers[0] as typeof one.root).sign(bytes) };
    first.say('A', { kind: 'shown', vote: odd });
    assert.equal(first.voter.withholding, '');
  });

  test('only promises of both peers that name its new incarnation take it in; then it knows what they know', () => {
    const { benches, justification } = voted();
    const [, second, third] = benches;
    const empty = new Bench(1); // a wiped store: it knows nobody's incarnation
    const incarnation = new Uint8Array(16).fill(7);
    const theirs = new Uint8Array(16).fill(2);
    for (const effect of startRejoin(empty.voter, incarnation, 'wiped', empty.clock)) empty.carryOut(effect);
    const rejoin = empty.voter.rejoin?.signed[0] as Signed;
    assert.equal(refusalOf(empty.say('A', proposeOf(empty, 2, { justification }))), 'withholding'); // old promises
    for (const peer of [second, third]) {
      peer.voter.incarnations[1] = theirs;
      peer.say('A', { kind: 'rejoin', member: 1, rejoin });
    }
    const fresh = promisesFor(2, 'A', [second, third]);
    const { bytes } = second.voter.replica.tail as { bytes: Uint8Array };
    const again = { ...proposeOf(empty, 4, { justification: fresh }), entry: bytes };
    assert.equal(refusalOf(empty.say('A', { ...again, justification: fresh.slice(0, 1) })), 'withholding');
    assert.equal(empty.say('A', again)[0]?.kind, 'vote');
    assert.equal(empty.voter.withholding, '');
    assert.deepEqual(empty.voter.incarnations[1], theirs);
    assert.ok(empty.alarms.includes('rejoined'));
  });

  test('an old start shown to a peer again makes nothing count that was promised before a rollback', () => {
    const [first, second, third] = group();
    const putBack = new Bench(3); // what the third will be again: it hears all but the promise for epoch 101
    const startAnew = (bench: Bench, number: number): Signed => {
      const incarnation = new Uint8Array(16).fill(number);
      for (const effect of startRejoin(bench.voter, incarnation, CLEAN_RESTART, bench.clock)) bench.carryOut(effect);
      const rejoin = bench.voter.rejoin?.signed[0] as Signed;
      for (const peer of [first, second]) peer.say('A', { kind: 'rejoin', member: 3, rejoin });
      return rejoin;
    };
    const firstStart = startAnew(third, 1);
    startAnew(putBack, 1);
    const justification = promisesFor(1, 'A', [first, second]);
    const x = proposeOf(first, 2, { justification });
    for (const bench of [first, second, third, putBack]) assert.equal(bench.say('A', x)[0]?.kind, 'vote');
    const certificate = certificateOf([first, second]);
    const [forgotten] = promisesFor(50, 'B', [third]) as [Signed];

    startAnew(putBack, 2);
    const fresh = promisesFor(2, 'A', [first, second]);
    const y = proposeOf(second, 4, { ...BEHIND, previous: x.head, certificate, justification: fresh });
    for (const bench of [second, putBack]) assert.equal(bench.say('A', y)[0]?.kind, 'vote', 'y is certified');

    for (const peer of [first, second]) peer.say('B', { kind: 'rejoin', member: 3, rejoin: firstStart });
    const [fooled] = promisesFor(50, 'B', [first]) as [Signed];
    second.prepare(50, 'B');
    const z = { ...BEHIND, utc: START + 9, previous: x.head, certificate, justification: [fooled, forgotten] };
    for (const bench of [first, second])
      assert.equal(refusalOf(bench.say('B', proposeOf(bench, 101, z))), 'bad-justification', `L${bench.member}`);
  });

  test('who has not been taken in yet takes over no start from promises that disagree: one was made before a rollback', () => {
    const servers = [new Stored(1), new Stored(2), new Stored(3)] as const;
    const [u, q, p] = servers;
    const known = (start: number): Uint8Array => new Uint8Array(16).fill(3 * 16 + start);
    for (const server of servers) server.start(0, servers);
    for (const server of servers) server.wait(LIMITS.rejoinWaitMs + 1);
    const w = proposeOf(u, 2, { justification: promisesFor(1, 'A', servers) });
    for (const server of servers) assert.equal(server.say('A', w)[0]?.kind, 'vote');
    const certificate = certificateOf([u, q]);
    for (const server of servers) server.say('A', { kind: 'certified', certificate });
    u.start(1, servers);
    u.wait(LIMITS.rejoinWaitMs + 1);
    assert.ok(u.voter.unanchored);

    const before = [...p.records];
    const [old] = promisesFor(2, 'A', [p]) as [Signed];
    const [forgotten] = promisesFor(50, 'B', [p]) as [Signed];
    p.records = before; // no vote is gone, so nothing tells
    p.start(2, servers);
    const [ofU, ofQ] = promisesFor(2, 'A', [u, q]) as [Signed, Signed];
    const next = { ...BEHIND, previous: w.head, certificate, justification: [ofU, ofQ] };
    const x = proposeOf(u, 4, next);
    for (const server of servers) assert.equal(server.say('A', x)[0]?.kind, 'vote');
    assert.equal(p.voter.withholding, '');

    const third = { index: 3, utc: START + 2, previous: x.head, certificate: certificateOf([u, q]) };
    const y = proposeOf(u, 4, { ...third, justification: [old, ofQ] });
    for (const server of servers) assert.equal(server.say('A', y)[0]?.kind, 'vote');
    assert.deepEqual(u.voter.incarnations[2], known(2), 'not the start in which P had promised');
    const behind = { index: 4, utc: START + 3, previous: y.head, certificate: certificateOf([u, q]) };
    const z = proposeOf(q, 4, behind);
    for (const server of [q, p]) assert.equal(server.say('A', z)[0]?.kind, 'vote', 'z is certified');

    const [later] = promisesFor(50, 'B', [u]) as [Signed];
    promisesFor(50, 'B', [p]);
    const other = proposeOf(u, 101, { ...behind, utc: START + 99, justification: [later, forgotten] });
    for (const server of [u, p]) assert.equal(refusalOf(server.say('B', other)), 'bad-justification');
  });

  test('told by what a peer knows it, it signs for that once; one TMR server can’t keep it busy', () => {
    const bench = new Bench(1);
    const start = new Uint8Array(16).fill(1);
    const knownAs = (from: TmrServer, incarnation: Uint8Array): number => {
      const before = bench.voter.rejoin?.signed.length ?? 0;
      bench.say(from, { kind: 'knownAs', incarnation });
      return (bench.voter.rejoin?.signed.length ?? 0) - before;
    };
    assert.equal(knownAs('A', new Uint8Array(16).fill(9)), 0, 'it has not started anew');
    for (const effect of startRejoin(bench.voter, start, CLEAN_RESTART, bench.clock)) bench.carryOut(effect);
    assert.equal(knownAs('A', start), 0, 'they know it as it is');
    assert.equal(knownAs('A', new Uint8Array(16)), 0, 'signed when it started');
    assert.equal(knownAs('A', new Uint8Array(16).fill(2)), 1);
    assert.equal(knownAs('A', new Uint8Array(16).fill(3)), 0, 'too soon');
    assert.equal(knownAs('B', new Uint8Array(16).fill(3)), 1, 'the other one has a turn of its own');
    for (let i = 10; i < 30; i++) {
      bench.now += LIMITS.rejoinAgainMs;
      knownAs('A', new Uint8Array(16).fill(i));
    }
    assert.equal(bench.voter.rejoin?.signed.length, LIMITS.rejoinsShown);
    for (const { bytes } of bench.voter.rejoin?.signed ?? [])
      assert.deepEqual(decodeRejoin(bytes).incarnation, start, 'always of this start');
  });

  test('a peer takes a new incarnation in the place of the one it knows, from the server itself, in this set', () => {
    const peer = new Bench(2);
    const of = (number: number): Uint8Array => new Uint8Array(16).fill(number);
    const hears = (member: Member, incarnation: number, replaces: number, change: Partial<Rejoin> = {}): Uint8Array => {
      const fields = { set: one.set, configVersion: 1, member, incarnation: of(incarnation), replaces: of(replaces) };
      const bytes = encodeRejoin({ ...fields, ...change });
      const signature = (one.containers[member - 1] as typeof one.root).sign(bytes);
      peer.say('A', { kind: 'rejoin', member, rejoin: { bytes, signature } });
      return peer.voter.incarnations[member - 1] as Uint8Array;
    };
    assert.deepEqual(hears(1, 1, 0), of(1));
    assert.deepEqual(hears(1, 2, 0), of(1), 'it knows it by another one');
    assert.deepEqual(hears(1, 2, 1), of(2));
    assert.deepEqual(hears(1, 1, 0), of(2), 'an old one again');
    assert.deepEqual(hears(1, 3, 2, { set: of(9) }), of(2), 'of another set');
    assert.deepEqual(hears(1, 3, 2, { member: 3 }), of(2), 'of another member');
    assert.deepEqual(hears(2, 3, 0), of(0), 'nobody tells it of itself');
    const bytes = encodeRejoin({ set: one.set, configVersion: 1, member: 1, incarnation: of(3), replaces: of(2) });
    const signature = (one.containers[2] as typeof one.root).sign(bytes);
    peer.say('A', { kind: 'rejoin', member: 1, rejoin: { bytes, signature } });
    assert.deepEqual(peer.voter.incarnations[0], of(2), 'signed by another');
  });
});
