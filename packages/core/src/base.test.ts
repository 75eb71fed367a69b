import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodePromise, encodeUtf8, type LogPromise, type Member, toHex } from '@trefoil/license';
import { fixture } from '@trefoil/license/fixtures';
import { chooseBase, verifyJustification } from './base.ts';

const one = fixture();
const { crypto } = one;
const MEMBERS = [1, 2, 3] as const;

/** A log as a list of labels. */
interface Log {
  readonly epoch: number;
  readonly entries: readonly string[];
}

const logs = new Map<string, readonly string[]>();

function headOf(entries: readonly string[]): Uint8Array {
  const head = crypto.sha256(encodeUtf8(entries.join('/')));
  logs.set(toHex(head), entries);
  return head;
}

function promiseOf(member: Member, log: Log, other: Partial<LogPromise> = {}): LogPromise {
  const nothing = new Uint8Array(16);
  return {
    set: one.set,
    configVersion: 1,
    epoch: 9,
    member,
    incarnations: [nothing, nothing, nothing],
    logEpoch: log.epoch,
    lastIndex: log.entries.length,
    lastHead: headOf(log.entries),
    nonce: nothing,
    ...other,
  };
}

/** The base as a log, from the promises of some members; or why there is none. */
function baseOf(state: readonly Log[], members: readonly Member[]): readonly string[] | string {
  const promises = members.map((member) => promiseOf(member, state[member - 1] as Log));
  const base = chooseBase(promises, 2);
  assert.deepEqual(chooseBase(promises.toReversed(), 2).kind, base.kind, 'the order of promises matters');
  if (base.kind !== 'base') return base.kind;
  if (base.head !== undefined) return logs.get(toHex(base.head)) as readonly string[];
  const newest = Math.max(...promises.map((promise) => promise.logEpoch));
  const candidates = members
    .map((member) => state[member - 1] as Log)
    .filter((log) => log.epoch === newest && log.entries.length > base.index)
    .map((log) => log.entries.slice(0, base.index));
  assert.equal(new Set(candidates.map((entries) => entries.join('/'))).size, 1, 'it is not clear which log is meant');
  return candidates[0] as readonly string[];
}

const log = (epoch: number, entries: string): Log => ({ epoch, entries: entries.split(' ') });
const base = (...logs: readonly Log[]): string => {
  const members = MEMBERS.slice(0, logs.length);
  const result = baseOf(logs, members);
  return typeof result === 'string' ? result : result.join(' ');
};

describe('the base of a new epoch (PROTOCOL §4.3)', () => {
  test('the highest epoch of a log, then the longest', () => {
    assert.equal(base(log(2, 'x a'), log(2, 'x')), 'x a');
    assert.equal(base(log(2, 'x a b'), log(4, 'x a')), 'x a');
    assert.equal(base(log(2, 'x a'), log(2, 'x a'), log(2, 'x')), 'x a');
  });

  test('two heads at one index of one epoch: the third decides', () => {
    assert.equal(base(log(2, 'x a'), log(2, 'x b')), 'needThird');
    assert.equal(base(log(2, 'x a'), log(2, 'x b'), log(2, 'x b')), 'x b');
    assert.equal(base(log(2, 'x a'), log(2, 'x b'), log(2, 'x c')), 'x');
    assert.equal(base(log(2, 'x a'), log(2, 'x b'), log(2, 'x')), 'x');
    // One of the two is certified: somebody went on from there.
    assert.equal(base(log(2, 'x a'), log(2, 'x b c')), 'x b c');
  });

  test('an uncertified tail that one of three reports is dropped', () => {
    assert.equal(base(log(2, 'x a'), log(2, 'x'), log(2, 'x')), 'x');
    assert.equal(base(log(4, 'x a'), log(2, 'x b'), log(2, 'x')), 'x');
    assert.equal(base(log(4, 'x a'), log(2, 'x a b'), log(2, 'x')), 'x a');
  });

  test('nothing from too few', () => {
    assert.equal(chooseBase([], 1).kind, 'none');
    assert.equal(chooseBase([promiseOf(1, log(2, 'x'))], 2).kind, 'none');
    assert.equal(chooseBase([promiseOf(1, log(2, 'x'))], 1).kind, 'base');
  });

  test('nothing from one whom the other knows by another start; what they know of a third does not matter', () => {
    const nothing = new Uint8Array(16);
    const fresh = new Uint8Array(16).fill(1);
    const whom = { incarnations: [nothing, fresh, nothing] as const };
    const kindOf = (...promises: LogPromise[]): string => chooseBase(promises, 2).kind;
    const [first, second, third] = MEMBERS.map((member) => promiseOf(member, log(2, 'x'))) as [
      LogPromise,
      LogPromise,
      LogPromise,
    ];
    const thirdKnows = promiseOf(3, log(2, 'x'), whom);
    assert.equal(kindOf(second, thirdKnows), 'none');
    assert.equal(kindOf(thirdKnows, second), 'none');
    assert.equal(kindOf(first, second, thirdKnows), 'none');
    assert.equal(kindOf(promiseOf(2, log(2, 'x'), whom), third), 'none');
    assert.equal(kindOf(promiseOf(2, log(2, 'x'), whom), thirdKnows), 'base');
    assert.equal(kindOf(first, thirdKnows), 'base');
  });
});

/** What is certified: every log that two members had voted for, under one epoch. */
type Certified = readonly (readonly string[])[];

const isPrefix = (short: readonly string[], long: readonly string[]): boolean =>
  short.every((label, i) => long[i] === label);
const subsets = <T>(items: readonly T[], least: number): T[][] =>
  Array.from({ length: 2 ** items.length }, (_, bits) => items.filter((_, i) => ((bits >> i) & 1) === 1)).filter(
    (subset) => subset.length >= least,
  );

/** One entry: each member votes for `a`, for `b`, as a lying leader shows it, or is not reached. */
function proposals(state: readonly Log[], epoch: number, bases: readonly (readonly string[] | undefined)[]) {
  const results: { state: Log[]; certified: Certified }[] = [];
  for (let choice = 0; choice < 27; choice++) {
    const votes = MEMBERS.map((_, i) => Math.floor(choice / 3 ** i) % 3);
    const next = state.map((log, i): Log => {
      const start = bases[i];
      const vote = votes[i];
      return start === undefined || vote === 0
        ? log
        : { epoch, entries: [...start, `${epoch}${vote === 1 ? 'a' : 'b'}`] };
    });
    const voted = next.filter((_, i) => bases[i] !== undefined && votes[i] !== 0);
    results.push({ state: next, certified: certifiedOf(voted) });
  }
  return results;
}

/** Which server has which log makes no difference. */
function distinct(all: readonly { state: Log[]; certified: Certified }[]): { state: Log[]; certified: Certified }[] {
  const keyOf = ({ state, certified }: (typeof all)[number]): string =>
    JSON.stringify([state.map((log) => JSON.stringify(log)).sort(), certified.map((entries) => entries.join()).sort()]);
  return [...new Map(all.map((one) => [keyOf(one), one])).values()];
}

function certifiedOf(voted: readonly Log[]): Certified {
  const keys = voted.map((log) => log.entries.join('/'));
  return voted.filter((_, i) => keys.indexOf(keys[i] as string) !== i).map((log) => log.entries);
}

/** Whoever holds a certificate of its last entry may vote for the next one. */
const holders = (state: readonly Log[], certified: Certified) =>
  state.map((log) => (certified.some((one) => one.join('/') === log.entries.join('/')) ? log.entries : undefined));

function keeps(state: readonly Log[], certified: Certified, what: string): number {
  let bases = 0;
  for (const members of subsets(MEMBERS, 2)) {
    const chosen = baseOf(state, members);
    if (typeof chosen === 'string') {
      assert.ok(chosen === 'needThird' && members.length === 2, `${what}: three promises lead to no base`);
      continue;
    }
    bases++;
    for (const entries of certified)
      assert.ok(
        isPrefix(entries, chosen),
        `${what}: ${members.join('+')} lose ${entries.join(' ')}: ${chosen.join(' ')}`,
      );
  }
  return bases;
}

test('no base loses what was certified: two epochs of lying leaders, all ways in which votes can fall', () => {
  const start: Log[] = MEMBERS.map(() => ({ epoch: 2, entries: ['x'] }));
  let bases = 0;
  const first = proposals(
    start,
    2,
    start.map((log) => log.entries),
  ).flatMap(({ state, certified }) => [
    { state, certified },
    ...proposals(state, 2, holders(state, certified)).map((next) => ({
      state: next.state,
      certified: [...certified, ...next.certified],
    })),
  ]);
  for (const { state, certified } of distinct(first)) {
    bases += keeps(state, certified, 'after one epoch');
    for (const members of subsets(MEMBERS, 2)) {
      const chosen = baseOf(state, members);
      if (typeof chosen === 'string') continue;
      // The next leader has the base's last entry signed again, by whom it reaches; then goes on, lying as it likes.
      for (const reached of subsets(MEMBERS, 0)) {
        const again = state.map((log, i) =>
          reached.includes(MEMBERS[i] as Member) ? { epoch: 3, entries: chosen } : log,
        );
        const known = [...certified, ...certifiedOf(again.filter((_, i) => reached.includes(MEMBERS[i] as Member)))];
        bases += keeps(again, known, 'after an entry was signed again');
        // Whoever goes on in the new epoch goes on from its base.
        const adopted = holders(again, known).map((entries) =>
          entries !== undefined && isPrefix(chosen, entries) ? entries : undefined,
        );
        for (const next of distinct(proposals(again, 3, adopted)))
          bases += keeps(next.state, [...known, ...next.certified], 'after two epochs');
      }
    }
  }
  assert.ok(bases > 10_000, `${bases} bases`);
});

describe('justifications', () => {
  const sign = (promise: LogPromise, by: Member = promise.member) => {
    const bytes = encodePromise(promise);
    return { bytes, signature: (one.containers[by - 1] as (typeof one.containers)[number]).sign(bytes) };
  };
  const good = MEMBERS.map((member) => promiseOf(member, log(2, 'x')));
  const verify = (signed: readonly { bytes: Uint8Array; signature: Uint8Array }[]) =>
    verifyJustification(crypto, one.configuration, 9, signed)?.map((promise) => promise.member);

  test('are read with every promise checked', () => {
    assert.deepEqual(verify(good.map((promise) => sign(promise))), [1, 2, 3]);
    const first = sign(good[0] as LogPromise);
    const refused = {
      'one shown twice': [first, first],
      'of another epoch': [first, sign(promiseOf(2, log(2, 'x'), { epoch: 7 }))],
      'of another configuration': [first, sign(promiseOf(2, log(2, 'x'), { configVersion: 2 }))],
      'of another set': [first, sign(promiseOf(2, log(2, 'x'), { set: new Uint8Array(16) }))],
      'signed by another': [first, sign(promiseOf(2, log(2, 'x')), 3)],
      'no promise at all': [first, { bytes: new Uint8Array(10), signature: first.signature }],
    };
    for (const [what, signed] of Object.entries(refused)) assert.equal(verify(signed), undefined, what);
  });
});
