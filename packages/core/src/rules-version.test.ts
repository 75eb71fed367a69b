/** Programs of two versions side by side (PROTOCOL §4.10). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Member, TmrServer } from '@trefoil/license';
import type { AboutVoter } from './about.ts';
import { decodeEntry, encodeEntry, headAfter, OLDEST_RULES, OtherRules, RULES_VERSION } from './entry.ts';
import { checkFeed } from './feed.ts';
import { TestLedger } from './ledger/test-ledger.ts';
import { LIMITS } from './limits.ts';
import { ProposerBench, sent } from './proposer/bench.ts';
import { rulesToGoBy } from './proposer/state.ts';
import { dropTail } from './replica.ts';
import { Bench, certificateOf, group, one, promisesFor, proposeOf, refusalOf, voted } from './voter/bench.ts';

const about = (rules: number): AboutVoter => ({
  ...{ kind: 'about', rules, program: '9.9.9', tmrPrograms: ['', ''], alarms: [] },
});

describe('who leads', () => {
  const told = (...members: Member[]): ProposerBench => {
    const bench = new ProposerBench();
    for (const member of members) bench.hears(member, about(RULES_VERSION));
    return bench;
  };

  test('goes by the newest rules that all have said they know', () => {
    assert.equal(rulesToGoBy(told().proposer), OLDEST_RULES);
    assert.equal(rulesToGoBy(told(1, 2).proposer), OLDEST_RULES, 'of one nothing is known');
    assert.equal(rulesToGoBy(told(1, 2, 3).proposer), RULES_VERSION);
    const bench = told(1, 2, 3);
    bench.hears(2, about(RULES_VERSION + 5));
    assert.equal(rulesToGoBy(bench.proposer), RULES_VERSION, 'its own program knows no more');
    bench.hears(2, about(OLDEST_RULES));
    assert.equal(rulesToGoBy(bench.proposer), OLDEST_RULES);
  });

  test('believes it for as long as the link lasts: another program may come back', () => {
    for (const comesBack of [false, true]) {
      const bench = told(1, 2, 3);
      bench.step({ kind: 'linkDown', member: 3 });
      if (comesBack) bench.step({ kind: 'linkUp', member: 3, hearsAbout: false });
      assert.equal(rulesToGoBy(bench.proposer), OLDEST_RULES);
    }
    const noticedLate = told(1, 2, 3);
    noticedLate.step({ kind: 'linkUp', member: 3, hearsAbout: false });
    assert.equal(rulesToGoBy(noticedLate.proposer), OLDEST_RULES);
  });

  test('never goes by older ones than its log', () => {
    const bench = told();
    bench.proposer.replica.ledger.rulesVersion = RULES_VERSION;
    assert.equal(rulesToGoBy(bench.proposer), RULES_VERSION);
  });

  test('says what it knows where it is understood', () => {
    const bench = new ProposerBench();
    assert.deepEqual(sent(bench.step({ kind: 'linkUp', member: 1, hearsAbout: false })), []);
    assert.deepEqual(sent(bench.step({ kind: 'linkUp', member: 1, hearsAbout: true })), ['about to L1']);
  });
});

describe('a license server', () => {
  const says = (bench: Bench): (readonly [number, string, string])[] => {
    const all = bench.sent.flatMap((message) => (message.kind === 'about' ? [message] : []));
    bench.sent = [];
    return all.map(({ rules, tmrPrograms: [a, b] }) => [rules, a, b]);
  };
  const news = (program: string, rules = RULES_VERSION) => ({ kind: 'about', rules, program }) as const;

  test('says the least of what it and both TMR servers know', () => {
    const bench = new Bench();
    const second = (): void => {
      bench.now += LIMITS.aboutMs;
      bench.step({ kind: 'tick' });
    };
    const hears = (from: TmrServer, message: ReturnType<typeof news>): void => {
      bench.step({ kind: 'message', from, message });
      assert.deepEqual(says(bench), [], 'not at once');
      second();
    };
    says(bench);
    bench.step({ kind: 'linkUp', from: 'A', hearsAbout: true });
    assert.deepEqual(says(bench), [[OLDEST_RULES, '', '']]);
    hears('A', news('a'));
    assert.deepEqual(says(bench), [[OLDEST_RULES, 'a', '']], 'B has said nothing');
    bench.step({ kind: 'linkUp', from: 'B', hearsAbout: true });
    says(bench);
    hears('B', news('b'));
    assert.deepEqual(says(bench).at(-1), [RULES_VERSION, 'a', 'b']);
    hears('B', news('b', RULES_VERSION + 9));
    assert.deepEqual(says(bench).at(-1), [RULES_VERSION, 'a', 'b'], 'its own program knows no more');
    bench.step({ kind: 'linkDown', from: 'A' });
    assert.deepEqual(says(bench), [[OLDEST_RULES, '', 'b']], 'at once: another program may come back');
  });

  test('says nothing of it on a link of the older form', () => {
    const bench = new Bench();
    bench.step({ kind: 'alarms', alarms: ['disk-filling: it is full'] });
    bench.step({ kind: 'message', from: 'A', message: news('a') });
    bench.now += LIMITS.aboutMs;
    bench.step({ kind: 'tick' });
    assert.deepEqual(says(bench), []);
  });

  test('says what it alarms, as much as can be said', () => {
    const bench = new Bench();
    bench.step({ kind: 'linkUp', from: 'A', hearsAbout: true });
    bench.step({
      kind: 'alarms',
      alarms: ['x: \ud800', ...Array.from({ length: 100 }, () => `x: ${'ä'.repeat(9_000)}`)],
    });
    bench.now += LIMITS.aboutMs;
    bench.step({ kind: 'tick' });
    const [last] = bench.sent.flatMap((message) => (message.kind === 'about' ? [message.alarms] : [])).slice(-1);
    assert.equal(last?.length, 64);
    assert.equal(last[0], 'x: \ufffd');
    assert.ok(last.every((line) => Buffer.byteLength(line) <= 1_024));
  });

  test('votes for no entry under older rules than those of the one before it', () => {
    const { benches } = voted();
    const [bench] = benches;
    const older = proposeOf(bench, 2, {
      ...{ index: 2, previous: bench.voter.replica.lastHead, certificate: certificateOf(benches.slice(1)) },
      entry: { rulesVersion: RULES_VERSION - 1 },
    });
    assert.equal(refusalOf(bench.say('A', older)), 'rules-version');
  });

  test('an entry that is taken back takes its rules along', () => {
    const benches = group();
    const justification = promisesFor(1, 'A', benches);
    const [{ voter }] = benches;
    benches[0].say('A', proposeOf(benches[0], 2, { justification }));
    assert.equal(voter.replica.ledger.rulesVersion, RULES_VERSION);
    dropTail(voter.replica);
    assert.equal(voter.replica.ledger.rulesVersion, OLDEST_RULES);
  });

  test('takes over nothing that it can not execute, and says which program it needs', () => {
    const benches = group();
    const propose = proposeOf(benches[0], 2, { justification: promisesFor(1, 'A', benches) });
    for (const bench of benches) bench.say('A', propose);
    const certificate = certificateOf(benches.slice(1));
    const old = new Bench();
    const { replica } = old.voter;
    Object.assign(replica.ledger, { context: { ...replica.ledger.context, rules: OLDEST_RULES } });
    const message = { kind: 'entries', from: 1, entries: [propose.entry], certificate } as const;
    assert.ok(checkFeed(replica, message) instanceof OtherRules);
    old.say('A', message);
    assert.deepEqual(old.alarms, ['newer-rules']);
    assert.equal(replica.lastIndex, 0);
    // Not certified, it is nobody's: that is said first.
    const other = encodeEntry({ ...decodeEntry(propose.entry), rulesVersion: RULES_VERSION + 1 });
    assert.equal(checkFeed(replica, { ...message, entries: [other] }), 'false');
    assert.notDeepEqual(headAfter(one.crypto, replica.lastHead, other), propose.head);
  });
});

test('a license that needs newer rules is installed when the group goes by them, not when a program knows them', () => {
  const ledger = new TestLedger();
  const sell = (rulesVersion: number) => {
    const { fixture } = ledger;
    const license = fixture.license({ terms: { quantity: 1, minimum: { server: RULES_VERSION } } });
    const document = fixture.update([license], ledger.ledger.index + 1);
    return ledger.applyEntry({ ...ledger.entry([{ kind: 'update', document }]), rulesVersion })[0];
  };
  const refused = sell(RULES_VERSION - 1);
  assert.ok(refused?.kind === 'refused');
  assert.match(refused.detail, /needs servers with rules 7; these have 6$/);
  assert.equal(sell(RULES_VERSION)?.kind, 'updated');
});
