import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Accept,
  bytesKey,
  decodeAccept,
  encodeAccept,
  encodeCertificate,
  encodeOutcome,
  encodePromise,
  encodeRejoin,
  type LogPromise,
  type Member,
  type Rejoin,
} from '@trefoil/license';
import type { Application } from './application.ts';
import { World } from './world.ts';

/** A group before its first entry, of which only the checks hear something. */
class Case {
  readonly world = new World(1);

  constructor() {
    for (const server of Object.values(this.world.licenseServers)) server.up = true;
  }

  accept(change: Partial<Accept>): Uint8Array {
    const { set, configuration } = this.world.fixture;
    const time = { logTime: 0, utc: Date.UTC(2026, 10, 24) };
    const digests = { head: new Uint8Array(32), outcomesRoot: new Uint8Array(32), leafCount: 0 };
    return encodeAccept({
      set,
      configVersion: configuration.version,
      epoch: 2,
      index: 1,
      ...digests,
      ...time,
      ...change,
    });
  }

  signs(member: Member, statement: Uint8Array): void {
    const signature = this.world.fixture.containers[member - 1]?.sign(statement) as Uint8Array;
    this.world.checks.signatures.signs(this.world.licenseServers[member], { bytes: statement, signature });
  }

  votes(member: Member, change: Partial<Accept>): void {
    this.signs(member, this.accept(change));
  }

  promises(member: Member, change: Partial<LogPromise>): void {
    const { set, configuration } = this.world.fixture;
    const start = new Uint8Array(16);
    const log = { logEpoch: 0, lastIndex: 0, lastHead: new Uint8Array(32) };
    const incarnations = [start, start, start] as const;
    const own = {
      set,
      configVersion: configuration.version,
      epoch: 2,
      member,
      incarnations,
      nonce: new Uint8Array(16),
    };
    this.signs(member, encodePromise({ ...own, ...log, ...change }));
  }

  starts(member: Member, starts: Pick<Rejoin, 'replaces' | 'incarnation'>): void {
    const { set, configuration } = this.world.fixture;
    this.signs(member, encodeRejoin({ set, configVersion: configuration.version, member, ...starts }));
  }

  certified(change: Partial<Accept>): void {
    const statement = this.accept(change);
    const votes = ([1, 2] as const).map((member) => {
      const signature = this.world.fixture.containers[member - 1]?.sign(statement) as Uint8Array;
      return { member, signature };
    });
    this.world.checks.certified(encodeCertificate({ statement, votes }), decodeAccept(statement));
  }

  shows(name: string, ledger: object): void {
    const shown = { name, head: '', ledger: { index: 0, ...ledger } } as ReturnType<World['ledgers']>[number];
    this.world.ledgers = () => [shown];
  }

  uses(client: object): void {
    this.world.clients.push({ name: 'C1', ...client } as Application);
  }
}

type Three = [Uint8Array, Uint8Array, Uint8Array];

const COMMAND = new Uint8Array(32).fill(7);
const released = (hold: number): Uint8Array =>
  encodeOutcome({ kind: 'released', hold, commandHash: COMMAND, session: new Uint8Array(16), requestId: 2 });

/** What is done, and what the checks have to say of it: a check that can't be red is none. */
const WRONG: Readonly<Record<string, readonly [says: RegExp, done: (one: Case) => void]>> = {
  'who is down signs': [
    /^9\.10 L1 signs and is down/,
    (one) => {
      one.world.licenseServers[1].up = false;
      one.votes(1, {});
    },
  ],
  'two votes for one place': [
    /^9\.4 two votes of L1 in epoch 2 for entry 1/,
    (one) => {
      one.votes(1, {});
      one.votes(1, { logTime: 1 });
    },
  ],
  'a vote below a promise': [
    /^9\.4 L2 votes in epoch 2, below its promise of 4/,
    (one) => {
      one.promises(2, { epoch: 4 });
      one.votes(2, { epoch: 2 });
    },
  ],
  'a promise below a promise': [
    /^9\.4 L2 promises epoch 2 after 4/,
    (one) => {
      one.promises(2, { epoch: 4 });
      one.promises(2, { epoch: 2 });
    },
  ],
  'two promises for one epoch': [
    /^9\.4 two promises of L3 for epoch 2/,
    (one) => {
      one.promises(3, {});
      one.promises(3, { nonce: new Uint8Array(16).fill(1) });
    },
  ],
  'who has forgotten promises twice in one life': [
    /^9\.4 L3 promises epoch 2 once more since it was started/,
    (one) => {
      one.world.checks.signatures.mayForget(one.world.licenseServers[3]);
      one.promises(3, {});
      one.promises(3, { nonce: new Uint8Array(16).fill(1) });
    },
  ],
  'a promise that hides a vote': [
    /^9\.4 L1 promises epoch 4 and hides its vote for entry 1/,
    (one) => {
      one.votes(1, {});
      one.promises(1, { epoch: 4 });
    },
  ],
  'a log that is set aside, and nothing happened to it': [
    /^8 the log of L1 is suspect without a reason/,
    (one) => one.world.checks.signatures.setAside(one.world.licenseServers[1], 'just so'),
  ],
  'a vote with a suspect log': [
    /^7\.3 L1 votes for entry 1 with a suspect log/,
    (one) => {
      one.world.checks.signatures.mayForget(one.world.licenseServers[1]);
      one.world.checks.signatures.setAside(one.world.licenseServers[1], 'an old copy');
      one.votes(1, {});
    },
  ],
  'two certified entries at one index': [
    /^9\.3 two certified entries 1/,
    (one) => {
      one.certified({});
      one.certified({ epoch: 4, head: new Uint8Array(32).fill(1) });
    },
  ],
  'an entry that honest servers refuse to execute': [
    /^9\.7 an entry is refused: ledger-root/,
    (one) => one.world.checks.refused('ledger-root', 1),
  ],
  'two outcomes of one command': [
    /^9\.6 two outcomes of one command/,
    (one) => {
      one.world.checks.answered(COMMAND, released(1), 1);
      one.world.checks.answered(COMMAND, released(2), 1);
    },
  ],
  'units that an application was told it has not consumed': [
    /^9\.6 2 units are consumed in the ledger of L1; applications know of 0, and perhaps 1/,
    (one) => {
      one.uses({ unitsTold: new Map(), unitsOpen: new Map([['units', 1]]) });
      one.shows('L1', { licenses: new Map([['units-1', { license: { product: 'units' }, consumed: 2 }]]) });
      one.world.checks.atTheEnd();
    },
  ],
  'what was told is not in the log': [
    /^9\.5 what a client was told is not in the log: released/,
    (one) => one.world.commitOrder.check('', new Map(), new Map([[bytesKey(COMMAND), released(1)]])),
  ],
  'more seats in use than were sold': [
    /^9\.1 4 seats of hot-1 are in use, 3 were sold/,
    (one) => {
      one.world.mostSold.set('hot-1', 3);
      one.uses({ seatsInUse: () => [{ license: 'hot-1', seats: 4 }] });
      one.world.checks.count();
    },
  ],
  'who is up lags in the end': [/^9\.13 only 0 servers have all/, (one) => one.world.checks.atTheEnd()],
  'log time runs ahead of true time': [
    /^9\.12 log time has gained 10000/,
    (one) => {
      one.certified({});
      one.certified({ index: 2, logTime: 10_000 });
      one.world.checks.atTheEnd();
    },
  ],
  'an old start is named again': [
    /^11\.4 L2 names an old start of L1/,
    (one) => {
      const [none, first, second] = [0, 1, 2].map((fill) => new Uint8Array(16).fill(fill)) as Three;
      one.starts(1, { replaces: none, incarnation: first });
      one.starts(1, { replaces: first, incarnation: second });
      for (const member of [2, 3] as const) one.promises(member, { incarnations: [second, none, none] });
      one.promises(2, { epoch: 4, incarnations: [first, none, none] });
    },
  ],
};

for (const [what, [says, done]] of Object.entries(WRONG))
  test(`the checks say so: ${what}`, () => {
    const one = new Case();
    done(one);
    assert.ok(
      one.world.checks.faults.some((fault) => says.test(fault)),
      one.world.checks.faults.join('\n'),
    );
  });

test('of an orderly course they say nothing', () => {
  const one = new Case();
  for (const member of [1, 2, 3] as const) one.promises(member, {});
  for (const member of [1, 2, 3] as const) one.votes(member, {});
  one.certified({});
  one.votes(1, {});
  one.promises(1, { epoch: 4, logEpoch: 2, lastIndex: 1 });
  one.world.checks.answered(COMMAND, released(1), 1);
  one.world.checks.answered(COMMAND, released(1), 1);
  one.world.checks.count();
  assert.deepEqual(one.world.checks.faults, []);
});

test('beside a clone two entries may be certified at one index, in two epochs, and seen again', () => {
  const one = new Case();
  one.world.cloned = 1;
  const [first, second] = [{ epoch: 2 }, { epoch: 5, head: new Uint8Array(32).fill(1) }];
  for (const certificate of [first, second, first, second]) one.certified(certificate);
  assert.deepEqual(one.world.checks.faults, []);
  one.certified({ epoch: 2, head: new Uint8Array(32).fill(2) });
  assert.match(one.world.checks.faults.join(), /^9\.3 two certified entries 1/);
});
