import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodePromise, encodeCommand, INCARNATION_BYTES } from '@trefoil/license';
import { checkCertificate } from '../feed.ts';
import type { LogRecord } from '../records.ts';
import { inForce } from '../replica.ts';
import {
  Bench,
  certificateOf,
  context,
  group,
  one,
  prepareOf,
  promisesFor,
  type ProposeOptions,
  proposeOf,
  refusalOf,
  START,
} from './bench.ts';
import { CLEAN_RESTART, NOT_YET, REPLACED } from './membership.ts';
import { recoverVoter } from './recover.ts';

const replacing3 = encodeCommand({
  kind: 'reconfigure',
  document: one.reconfiguration({ version: 2, generations: [0, 0, 1] }),
});

/** The three after the entry by which another container takes the place of the third; its certificate came to those of `told`. */
function replaced(told: readonly (1 | 2 | 3)[]) {
  const benches = group();
  const next = new Bench(3, 1);
  const first = promisesFor(1, 'A', benches);
  const change = proposeOf(benches[0], 2, { commands: [replacing3], justification: first });
  for (const bench of benches) assert.equal(bench.say('A', change)[0]?.kind, 'vote');
  const certificate = certificateOf(benches.slice(1));
  const certified = { kind: 'certified', certificate } as const;
  for (const member of told) benches[member - 1]?.say('A', certified);
  const feed = { kind: 'entries', from: 1, entries: [change.entry], certificate } as const;
  return { benches, next, first, change, certificate, certified, feed };
}

/** The entry behind that one. */
const second = (bench: Bench, epoch: number, options: ProposeOptions) =>
  proposeOf(bench, epoch, { index: 2, previous: bench.voter.replica.lastHead, configVersion: 2, ...options });

describe('a new configuration (PROTOCOL §4.9)', () => {
  test('is in force for who has the certificate of the entry, and for nobody else', () => {
    const { benches } = replaced([1]);
    assert.deepEqual(
      benches.map(({ voter }) => inForce(voter.replica).version),
      [2, 1, 1],
    );
  });

  test('who is asked under another one promises nothing, and says where it stands', () => {
    const { benches } = replaced([1]);
    const ask = (bench: Bench, configVersion: number): string =>
      refusalOf(bench.say('A', { kind: 'prepare', prepare: prepareOf(2, 'A', 1, { configVersion }) }));
    assert.equal(ask(benches[0], 1), 'other-configuration');
    assert.equal(ask(benches[1], 2), 'other-configuration');
    assert.equal(ask(benches[0], 2), 'promise');
    assert.equal(ask(benches[1], 1), 'promise');
  });

  test('a promise tells of a log that begins anew, and of the entry that it begins with', () => {
    const { benches, change } = replaced([1]);
    const [signed] = promisesFor(2, 'A', [benches[0]], 2);
    assert.ok(signed !== undefined);
    const { configVersion, logEpoch, lastIndex, lastHead, incarnations, epoch } = decodePromise(signed.bytes);
    assert.deepEqual([configVersion, epoch, logEpoch, lastIndex], [2, 4, 0, 1]);
    assert.deepEqual(lastHead, change.head);
    assert.deepEqual(incarnations[2], new Uint8Array(16), 'of the new container nobody knows a start');
  });

  test('behind the entry nobody votes in the epoch that brought it, under whichever version', () => {
    const { benches, certificate, first } = replaced([]);
    const [bench] = benches;
    for (const configVersion of [1, 2]) {
      const behind = second(bench, 2, { certificate, configVersion, justification: first });
      const reason = refusalOf(bench.say('A', behind));
      assert.ok(['other-configuration', 'bad-justification'].includes(reason), reason);
    }
  });

  test('promises under the version before, or of the container before, justify nothing under the new one', () => {
    const { benches } = replaced([1, 2]);
    const old = replaced([]).benches;
    const mixed = [...promisesFor(2, 'A', [benches[0]], 2), ...promisesFor(2, 'A', [old[1]])];
    assert.equal(refusalOf(benches[0].say('A', second(benches[0], 4, { justification: mixed }))), 'bad-justification');
    const withOld = [...promisesFor(2, 'A', [benches[1]], 2), ...promisesFor(2, 'A', [old[2]])];
    assert.equal(
      refusalOf(benches[0].say('A', second(benches[0], 4, { justification: withOld }))),
      'bad-justification',
    );
    const justification = promisesFor(2, 'A', benches.slice(0, 2), 2);
    assert.equal(benches[0].say('A', second(benches[0], 4, { justification }))[0]?.kind, 'vote');
  });

  test('the new container neither votes nor promises before the entry is certified for it; then it is a start that nobody knows', () => {
    const { next, feed, change, first } = replaced([]);
    assert.equal(next.voter.withholding, NOT_YET);
    assert.equal(refusalOf(next.say('A', change)), 'withholding');
    assert.equal(refusalOf(next.prepare(1)), 'withholding');
    assert.equal(refusalOf(next.say('A', { ...change, justification: first })), 'withholding');
    const starts = (): number | undefined => next.voter.rejoin?.signed.length;
    assert.equal(starts(), undefined);
    next.say('A', feed);
    assert.equal(next.voter.withholding, CLEAN_RESTART);
    assert.equal(starts(), 1);
  });

  test('the old container has no vote any more, under neither version', () => {
    const { benches, certified } = replaced([1, 2]);
    const [bench, , old] = benches;
    old.say('A', certified);
    assert.equal(old.voter.withholding, REPLACED);
    assert.deepEqual(old.alarms.at(-1), 'replaced');
    const justification = promisesFor(2, 'A', benches.slice(0, 2), 2);
    assert.equal(refusalOf(old.say('A', second(bench, 4, { justification }))), 'withholding');
    assert.equal(refusalOf(old.prepare(9)), 'other-configuration');
    const prepare = prepareOf(9, 'A', 1, { configVersion: 2 });
    assert.equal(refusalOf(old.say('A', { kind: 'prepare', prepare })), 'withholding');
  });

  test('nobody knows a start of the container that is new, whatever was known of the one before', () => {
    const { benches, certified } = replaced([]);
    const [{ voter }] = benches;
    const start = (byte: number) => new Uint8Array(INCARNATION_BYTES).fill(byte);
    for (const member of [2, 3]) voter.incarnations[member - 1] = start(member);
    benches[0].say('A', certified);
    assert.deepEqual(voter.incarnations.slice(1), [start(2), start(0)]);
  });

  test('a file that begins under a version which its later entries lead to has its epoch from there on', () => {
    const { feed } = replaced([]);
    const recovered = (configVersion: number): number[] => {
      const begin = { kind: 'snapshot', index: 0, logEpoch: 6, configVersion } as const;
      const { kind: _, ...entries } = feed;
      const records: LogRecord[] = [begin, { kind: 'caughtUp', ...entries }];
      const { voter } = recoverVoter(context, 1, { records, snapshot: undefined }, { monotonicMs: 0, wallMs: START });
      return [inForce(voter.replica).version, voter.logEpoch, voter.promised];
    };
    assert.deepEqual(recovered(2), [2, 6, 6]);
    assert.deepEqual(recovered(1), [2, 0, 6]);
  });

  test('a certificate counts under the version in force at its index alone', () => {
    const { benches, certificate, next, feed } = replaced([1, 2]);
    const [bench, peer] = benches;
    const justification = promisesFor(2, 'A', [bench, peer], 2);
    const propose = second(bench, 4, { justification });
    for (const voter of [bench, peer]) assert.equal(voter.say('A', propose)[0]?.kind, 'vote');
    const behind = certificateOf([bench, peer]);
    const { replica } = bench.voter;
    assert.equal(checkCertificate(replica, behind)?.index, 2);
    assert.equal(checkCertificate(replica, certificate)?.index, 1);
    // Who lacks the entry can't tell, until it is fed both at once.
    assert.equal(checkCertificate(next.voter.replica, behind), undefined);
    next.say('A', { ...feed, entries: [...feed.entries, propose.entry], certificate: behind });
    assert.equal(next.voter.replica.certifiedIndex, 2);
    assert.equal(next.voter.logEpoch, 4);
  });
});
