import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Command, JsonObject, Outcome } from '@trefoil/license';
import { secretPair } from '@trefoil/license/fixtures';
import { freeAt, LIMITS } from '../../limits.ts';
import { TestLedger, TestSession } from '../test-ledger.ts';

const code = (outcome: Outcome): string =>
  outcome.kind === 'refused' || outcome.kind === 'denied' ? `${outcome.kind} ${outcome.code}` : outcome.kind;

const SOON = '2026-11-24T00:01:00Z';
const LATER = '2026-11-24T00:02:00Z';

/** In an entry of that very time. */
function at(one: TestLedger, utc: number | string, command: Command): string {
  return code(one.do(command, (typeof utc === 'string' ? Date.parse(utc) : utc) - one.ledger.utc));
}

/** What takes seats and what takes units are the same in when they may. */
const ASKS: readonly (readonly [string, JsonObject, (session: TestSession) => Command, string])[] = [
  ['seats', { quantity: 5 }, (session) => session.acquire('sim'), 'granted'],
  ['units', { quantity: 0, units: 5 }, (session) => session.consume(1), 'consumed'],
];

for (const [what, terms, ask, done] of ASKS)
  describe(`to the millisecond, and of two that are alike: ${what}`, () => {
    const ledger = (more: JsonObject, id = 'sim-1'): TestLedger => {
      const one = new TestLedger();
      one.sell({ ...terms, ...more }, { id, product: 'sim' });
      return one;
    };

    test('from notBefore on', () => {
      const one = ledger({ notBefore: SOON });
      const session = TestSession.opened(one, 'alice');
      assert.equal(at(one, Date.parse(SOON) - 1, ask(session)), 'denied not-yet');
      assert.equal(at(one, SOON, ask(session)), done);
    });

    test('until notAfter', () => {
      const one = ledger({ notAfter: SOON });
      const session = TestSession.opened(one, 'alice');
      assert.equal(at(one, Date.parse(SOON) - 1, ask(session)), done);
      assert.equal(at(one, SOON, ask(session)), 'denied expired');
    });

    test('until the configuration expires', () => {
      const one = ledger({});
      const { expires } = one.fixture.configuration;
      one.wait(expires - one.ledger.utc - 1_000);
      const session = TestSession.opened(one, 'alice');
      assert.equal(at(one, expires - 1, ask(session)), done);
      assert.equal(at(one, expires, ask(session)), 'denied configuration-expired');
    });

    test('not in an evicted session', () => {
      const one = ledger({});
      one.sell({ quantity: 1 }); // a session that holds nothing would have ended
      const session = TestSession.opened(one, 'alice');
      one.do(session.acquire('cad'));
      one.do(one.evict(session.id));
      assert.equal(code(one.do(ask(session))), 'refused evicted');
    });

    test('of the license that ends soonest, then of the lowest id, whatever the order of sale', () => {
      const ends: JsonObject = { b: LATER, c: SOON, d: SOON };
      for (const ids of [
        ['b', 'c', 'd'],
        ['d', 'c', 'b'],
        ['c', 'd', 'b'],
      ]) {
        const one = new TestLedger();
        for (const id of ids) one.sell({ ...terms, notAfter: ends[id] as string }, { id, product: 'sim' });
        const outcome = one.do(ask(TestSession.opened(one, 'alice')));
        const license =
          outcome.kind === 'granted'
            ? outcome.grants[0]?.license
            : outcome.kind === 'consumed' && outcome.parts[0]?.license;
        assert.equal(license, 'c', ids.join());
      }
    });
  });

describe('units', () => {
  test('only of a feature that there is, and of a license that has units', () => {
    const one = new TestLedger();
    one.sell({ quantity: 5, features: [{ name: 'mesh' }] }, { id: 'sim-1', product: 'sim' });
    const session = TestSession.opened(one, 'alice');
    const consume = session.consume(1) as Extract<Command, { kind: 'consume' }>;
    assert.equal(code(one.do(consume)), 'denied units');
    assert.equal(code(one.do(session.consume(1, { product: 'none' }))), 'denied unknown-product');
  });
});

describe('grants of several licenses at once', () => {
  test('live as long as the shortest of them, and their seats are kept as long as the longest needs', () => {
    const one = new TestLedger();
    one.sell({ quantity: 1, sessionTimeoutSeconds: 10 });
    one.sell({ quantity: 1, sessionTimeoutSeconds: 100 }, { id: 'cam-1', product: 'cam' });
    const session = TestSession.opened(one, 'alice');
    const granted = one.do(session.acquire([{ product: 'cad' }, { product: 'cam' }]));
    const alone = one.do(TestSession.opened(one, 'bob').acquire('cad'));
    assert.equal(code(alone), 'denied seats');
    assert.ok(granted.kind === 'granted');
    const lives = granted.grants.map(({ lifeMs }) => lifeMs);
    assert.equal(new Set(lives).size, 1);
    assert.ok((lives[0] ?? 0) <= 10_000, `${lives[0]} ms`);
    assert.deepEqual(one.wait(freeAt(0, 10_000)).map(code), [], 'both seats are kept');
    assert.equal(one.ledger.licenses.get('cad-1')?.used, 1);
  });

  test('end with their own feature', () => {
    const one = new TestLedger();
    one.sell({ quantity: 5, features: [{ name: 'mesh', notAfter: SOON }, { name: 'draft' }] });
    const session = TestSession.opened(one, 'alice');
    const item = (feature: string): Command => session.acquire([{ product: 'cad', feature }]);
    for (const [feature, end] of [
      ['mesh', Date.parse(SOON)],
      ['draft', 0],
    ] as const) {
      const granted = one.do(item(feature));
      assert.ok(granted.kind === 'granted');
      assert.equal(granted.grants[0]?.notAfter, end, feature);
    }
    const renewed = one.do(session.renew(), Date.parse(SOON) - one.ledger.utc);
    assert.deepEqual(renewed.kind === 'renewed' && renewed.grants.map(({ feature }) => feature), ['draft']);
  });
});

describe('updates', () => {
  test('refused: the installed version once more, a license that ends this very moment, an issuing key that has expired', () => {
    const one = new TestLedger();
    const { fixture } = one;
    const refusal = (license: string, serial: number): string =>
      code(one.do({ kind: 'update', document: fixture.update([license], serial) }));
    one.sell({ quantity: 1 }, { version: 2 });
    assert.equal(refusal(fixture.license({ version: 2, terms: { quantity: 9 } }), 7), 'refused older-license');
    const ends = new Date(one.ledger.utc + 1_000)
      .toISOString()
      .replace('.001', '')
      .replace(/\.\d+Z/, 'Z');
    one.wait(Date.parse(ends) - one.ledger.utc - 1);
    assert.equal(
      refusal(fixture.license({ version: 3, terms: { quantity: 9, notAfter: ends } }), 8),
      'refused bad-document',
    );
    one.wait(fixture.issuingKey.notAfter - one.ledger.utc - 2);
    assert.equal(refusal(fixture.license({ version: 3 }), 9), 'updated');
    assert.equal(refusal(fixture.license({ version: 4 }), 10), 'refused bad-document');
  });
});

describe('sessions', () => {
  test('end as silent, or as evicted, and closed without a word', () => {
    const one = new TestLedger();
    const [silent, evicted, closed] = ['a', 'b', 'c'].map((name) => TestSession.opened(one, name)) as [
      TestSession,
      TestSession,
      TestSession,
    ];
    one.do(closed.close());
    one.do(one.evict(evicted.id));
    const ended = one.wait(2 * freeAt(0, LIMITS.sessionTimeoutMs));
    const why = new Map(ended.map((one) => [one.session.join(), one.kind === 'ended' ? one.why : '']));
    assert.deepEqual(
      why,
      new Map([
        [silent.handle.join(), 'silent'],
        [evicted.handle.join(), 'evicted'],
      ]),
    );
  });

  test('leave nothing behind but what they consumed', () => {
    const one = new TestLedger();
    one.sell({ quantity: 5, units: 5 }, { id: 'sim-1', product: 'sim' });
    const session = TestSession.opened(one, 'alice');
    one.apply([session.acquire('sim'), session.consume(1), session.release(1, { requestId: 9, lowestUnanswered: 1 })]);
    const before = one.ledger.remembered.size;
    one.wait(freeAt(0, LIMITS.sessionTimeoutMs));
    assert.equal(one.ledger.sessions.size, 0);
    assert.equal(one.ledger.remembered.size, before + 1);
  });

  test('an eviction names a time of the last ten minutes, to the millisecond; a second one leaves the first one’s reason', () => {
    const one = new TestLedger();
    const session = TestSession.opened(one, 'alice');
    const { logTime } = one.ledger;
    const evict = one.evict(session.id, { atLogTime: logTime + 1 });
    assert.equal(code(one.do(evict, 0)), 'refused stale');
    assert.equal(code(one.do(evict)), 'evicted', 'a refusal is not remembered');
    assert.equal(one.ledger.sessions.values().next().value?.evicted, 'needed');
    const old = one.evict(session.id, { atLogTime: one.ledger.logTime, nonce: 2 });
    one.wait(1_000);
    assert.equal(code(one.do(old, LIMITS.openWindowMs - 999)), 'refused stale');
  });
});

describe('request ids', () => {
  /** A client that was not answered to a consume, and a stranger who knows the id of its session. */
  function consumed() {
    const one = new TestLedger();
    one.sell({ quantity: 5, units: 100 });
    const session = TestSession.opened(one, 'alice');
    const consume = session.consume(10, { product: 'cad' });
    const outcome = one.do(consume);
    assert.equal(code(outcome), 'consumed');
    return { one, session, consume, outcome };
  }
  const far = Number.MAX_SAFE_INTEGER;

  test('who acquires in the session of another, and gives that back, makes nothing forgotten', () => {
    const { one, session, consume, outcome } = consumed();
    const stranger = secretPair(one.fixture.crypto, 'stranger');
    const acquire = session.acquire('cad', { requestId: 1_000, lowestUnanswered: 1_000 });
    assert.equal(code(one.do({ ...acquire, releaseHash: stranger.hash } as Command)), 'granted');
    const { secret } = stranger;
    const release = { kind: 'release', session: session.id, hold: 1_000, secret } as const;
    assert.equal(code(one.do({ ...release, requestId: far, lowestUnanswered: far })), 'released');
    assert.deepEqual(one.do(consume), outcome);
    assert.equal(code(one.do(session.consume(1, { product: 'cad', lowestUnanswered: 1 }))), 'consumed');
    one.wait(freeAt(0, LIMITS.sessionTimeoutMs));
    assert.deepEqual(one.do(consume), outcome, 'nor when the session has ended');
  });

  test('whoever passes a close on makes nothing forgotten by other numbers', () => {
    const { one, session, consume, outcome } = consumed();
    assert.equal(code(one.do({ ...session.close(), requestId: far, lowestUnanswered: far } as Command)), 'closed');
    assert.deepEqual(one.do(consume), outcome);
    one.wait(2 * freeAt(0, LIMITS.sessionTimeoutMs));
    assert.deepEqual(one.do(consume), outcome);
  });

  test('a release is known by its hold: no number stands in its way, and repeated it finds none', () => {
    const { one, session } = consumed();
    one.do(session.acquire('cad', { requestId: 5, lowestUnanswered: 1 }));
    one.do(session.consume(1, { product: 'cad' }));
    one.do(session.renew({ requestId: far, lowestUnanswered: far }));
    const release = session.release(5, { requestId: 1, lowestUnanswered: 0 });
    assert.equal(code(one.do(release)), 'released');
    assert.equal(code(one.do(release)), 'refused unknown-hold');
  });

  test('the lowest one without an answer is kept, and what is below it never runs', () => {
    const one = new TestLedger();
    one.sell({ quantity: 5 });
    const session = TestSession.opened(one, 'alice');
    const third = session.acquire('cad', { requestId: 3, lowestUnanswered: 1 });
    const outcome = one.do(third);
    one.do(session.acquire('cad', { requestId: 4, lowestUnanswered: 3 }));
    assert.deepEqual(one.do(third), outcome);
    assert.equal(code(one.do(session.acquire('cad', { requestId: 2, lowestUnanswered: 2 }))), 'refused forgotten');
    one.do(session.acquire('cad', { requestId: 6, lowestUnanswered: 5 }));
    assert.equal(code(one.do(session.acquire('cad', { requestId: 5, lowestUnanswered: 5 }))), 'granted');
  });
});

describe('utc', () => {
  test('by how much it has run ahead of log time is added up', () => {
    const one = new TestLedger();
    one.apply([], 100);
    assert.equal(one.ledger.utcLead, 0);
    for (const ahead of [5, 7]) {
      const entry = one.entry([], 100);
      one.applyEntry({ ...entry, utc: entry.utc + ahead });
    }
    assert.equal(one.ledger.utcLead, 12);
  });
});

describe('what lingers, ends and closes', () => {
  const heldLingering = () => {
    const one = new TestLedger();
    one.sell({ quantity: 2, lingerSeconds: 30 });
    const session = TestSession.opened(one, 'alice');
    one.do(session.acquire());
    one.do(session.release(1));
    return { one, session, free: () => one.ledger.licenses.get('cad-1')?.used === 0 };
  };

  test('a seat that lingers is not renewed', () => {
    const { one, session, free } = heldLingering();
    one.wait(20_000);
    const renewed = one.do(session.renew());
    assert.deepEqual(renewed.kind === 'renewed' && renewed.grants, []);
    one.wait(9_998);
    assert.equal(free(), false);
    one.wait(2);
    assert.equal(free(), true);
  });

  test('nor does it linger longer when its session is closed', () => {
    const { one, session, free } = heldLingering();
    one.wait(20_000);
    assert.equal(one.do(session.close()).kind, 'closed');
    one.wait(9_999);
    assert.equal(free(), true);
  });

  test('of several licenses together the longest lingers', () => {
    const one = new TestLedger();
    one.sell({ quantity: 1, lingerSeconds: 30 });
    one.sell({ quantity: 1 }, { id: 'cam-1', product: 'cam' });
    const session = TestSession.opened(one, 'alice');
    one.do(session.acquire([{ product: 'cad' }, { product: 'cam' }]));
    one.do(session.release(1));
    one.wait(29_000);
    assert.equal(one.ledger.licenses.get('cam-1')?.used, 1);
    one.wait(1_001);
    assert.equal(one.ledger.licenses.get('cam-1')?.used, 0);
  });

  test('what is held together is renewed only while none of it has ended', () => {
    const one = new TestLedger();
    one.sell({ quantity: 1 });
    const notAfter = new Date(one.utc + 20_000).toISOString().replace('.000', '');
    one.sell({ quantity: 1, notAfter }, { id: 'cam-1', product: 'cam' });
    const session = TestSession.opened(one, 'alice');
    one.do(session.acquire([{ product: 'cad' }, { product: 'cam' }]));
    one.do(session.acquire('cad'));
    const grants = (outcome: Outcome): number => (outcome.kind === 'renewed' ? outcome.grants.length : -1);
    assert.equal(grants(one.do(session.renew())), 2);
    assert.equal(grants(one.do(session.renew(), 20_000)), 0);
  });

  test('a closed session is known for ten seconds, for its repeats', () => {
    const one = new TestLedger();
    const session = TestSession.opened(one, 'alice');
    const close = session.close();
    const outcome = one.do(close);
    one.wait(LIMITS.closedMemoryMs - 2);
    assert.deepEqual(one.do(close), outcome);
    one.wait(LIMITS.closedMemoryMs);
    assert.equal(one.do(close).kind, 'refused');
    assert.equal(one.ledger.sessions.size, 0);
  });

  test('an open that is asked again when its outcome is forgotten changes nothing', () => {
    const one = new TestLedger();
    one.sell({ quantity: 0, units: 9 }, { id: 'sim-1', product: 'sim' });
    const session = TestSession.opened(one, 'alice');
    one.do(session.consume(1));
    const [before] = one.ledger.sessions.values();
    const answered = [...(before?.proven.answered.keys() ?? [])];
    one.do(session.open);
    assert.deepEqual([...(before?.proven.answered.keys() ?? [])], answered);
  });
});

test('a feature is counted also in a license of which there are as many as one likes', () => {
  const one = new TestLedger();
  one.sell({ quantity: 0, features: [{ name: 'solver', quantity: 2 }] });
  const session = TestSession.opened(one, 'alice');
  const solver = () => one.do(session.acquire([{ product: 'cad', feature: 'solver' }])).kind;
  assert.deepEqual([solver(), solver(), solver()], ['granted', 'granted', 'denied']);
  assert.equal(one.do(session.acquire()).kind, 'granted');
});
