import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { equalBytes, GRANT_FLAGS, type JsonObject, type Outcome } from '@trefoil/license';
import { LIMITS } from '../../limits.ts';
import { encodeRecord, ledgerFromRecords, recordNames } from '../records.ts';
import { TestLedger, TestSession, type TestItem } from '../test-ledger.ts';

/** Who waits for what, and who gets it; by name, so that a test reads like the story it tells. */
class Hall {
  readonly one = new TestLedger();
  readonly #sessions = new Map<string, TestSession>();

  constructor(terms: Readonly<Record<string, JsonObject>>) {
    for (const [product, one] of Object.entries(terms)) this.one.sell(one, { id: `${product}-1`, product });
  }

  session(name: string): TestSession {
    let session = this.#sessions.get(name);
    if (session === undefined) {
      session = TestSession.opened(this.one, name, { host: `ws-${name[0]}` });
      this.#sessions.set(name, session);
    }
    return session;
  }

  asks(name: string, items: string | readonly TestItem[], waitMs = 30_000): string {
    return said(this.one.do(this.session(name).acquire(items, { waitMs })));
  }

  /** Who was served in the entry in which somebody gave back. */
  gives(name: string, hold = 1): string[] {
    return this.one
      .apply([this.session(name).release(hold)])
      .slice(1)
      .map((one) => this.#whose(one));
  }

  /** Nothing but time. */
  wait(ms: number): string[] {
    return this.one.wait(ms).map((one) => this.#whose(one));
  }

  #whose(outcome: Outcome): string {
    for (const [name, session] of this.#sessions)
      if (equalBytes(session.handle, outcome.session)) return `${name} ${said(outcome)}`;
    return said(outcome);
  }

  queue(product: string): string[] {
    return (this.one.ledger.queues.get(product) ?? []).map(({ session }) => session.user);
  }
}

function said(outcome: Outcome): string {
  if (outcome.kind === 'queued') return `queued ${outcome.place}`;
  return outcome.kind === 'refused' || outcome.kind === 'denied' ? `${outcome.kind} ${outcome.code}` : outcome.kind;
}

const seats = (product: string, count: number, feature = ''): TestItem => ({ product, seats: count, feature });

describe('waiting (PROTOCOL §5.15)', () => {
  test('first come, first served, each in the entry that frees a seat', () => {
    const hall = new Hall({ cad: { quantity: 1 } });
    assert.equal(hall.asks('ada', 'cad'), 'granted');
    assert.deepEqual(
      ['ben', 'cem', 'dot'].map((name) => hall.asks(name, 'cad')),
      ['queued 1', 'queued 2', 'queued 3'],
    );
    assert.deepEqual(hall.gives('ada'), ['ben granted']);
    assert.deepEqual(hall.queue('cad'), ['cem', 'dot']);
    assert.deepEqual(hall.gives('ben'), ['cem granted']);
  });

  test('nobody overtakes who waits, neither by asking nor by waiting for less', () => {
    const hall = new Hall({ cad: { quantity: 3 } });
    hall.asks('ada', 'cad');
    hall.asks('ben', [seats('cad', 2)]);
    assert.equal(hall.asks('cem', [seats('cad', 3)]), 'queued 1');
    assert.deepEqual(hall.gives('ada'), []); // one is free, and cem has a claim on it
    assert.equal(hall.asks('dot', 'cad', 0), 'denied seats');
    assert.equal(hall.asks('eve', 'cad'), 'queued 2');
    assert.deepEqual(hall.gives('ben'), ['cem granted']);
    assert.deepEqual(hall.gives('cem'), ['eve granted']);
  });

  test('seats of two products: a claim on the one that is there, and neither held', () => {
    const hall = new Hall({ a: { quantity: 1 }, b: { quantity: 1 } });
    hall.asks('ada', 'a');
    hall.asks('ben', 'b');
    assert.equal(hall.asks('cem', [seats('a', 1), seats('b', 1)]), 'queued 1');
    assert.equal(hall.asks('dot', [seats('b', 1), seats('a', 1)]), 'queued 2');
    assert.deepEqual(hall.gives('ada'), []);
    assert.equal(hall.one.ledger.licenses.get('a-1')?.used, 0);
    assert.equal(hall.asks('eve', 'a'), 'queued 3');
    assert.deepEqual(hall.gives('ben'), ['cem granted']); // both at once: no deadlock with dot
    assert.deepEqual(hall.gives('cem'), ['dot granted']);
    assert.deepEqual(hall.gives('dot'), ['eve granted']);
  });

  test('who waits for something rare does not keep others from what he has no use for', () => {
    const features = [{ name: 'rare', quantity: 1 }, { name: 'common' }];
    const hall = new Hall({ cad: { quantity: 3, features } });
    hall.asks('ada', [seats('cad', 1, 'rare')]);
    assert.equal(hall.asks('ben', [seats('cad', 1, 'rare')]), 'queued 1');
    assert.equal(hall.asks('cem', [seats('cad', 1, 'common')]), 'granted');
    // Of the three seats one is for ben, when he gets the feature.
    assert.equal(hall.asks('dot', [seats('cad', 1, 'common')]), 'granted');
    assert.equal(hall.asks('eve', [seats('cad', 1, 'common')]), 'queued 2');
    assert.deepEqual(hall.gives('ada'), ['ben granted']);
  });

  test('a wait ends with its time, with its release, with its session', () => {
    const hall = new Hall({ cad: { quantity: 1 } });
    hall.asks('ada', 'cad');
    hall.asks('ben', 'cad', 5_000);
    hall.asks('cem', 'cad');
    hall.asks('dot', 'cad');
    assert.deepEqual(hall.wait(5_000), ['ben unserved']);
    assert.equal(said(hall.one.do(hall.session('cem').release(1))), 'released');
    assert.equal(said(hall.one.do(hall.session('cem').release(1))), 'refused unknown-hold');
    hall.one.do(hall.session('dot').close());
    assert.deepEqual(hall.queue('cad'), []);
    assert.equal(hall.one.ledger.queues.size, 0);
  });

  test('a release of a wait needs its secret', () => {
    const hall = new Hall({ cad: { quantity: 1 } });
    hall.asks('ada', 'cad');
    hall.asks('ben', 'cad');
    const ben = hall.session('ben');
    const forged = { ...ben.release(1), secret: new Uint8Array(32) } as Parameters<TestLedger['do']>[0];
    assert.equal(said(hall.one.do(forged)), 'refused wrong-secret');
    assert.deepEqual(hall.queue('cad'), ['ben']);
  });

  test('an evicted session waits no more, a silent one neither', () => {
    const hall = new Hall({ cad: { quantity: 1 } });
    hall.asks('ada', 'cad');
    hall.asks('ben', 'cad', 600_000);
    hall.asks('cem', 'cad', 600_000);
    hall.one.do(hall.one.evict(hall.session('ben').id));
    assert.deepEqual(hall.queue('cad'), ['cem']);
    hall.wait(60_900);
    assert.deepEqual(hall.queue('cad'), []);
  });

  test('the seat of a silent client goes to who waits, when its life is over by any clock', () => {
    const hall = new Hall({ cad: { quantity: 1 } });
    hall.asks('ada', 'cad');
    assert.equal(hall.asks('ben', 'cad', 120_000), 'queued 1');
    hall.one.do(hall.session('ben').renew(), 30_000);
    assert.deepEqual(hall.wait(30_847), []);
    assert.deepEqual(hall.wait(10), ['ada ended', 'ben granted']);
  });

  test('what was granted to who waits is named by his next renewal, and free if he never renews', () => {
    const hall = new Hall({ cad: { quantity: 1, sessionTimeoutSeconds: 20 } });
    hall.asks('ada', 'cad');
    const queued = hall.one.do(hall.session('ben').acquire('cad', { waitMs: 60_000 }));
    assert.deepEqual(queued.kind === 'queued' && queued.renewWithinMs, 20_000);
    const waits = hall.one.do(hall.session('ben').renew());
    assert.deepEqual(waits.kind === 'renewed' && [waits.grants, waits.waiting], [[], [{ hold: 1, place: 1 }]]);
    hall.gives('ada');
    const renewed = hall.one.do(hall.session('ben').renew(), 5_000);
    assert.ok(renewed.kind === 'renewed');
    assert.deepEqual(renewed.waiting, []);
    assert.deepEqual(
      renewed.grants.map(({ hold, flags, issuedLogTime }) => [hold, flags, issuedLogTime]),
      [[1, GRANT_FLAGS.waited, hall.one.ledger.logTime]],
    );
    assert.deepEqual(hall.wait(20_451), ['ben expired']);
  });

  test('the answer to the acquire stays the remembered one', () => {
    const hall = new Hall({ cad: { quantity: 1 } });
    hall.asks('ada', 'cad');
    const ask = hall.session('ben').acquire('cad', { waitMs: 30_000 });
    const first = hall.one.do(ask);
    hall.gives('ada');
    assert.deepEqual(hall.one.do(ask), first);
    assert.equal(hall.one.ledger.licenses.get('cad-1')?.used, 1);
  });
});

describe('who may wait', () => {
  test('not where a license forbids it, not for more than there is, not for what seats would not mend', () => {
    const hall = new Hall({
      cad: { quantity: 1, queue: false },
      cam: { quantity: 2 },
      old: { quantity: 1, notBefore: '2028-01-01T00:00:00Z' },
    });
    hall.asks('ada', 'cad');
    assert.equal(hall.asks('ben', 'cad'), 'denied seats');
    assert.equal(hall.asks('ben', [seats('cam', 3)]), 'denied seats');
    assert.equal(hall.asks('ben', 'old'), 'denied not-yet');
    assert.equal(hall.asks('ben', 'none'), 'denied unknown-product');
  });

  test('an overdraft is used before anybody waits', () => {
    const hall = new Hall({ cad: { quantity: 1, overdraft: { seats: 1 } } });
    assert.deepEqual(
      ['ada', 'ben', 'cem'].map((name) => hall.asks(name, 'cad')),
      ['granted', 'granted', 'queued 1'],
    );
  });

  test('no more than a session may hold', () => {
    const hall = new Hall({ cad: { quantity: 16 } });
    hall.asks('ada', [seats('cad', 16)]);
    const sixteen = Array.from({ length: 16 }, () => seats('cad', 1));
    for (let i = 0; i < 16; i++) assert.equal(hall.asks('ben', sixteen), `queued ${i + 1}`);
    assert.equal(hall.asks('ben', 'cad'), 'refused too-many');
  });
});

describe('who waits is served', () => {
  test('by an update that brings seats, and by a license whose time has come', () => {
    const hall = new Hall({ cad: { quantity: 1 } });
    hall.asks('ada', 'cad');
    hall.asks('ben', 'cad');
    hall.asks('cem', 'cad');
    const { one } = hall;
    const document = one.fixture.update([one.fixture.license({ id: 'cad-1', version: 2, terms: { quantity: 2 } })], 99);
    assert.deepEqual(one.apply([{ kind: 'update', document }]).map(said), ['updated', 'granted']);
    const begins = new Date(Math.ceil(one.ledger.utc / 1000) * 1000 + 3_000).toISOString().replace('.000Z', 'Z');
    one.sell({ quantity: 1, notBefore: begins }, { id: 'later' });
    assert.deepEqual(hall.queue('cad'), ['cem']);
    hall.wait(3_000);
    assert.deepEqual(hall.wait(1_000), ['cem granted']);
  });

  test('beside somebody on the same station, though no seat is free', () => {
    const hall = new Hall({ cad: { quantity: 1, counting: ['station'] } });
    hall.asks('ada', 'cad');
    assert.equal(hall.asks('ben', 'cad'), 'queued 1');
    assert.equal(hall.asks('ben-again', 'cad'), 'queued 2');
    assert.deepEqual(hall.gives('ada'), ['ben granted', 'ben-again granted']);
    assert.equal(hall.one.ledger.licenses.get('cad-1')?.used, 1);
  });

  test('at most so many in one entry; the next one goes on, also after a restart from a snapshot', () => {
    const count = LIMITS.servedPerEntry + 20;
    const hall = new Hall({ cad: { quantity: count } });
    hall.asks('ada', [seats('cad', count)]);
    for (let i = 0; i < count; i++) hall.asks(`waiter ${i}`, 'cad', 60_000);
    const { one } = hall;
    assert.equal(one.apply([hall.session('ada').release(1)]).length, 1 + LIMITS.servedPerEntry);
    const records = new Map(
      recordNames(one.ledger).map((name) => [name, encodeRecord(one.ledger, name) as Uint8Array]),
    );
    const restored = new TestLedger(ledgerFromRecords(one.context, records));
    assert.ok(equalBytes(restored.root, one.root));
    const [next, nextRestored] = [one.apply([]), restored.apply([])];
    assert.equal(next.length, 20);
    assert.deepEqual(nextRestored, next);
    assert.deepEqual(one.apply([]), []);
    assert.ok(equalBytes(restored.root, new TestLedger(restored.ledger).root));
  });
});
