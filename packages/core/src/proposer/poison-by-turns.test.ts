/**
 * A false license server shows an entry of its own, of a time to come, behind the newest certified one: first where two promises are
 * enough, and silent where all are wanted. What was refused for its time is no base while there is another.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodePrepare, encodePromise, type LogPromise } from '@trefoil/license';
import { encodeEntry, headAfter, RULES_VERSION } from '../entry.ts';
import type { ToProposer } from '../messages.ts';
import { one } from '../voter/bench.ts';
import { ProposerBench } from './bench.ts';

function poisoned(bench: ProposerBench, prepareBytes: Uint8Array): ToProposer {
  const { replica } = bench.proposer; // the liar knows the certified log as everybody does
  const prepare = decodePrepare(prepareBytes);
  const { ledger } = replica;
  const previous = replica.tail?.previousHead ?? replica.lastHead;
  const ahead = 365 * 86_400_000;
  const index = replica.certifiedIndex + 1;
  const tail = encodeEntry({
    set: one.set,
    index,
    logTime: ledger.logTime + ahead,
    utc: ledger.utc + ahead,
    rulesVersion: RULES_VERSION,
    ledgerRoot: undefined,
    commands: [],
  });
  const promise: LogPromise = {
    set: one.set,
    configVersion: 1,
    epoch: prepare.epoch,
    member: 3,
    incarnations: bench.voters[2].voter.incarnations,
    logEpoch: prepare.epoch - 1,
    lastIndex: index,
    lastHead: headAfter(one.crypto, previous, tail),
    nonce: prepare.nonce,
  };
  const bytes = encodePromise(promise);
  return {
    kind: 'promise',
    certificate: replica.certificate ?? new Uint8Array(0),
    tail,
    promise: { bytes, signature: (one.containers[2] as typeof one.root).sign(bytes) },
  };
}

for (const lie of ['none', 'always poisons', 'poisons where two are enough, else silent'] as const)
  test(`L3: ${lie}`, () => {
    const bench = new ProposerBench();
    let lastEpoch = 0;
    let wantsAll = false;
    for (let now = 10; now <= 120_000; now += 10) {
      // From 5 s to 6 s L3 says that it has promised a higher epoch: that makes the leader ask for a fresh one (§4.5).
      const effects = bench.tick(now);
      for (const member of [1, 2] as const) effects.push(...bench.hears(member, bench.status(member)));
      const promised = now >= 5_000 && now < 6_000 && lie !== 'none' ? { promised: 9 } : {};
      effects.push(...bench.hears(3, bench.status(3, promised)));
      if (now < 5_000) {
        bench.passOn(effects);
        continue;
      }
      const asked = effects.find((e) => e.kind === 'send' && e.member === 3 && e.message.kind === 'prepare');
      if (asked?.kind === 'send' && asked.message.kind === 'prepare') {
        // By turns, without looking into the TMR server: all are wanted in the attempt behind one with its entry.
        const epoch = decodePrepare(asked.message.prepare.bytes).epoch;
        if (epoch !== lastEpoch) wantsAll = lastEpoch > 0 && !wantsAll;
        lastEpoch = epoch;
        if (lie === 'always poisons' || (lie.startsWith('poisons') && !wantsAll))
          effects.push(...bench.hears(3, poisoned(bench, asked.message.prepare.bytes)));
      }
      bench.passOn(effects, lie === 'none' ? [1, 2, 3] : [1, 2]);
    }
    const certified = bench.proposer.replica.certifiedIndex;
    assert.ok(certified > 60, `certified only ${certified} entries in 120 s`);
  });
