import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Outcome, verifyReconfiguration } from '@trefoil/license';
import { fixture, type ReconfigurationOptions } from '@trefoil/license/fixtures';
import { applyEntry } from '../apply.ts';
import { configurationFor, encodeConfigurations, newestConfiguration } from '../configurations.ts';
import { encodeRecord, ledgerFromRecords, recordNames } from '../records.ts';
import { LedgerRoot } from '../root.ts';
import { TestLedger, TestSession } from '../test-ledger.ts';

/** A group that has two licenses, and what the vendor says of its containers. */
class Reconfigured extends TestLedger {
  readonly cad = this.fixture.license({ terms: { quantity: 2 } });
  readonly cam = this.fixture.license({ id: 'cam-1', product: 'cam', tmrId: 2 });

  constructor() {
    super();
    this.do({ kind: 'update', document: this.fixture.update([this.cad, this.cam]) });
  }

  document(options: Partial<ReconfigurationOptions> = {}): string {
    const licenses = [this.cad, this.cam];
    return this.fixture.reconfiguration({ version: 2, generations: [0, 0, 1], licenses, member: 3, ...options });
  }

  change(options: Partial<ReconfigurationOptions> = {}): Outcome {
    return this.do({ kind: 'reconfigure', document: this.document(options) });
  }
}

const said = (outcome: Outcome): string =>
  outcome.kind === 'refused' ? `${outcome.code}: ${outcome.detail}` : outcome.kind;

describe('a new version of the configuration (PROTOCOL §4.9)', () => {
  test('is in force behind the entry that brings it', () => {
    const one = new Reconfigured();
    const outcome = one.change();
    assert.ok(outcome.kind === 'reconfigured');
    assert.deepEqual([outcome.version, outcome.member], [2, 3]);
    const { index } = one.ledger;
    assert.equal(configurationFor(one.ledger, index).version, 1);
    assert.equal(configurationFor(one.ledger, index + 1).version, 2);
    assert.equal(configurationFor(one.ledger, 0).version, 1);
  });

  test('brings the new container what it needs; updates are for it from then on', () => {
    const one = new Reconfigured();
    one.change();
    const serials = one.ledger.licenses.get('cam-1')?.constituents.map(({ serial }) => serial[0]);
    assert.deepEqual(serials, [1, 2, 19]);
    const next = one.fixture.license({ version: 2 });
    const update = (generations: number[]): string =>
      said(one.do({ kind: 'update', document: one.fixture.update([next], 9, generations) }));
    assert.match(update([]), /^bad-document: the constituent of cad-1 for container 3 does not fit/);
    assert.equal(update([0, 0, 1]), 'updated');
  });

  test('changes nothing for who has a seat', () => {
    const one = new Reconfigured();
    const alice = TestSession.opened(one, 'alice');
    assert.equal(one.do(alice.acquire()).kind, 'granted');
    one.change();
    assert.equal(one.do(alice.renew()).kind, 'renewed');
    assert.equal(one.ledger.licenses.get('cad-1')?.used, 1);
  });

  test('renews a configuration that ends, with the same containers', () => {
    const one = new Reconfigured();
    const outcome = one.change({ generations: [0, 0, 0], expires: '2030-01-01T00:00:00Z', licenses: [] });
    assert.ok(outcome.kind === 'reconfigured');
    assert.equal(outcome.member, 0);
    assert.equal(newestConfiguration(one.ledger).expires, Date.UTC(2030, 0, 1));
  });

  test('is one, however often it is sent', () => {
    const one = new Reconfigured();
    assert.deepEqual(one.change(), one.change());
    one.wait(11 * 60_000);
    assert.match(said(one.change()), /^older-configuration: version 2; in force is 2$/);
    assert.equal(one.ledger.configurations.length, 2);
  });

  test('is refused with the reason', () => {
    const one = new Reconfigured();
    const refusal = (options: Partial<ReconfigurationOptions>): string => said(one.change(options));
    assert.match(refusal({ version: 3 }), /^bad-document: version 3 does not follow version 1/);
    assert.match(refusal({ version: 1 }), /^older-configuration: version 1; in force is 1$/);
    assert.match(refusal({ generations: [0, 1, 1] }), /more than one container/);
    assert.match(refusal({ licenses: [one.cad] }), /no constituent of cam-1 version 1 that fits/);
    assert.match(refusal({ member: 2 }), /no constituent of cad-1 version 1 that fits/);
    assert.match(refusal({ expires: '2026-11-02T00:00:00Z' }), /it ended on 2026-11-02/);
    assert.match(refusal({ set: new Uint8Array(16) }), /^wrong-group/);
    assert.match(said(one.do({ kind: 'reconfigure', document: 'x' })), /^bad-document/);
    const other = fixture('other').reconfiguration({ version: 2, generations: [0, 0, 1] });
    assert.match(said(one.do({ kind: 'reconfigure', document: other })), /^bad-document/);
    assert.equal(one.ledger.configurations.length, 1);
  });

  test('a container that was in the set never comes back', () => {
    const one = new Reconfigured();
    one.change();
    assert.match(said(one.change({ version: 3, generations: [0, 0, 0] })), /has been in this set before/);
    assert.equal(one.change({ version: 3, generations: [0, 0, 2] }).kind, 'reconfigured');
  });

  test('an entry brings one at most', () => {
    const one = new Reconfigured();
    const documents = [one.document(), one.document({ version: 3, generations: [0, 0, 2] })];
    const outcomes = one.apply(documents.map((document) => ({ kind: 'reconfigure', document })));
    assert.deepEqual(outcomes.map(said), [
      'reconfigured',
      'bad-document: the configuration has changed in this moment',
    ]);
  });

  test('of one container has nobody to vouch for another', () => {
    const single = fixture('single', 1);
    const { crypto, root, configuration, group, issuingKey } = single;
    const one = new TestLedger();
    Object.assign(one.ledger, {
      context: { crypto, vendorRoot: root.publicKey, configuration, group, issuingKey: issuingKey.text },
      configurations: [{ configuration, since: 0 }],
    });
    const document = single.reconfiguration({ version: 2, generations: [1] });
    assert.match(said(one.do({ kind: 'reconfigure', document })), /nobody to vouch/);
  });

  test('is refused alike, in whatever order the licenses came into the ledger', () => {
    const one = new Reconfigured();
    const turned = new Reconfigured();
    const { licenses } = turned.ledger;
    const all = [...licenses].toReversed();
    licenses.clear();
    for (const [id, state] of all) licenses.set(id, state);
    assert.deepEqual(turned.change({ licenses: [] }), one.change({ licenses: [] }));
  });

  test('is taken back with its entry', () => {
    const one = new Reconfigured();
    const { root } = one;
    applyEntry(one.ledger, one.entry([{ kind: 'reconfigure', document: one.document() }]));
    assert.equal(one.ledger.configurations.length, 2);
    one.ledger.journal.undoTo(0);
    assert.deepEqual(one.root, root);
    assert.equal(one.ledger.configurations.length, 1);
  });

  test('stands in snapshots, verified anew', () => {
    const one = new Reconfigured();
    one.change();
    const records = new Map(
      recordNames(one.ledger).map((name) => [name, encodeRecord(one.ledger, name) as Uint8Array]),
    );
    const again = ledgerFromRecords(one.context, records);
    assert.deepEqual(again.configurations, one.ledger.configurations);
    assert.deepEqual(LedgerRoot.of(again).current(again), one.root);
    const other = fixture('other').reconfiguration({ version: 2, generations: [0, 0, 1] });
    const foreign = verifyReconfiguration(one.fixture.crypto, fixture('other').root.publicKey, other).configuration;
    const [first] = one.ledger.configurations;
    const forged = encodeConfigurations({
      configurations: [first as typeof first & {}, { configuration: foreign, since: 3 }],
    });
    assert.throws(() => ledgerFromRecords(one.context, new Map([...records, ['K', forged]])), { name: 'LicenseError' });
  });
});
