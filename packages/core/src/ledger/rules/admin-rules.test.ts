import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { equalBytes, type JsonObject, type Outcome } from '@trefoil/license';
import { seedKey } from '@trefoil/license/fixtures';
import { encodeRecord, ledgerFromRecords, recordNames } from '../records.ts';
import { TestLedger, TestSession, type TestItem, type TestSessionOptions } from '../test-ledger.ts';

const said = (outcome: Outcome): string => {
  if (outcome.kind === 'denied' && outcome.code === 'rule') return `denied: ${outcome.detail}`;
  return outcome.kind === 'refused' || outcome.kind === 'denied' ? `${outcome.kind} ${outcome.code}` : outcome.kind;
};

/** A plant with rules of its own. */
class Plant {
  readonly one = new TestLedger();
  readonly sessions = new Map<string, TestSession>();

  constructor(terms: JsonObject, ...rules: readonly JsonObject[]) {
    this.one.sell(terms);
    if (rules.length > 0) assert.equal(this.one.rule(rules).kind, 'ruled');
  }

  asks(user: string, item: Partial<TestItem> = {}, options: TestSessionOptions & { waitMs?: number } = {}): string {
    const { waitMs = 0, ...claims } = options;
    const session = this.sessions.get(user) ?? TestSession.opened(this.one, user, { user, ...claims });
    this.sessions.set(user, session);
    return said(this.one.do(session.acquire([{ product: 'cad', ...item }], { waitMs })));
  }

  gives(user: string, hold = 1): string[] {
    return this.one.apply([(this.sessions.get(user) as TestSession).release(hold)]).map(said);
  }
}

describe("the customer's own rules (PROTOCOL §5.16)", () => {
  test('deny: by user, host, subnet, and names that begin alike', () => {
    const deny = (who: JsonObject): Plant => new Plant({ quantity: 9 }, { rule: 'deny', product: 'cad', for: who });
    assert.equal(deny({ users: ['ada'] }).asks('ada'), 'denied: deny cad for user ada');
    assert.equal(deny({ users: ['ada'] }).asks('adam'), 'granted');
    assert.equal(deny({ users: ['ada*'] }).asks('adam'), 'denied: deny cad for user ada*');
    assert.equal(deny({ hosts: ['ws-*'] }).asks('ada', {}, { host: 'ws-7' }), 'denied: deny cad for host ws-*');
    const plant = deny({ subnets: ['10.1.0.0/16', 'fd00::/8'] });
    assert.match(plant.asks('ada', {}, { address: '10.1.200.3' }), /^denied: /);
    assert.match(plant.asks('ben', {}, { address: 'fd12::7' }), /^denied: /);
    assert.equal(plant.asks('cem', {}, { address: '10.2.0.1' }), 'granted');
    assert.equal(plant.asks('dot'), 'granted'); // says no address
  });

  test('deny of a feature, and of every product', () => {
    const features = [{ name: 'mill' }];
    const one = new Plant(
      { quantity: 9, features },
      { rule: 'deny', product: 'cad', feature: 'mill', for: { users: ['ada'] } },
    );
    assert.equal(one.asks('ada'), 'granted');
    assert.match(one.asks('ada', { feature: 'mill' }), /^denied: /);
    const all = new Plant({ quantity: 9 }, { rule: 'deny', product: '*', for: { users: ['ada'] } });
    assert.equal(all.asks('ada'), 'denied: deny every product for user ada');
  });

  test('allow: nobody else', () => {
    const plant = new Plant(
      { quantity: 9 },
      { rule: 'allow', product: 'cad', for: { users: ['ada'] } },
      { rule: 'allow', product: 'cad', for: { hosts: ['lab-1'] } },
    );
    assert.equal(plant.asks('ada'), 'granted');
    assert.equal(plant.asks('ben', {}, { host: 'lab-1' }), 'granted');
    assert.equal(plant.asks('cem'), 'denied: allow cad for user ada');
  });

  test('limits: per user, per host, and for a group together', () => {
    const perUser = new Plant({ quantity: 9 }, { rule: 'limit', product: 'cad', seats: 2, each: 'user' });
    assert.deepEqual(
      [perUser.asks('ada'), perUser.asks('ada'), perUser.asks('ada'), perUser.asks('ben', { seats: 3 })],
      ['granted', 'granted', 'denied: limit 2 cad per user', 'denied: limit 2 cad per user'],
    );
    perUser.gives('ada');
    assert.equal(perUser.asks('ada'), 'granted');
    const groups = { interns: { users: ['ada', 'ben'] } };
    const together = new Plant({ quantity: 9 });
    const limit = { rule: 'limit', product: 'cad', seats: 1, for: { groups: ['interns'] } };
    assert.equal(together.one.rule([limit], { groups }).kind, 'ruled');
    assert.deepEqual([together.asks('ada'), together.asks('cem')], ['granted', 'granted']);
    assert.equal(together.asks('ben'), 'denied: limit 1 cad for group interns');
  });

  test('seats that were held before the rules count', () => {
    const plant = new Plant({ quantity: 9 });
    plant.asks('ada');
    plant.one.rule([{ rule: 'limit', product: 'cad', seats: 1, each: 'user' }]);
    assert.match(plant.asks('ada'), /^denied: limit/);
    plant.gives('ada');
    assert.equal(plant.asks('ada'), 'granted');
  });

  test('reservations: so many seats only they may have; theirs are used first', () => {
    const plant = new Plant({ quantity: 3 }, { rule: 'reserve', product: 'cad', seats: 2, for: { users: ['boss*'] } });
    assert.equal(plant.asks('ada'), 'granted');
    assert.equal(plant.asks('ben'), 'denied seats');
    assert.equal(plant.asks('boss-1'), 'granted');
    assert.equal(plant.asks('ben'), 'denied seats');
    assert.equal(plant.asks('boss-2'), 'granted');
    plant.gives('ada');
    assert.equal(plant.asks('ben'), 'granted');
    assert.equal(plant.asks('boss-3'), 'denied seats');
  });

  test('a reserved seat of a feature takes its place in those around it', () => {
    const features = [
      { name: 'mill', quantity: 2 },
      { name: 'five-axes', within: 'mill' },
    ];
    const reserve = { rule: 'reserve', product: 'cad', feature: 'five-axes', seats: 1, for: { users: ['boss'] } };
    const plant = new Plant({ quantity: 9, features }, reserve);
    assert.equal(plant.asks('ada', { feature: 'mill' }), 'granted');
    assert.equal(plant.asks('ben', { feature: 'mill' }), 'denied seats');
    assert.equal(plant.asks('boss', { feature: 'five-axes' }), 'granted');
  });

  test('a seat that is reserved of a feature keeps nobody from another one of what is within it', () => {
    const features = [
      { name: 'mill', quantity: 2 },
      { name: 'five-axes', within: 'mill', quantity: 1 },
    ];
    const reserve = { rule: 'reserve', product: 'cad', feature: 'mill', seats: 1, for: { users: ['boss'] } };
    const plant = new Plant({ quantity: 9, features }, reserve);
    assert.equal(plant.asks('ada', { feature: 'five-axes' }), 'granted');
    assert.equal(plant.asks('ben', { feature: 'mill' }), 'denied seats');
    assert.equal(plant.asks('boss', { feature: 'mill' }), 'granted');
  });

  test('who waits does not get what is reserved for others, and those do not wait for him', () => {
    const plant = new Plant({ quantity: 2 }, { rule: 'reserve', product: 'cad', seats: 1, for: { users: ['boss'] } });
    assert.equal(plant.asks('ada'), 'granted');
    assert.equal(plant.asks('ben', {}, { waitMs: 30_000 }), 'queued');
    assert.equal(plant.asks('boss'), 'granted');
    assert.deepEqual(plant.gives('boss'), ['released']);
    assert.deepEqual(plant.gives('ada'), ['released', 'granted']);
  });

  test('rules that go free who waits', () => {
    const plant = new Plant({ quantity: 2 }, { rule: 'reserve', product: 'cad', seats: 1, for: { users: ['boss'] } });
    plant.asks('ada');
    assert.equal(plant.asks('ben', {}, { waitMs: 30_000 }), 'queued');
    const { one } = plant;
    assert.equal(one.rule([]).kind, 'ruled');
    assert.equal(one.ledger.licenses.get('cad-1')?.used, 2);
  });

  test('nobody is thrown out', () => {
    const plant = new Plant({ quantity: 2 });
    plant.asks('ada');
    plant.one.rule([{ rule: 'deny', product: 'cad', for: { users: ['ada'] } }]);
    const renewed = plant.one.do((plant.sessions.get('ada') as TestSession).renew());
    assert.equal(renewed.kind === 'renewed' && renewed.grants.length, 1);
  });

  test('stand in snapshots, with what they count', () => {
    const plant = new Plant({ quantity: 9 }, { rule: 'limit', product: 'cad', seats: 1, each: 'user' });
    plant.asks('ada');
    const { one } = plant;
    const records = new Map(
      recordNames(one.ledger).map((name) => [name, encodeRecord(one.ledger, name) as Uint8Array]),
    );
    const restored = new TestLedger(ledgerFromRecords(one.context, records));
    assert.ok(equalBytes(restored.root, one.root));
    assert.deepEqual(restored.ledger.policy?.counts, one.ledger.policy?.counts);
    const ask = (plant.sessions.get('ada') as TestSession).acquire();
    assert.deepEqual(restored.do(ask), one.do(ask));
  });
});

describe('rules are refused', () => {
  const refusal = (rules: readonly JsonObject[], more: JsonObject = {}): string => {
    const outcome = new Plant({ quantity: 1 }).one.rule(rules, more);
    return outcome.kind === 'refused' ? `${outcome.code}: ${outcome.detail}` : outcome.kind;
  };
  const rule = { rule: 'deny', product: 'cad', for: { users: ['x'] } };

  for (const [rules, more, expected] of [
    [[{ ...rule, rule: 'forbid' }], {}, 'bad-document: rules[0].rule is not one of allow, deny, reserve, limit'],
    [[rule, { ...rule, prodct: 'cad' }], {}, 'bad-document: unknown field "rules[1].prodct"'],
    [[{ ...rule, for: {} }], {}, 'bad-document: rules[0].for names nobody: give users, hosts, subnets or groups'],
    [
      [{ ...rule, for: { subnets: ['10.1.0.0/33'] } }],
      {},
      'bad-document: rules[0].for.subnets[0] is not a subnet like 10.1.0.0/16',
    ],
    [
      [{ ...rule, for: { groups: ['none'] } }],
      {},
      'bad-document: rules[0].for.groups[0] "none" is not a group of these rules',
    ],
    [[{ rule: 'reserve', product: 'cad', seats: 1 }], {}, 'bad-document: rules[0].for is missing: reserved for whom?'],
    [
      [{ rule: 'limit', product: 'cad', seats: -1 }],
      {},
      'bad-document: rules[0].seats is -1, allowed are 0 to 1000000000',
    ],
    [[], { version: 0 }, 'bad-document: version is 0, allowed are 1 to 4294967295'],
  ] as const)
    test(expected, () => assert.equal(refusal(rules, more), expected));

  test('by whoever is no admin, with an old version, and when they are stale', () => {
    const { one } = new Plant({ quantity: 1 }, rule);
    assert.equal(said(one.rule([rule], {}, seedKey('somebody'))), 'refused bad-signature');
    assert.equal(said(one.rule([rule], { version: 1 })), 'refused older-rules');
    assert.equal(one.ledger.policy?.version, 1);
  });
});

describe('taking a name off (PROTOCOL §5.17)', () => {
  const terms = { quantity: 1, counting: ['user'], named: { who: 'user', changes: 1, within: 'P30D' } };

  test('so often as the license allows, and not while he has a seat', () => {
    const plant = new Plant(terms);
    const { one } = plant;
    assert.equal(plant.asks('ada'), 'granted');
    assert.equal(plant.asks('ben'), 'denied named');
    assert.equal(said(one.unname('cad-1', 'ada')), 'refused in-use');
    plant.gives('ada');
    assert.equal(said(one.unname('cad-1', 'ben')), 'refused unknown-name');
    assert.equal(said(one.unname('cad-1', 'ada')), 'unnamed');
    assert.equal(plant.asks('ben'), 'granted');
    plant.gives('ben', 2);
    assert.equal(said(one.unname('cad-1', 'ben')), 'refused too-soon');
    const denied = one.do(TestSession.opened(one, 'cem').acquire());
    assert.equal(denied.kind === 'denied' && denied.at > one.ledger.utc, true);
    one.wait(30 * 86_400_000);
    assert.equal(said(one.unname('cad-1', 'ben')), 'unnamed');
  });
});
