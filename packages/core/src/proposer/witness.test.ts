import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeAccept, encodePromise, LicenseError } from '@trefoil/license';
import { fixture } from '@trefoil/license/fixtures';
import { newProposer } from './state.ts';
import { encodeWitness, takeWitness } from './witness.ts';

const f = fixture();
const { crypto, root, configuration, group, issuingKey } = f;
const context = { crypto, vendorRoot: root.publicKey, configuration, group, issuingKey: issuingKey.text };
const fresh = () =>
  newProposer({ context, id: 'A', key: f.tmrKeys.A, random: (n) => new Uint8Array(n) }, { monotonicMs: 0, wallMs: 0 });
const head = new Uint8Array(32);
const nothing = new Uint8Array(16);
const vote = (index: number) =>
  encodeAccept({
    set: f.set,
    configVersion: 1,
    epoch: 2,
    index,
    head,
    outcomesRoot: head,
    leafCount: 0,
    logTime: 0,
    utc: 0,
  });

test('a witness keeps the newest votes and promises over a restart, and believes only real ones', () => {
  const before = fresh();
  const [bytes, forged] = [vote(7), vote(9)];
  before.members[1].vote = { bytes, signature: (f.containers[0] as (typeof f.containers)[0]).sign(bytes) };
  const promise = encodePromise({
    ...{ set: f.set, configVersion: 1, epoch: 4, member: 3, logEpoch: 2, lastIndex: 7, lastHead: head },
    ...{ incarnations: [nothing, nothing, nothing], nonce: nothing },
  });
  before.members[3].promise = {
    bytes: promise,
    signature: (f.containers[2] as (typeof f.containers)[0]).sign(promise),
  };
  before.members[2].vote = { bytes: forged, signature: new Uint8Array(64) };
  const after = fresh();
  takeWitness(after, encodeWitness(before));
  assert.equal(after.members[1].votedIndex, 7);
  assert.equal(after.members[2].vote, undefined);
  assert.equal(after.members[3].promisedEpoch, 4);
});

test('what is no witness file is refused', () => {
  assert.throws(() => takeWitness(fresh(), new Uint8Array(40)), LicenseError);
  assert.throws(() => takeWitness(fresh(), new Uint8Array([...encodeWitness(fresh()), 0])), LicenseError);
});
