import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixture } from './fixtures.ts';
import {
  type Accept,
  encodeAccept,
  encodeCertificate,
  decodeCertificate,
  encodePromise,
  encodePropose,
  type FraudProof,
  LicenseError,
  type LogPromise,
  type Member,
  verifyFraudProof,
} from './index.ts';

const acme = fixture();
const { crypto, configuration, group, set, containers, tmrKeys } = acme;
const head = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const start = (fill: number): Uint8Array => new Uint8Array(16).fill(fill);

function signed(member: Member, bytes: Uint8Array): { bytes: Uint8Array; signature: Uint8Array } {
  return { bytes, signature: containers[member - 1]?.sign(bytes) as Uint8Array };
}

function vote(member: Member, change: Partial<Accept> = {}) {
  const accept = { set, configVersion: 1, epoch: 4, index: 9, head: head(1), outcomesRoot: head(2), leafCount: 0 };
  return signed(member, encodeAccept({ ...accept, logTime: 5, utc: 6, ...change }));
}

function promise(member: Member, change: Partial<LogPromise> = {}) {
  const own = { set, configVersion: 1, epoch: 2, member, logEpoch: 0, lastIndex: 0, lastHead: head(0) };
  const incarnations = [start(1), start(2), start(3)] as const;
  return signed(member, encodePromise({ ...own, incarnations, nonce: new Uint8Array(16), ...change }));
}

function proposal(key: 'A' | 'B', epoch: number, index: number, fill: number) {
  const bytes = encodePropose({ set, configVersion: 1, epoch, index, head: head(fill) });
  return { epoch, index, head: head(fill), signature: tmrKeys[key].sign(bytes) };
}

function certificate(fill: number, index = 9) {
  const [a, b] = [vote(1, { head: head(fill), index }), vote(2, { head: head(fill), index })];
  const votes = [
    { member: 1 as Member, signature: a.signature },
    { member: 2 as Member, signature: b.signature },
  ];
  return decodeCertificate(encodeCertificate({ statement: a.bytes, votes }));
}

const verify = (proof: FraudProof): string => verifyFraudProof(crypto, { configuration, group }, proof);
const proves = (proof: FraudProof, culprit: string): void => assert.equal(verify(proof), culprit);
const provesNothing = (proof: FraudProof, code: string): void =>
  assert.throws(
    () => verify(proof),
    (error) => error instanceof LicenseError && error.code === code,
  );

test('two votes at one place convict; the same twice, or in two epochs, do not', () => {
  const two = (other: Partial<Accept>): FraudProof => ({
    kind: 'two-votes',
    member: 2,
    votes: [vote(2), vote(2, other)],
  });
  proves(two({ outcomesRoot: head(7) }), 'license server 2');
  proves(two({ head: head(7) }), 'license server 2');
  provesNothing(two({}), 'not-fraud');
  provesNothing(two({ epoch: 6, head: head(7) }), 'not-fraud');
  provesNothing(two({ index: 10, head: head(7) }), 'not-fraud');
  provesNothing(two({ set: start(9), head: head(7) }), 'wrong-set');
  provesNothing(two({ configVersion: 2, head: head(7) }), 'wrong-configuration');
  provesNothing({ kind: 'two-votes', member: 2, votes: [vote(2), vote(1, { head: head(7) })] }, 'bad-signature');
  provesNothing(
    { kind: 'two-votes', member: 4 as Member, votes: [vote(2), vote(2, { head: head(7) })] },
    'not-a-member',
  );
});

test('a vote that a later promise of the same start does not admit convicts', () => {
  const denied = (after: Partial<LogPromise>, before: Partial<LogPromise> = {}): FraudProof => ({
    ...({ kind: 'denied-vote', member: 3, vote: vote(3) } as const),
    before: promise(3, before),
    after: promise(3, { epoch: 5, ...after }),
  });
  proves(denied({ logEpoch: 4, lastIndex: 8 }), 'license server 3');
  proves(denied({ logEpoch: 2, lastIndex: 9 }), 'license server 3');
  provesNothing(denied({ logEpoch: 4, lastIndex: 9 }), 'not-fraud');
  provesNothing(denied({ logEpoch: 5, lastIndex: 3 }), 'not-fraud');
  const anew = [start(1), start(2), start(9)] as const;
  provesNothing(denied({ incarnations: anew }), 'not-fraud'); // rolled back, and re-joined as it must
  provesNothing(denied({}, { epoch: 5 }), 'not-fraud');
  provesNothing(denied({ epoch: 4 }), 'not-fraud');
  proves(denied({ logEpoch: 4, lastIndex: 8 }, { epoch: 4 }), 'license server 3'); // promised, then voted, in one epoch
  const other = { member: 1 } as const;
  provesNothing(denied({ logEpoch: 4, lastIndex: 8, ...other }), 'not-fraud');
  provesNothing(denied({ logEpoch: 4, lastIndex: 8 }, other), 'not-fraud');
  provesNothing(denied({ logEpoch: 4, lastIndex: 8, ...other }, other), 'not-fraud');
  provesNothing(denied({ set: start(9) }), 'wrong-set');
  provesNothing(denied({}, { configVersion: 2 }), 'wrong-configuration');
  provesNothing({ ...denied({}), member: 1 } as FraudProof, 'bad-signature');
});

test('two proposals at one place convict the owner of the epoch', () => {
  const two = (a: ReturnType<typeof proposal>, b: typeof a): FraudProof => ({
    kind: 'two-proposals',
    proposals: [a, b],
  });
  proves(two(proposal('A', 4, 9, 1), proposal('A', 4, 9, 2)), 'TMR server A');
  proves(two(proposal('B', 5, 9, 1), proposal('B', 5, 9, 2)), 'TMR server B');
  provesNothing(two(proposal('A', 4, 9, 1), proposal('A', 4, 9, 1)), 'not-fraud');
  provesNothing(two(proposal('A', 4, 9, 1), proposal('A', 6, 9, 2)), 'not-fraud');
  provesNothing(two(proposal('A', 4, 9, 1), proposal('A', 4, 10, 2)), 'not-fraud');
  provesNothing(two(proposal('B', 4, 9, 1), proposal('B', 4, 9, 2)), 'bad-signature'); // an epoch of the other
});

test('two certificates for one index convict the set', () => {
  proves({ kind: 'fork', certificates: [certificate(1), certificate(2)] }, 'the container set');
  provesNothing({ kind: 'fork', certificates: [certificate(1), certificate(1)] }, 'not-fraud');
  provesNothing({ kind: 'fork', certificates: [certificate(1), certificate(2, 10)] }, 'not-fraud');
});
