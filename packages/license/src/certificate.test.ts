import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concatBytes } from './bytes.ts';
import { type Certificate, decodeCertificate, encodeCertificate, verifyCertificate, type Vote } from './certificate.ts';
import type { SigningKey } from './crypto.ts';
import { fixture, seedKey } from './fixtures.ts';
import { type Accept, decodeAccept, encodeAccept, type Member, TAGS } from './statements.ts';

const one = fixture();
const refused = (code: string, message?: RegExp) => ({ name: 'LicenseError', code, ...(message && { message }) });

const accept: Accept = {
  set: Uint8Array.from(one.set),
  configVersion: 1,
  epoch: 14,
  index: 42,
  head: new Uint8Array(32).fill(1),
  outcomesRoot: new Uint8Array(32).fill(2),
  leafCount: 3,
  logTime: 1_000,
  utc: 1_800_000_000_000,
};

const statementOf = (changes: Partial<Accept> = {}): Uint8Array => encodeAccept({ ...accept, ...changes });

function vote(member: number, statement: Uint8Array, key = one.containers[member - 1] as SigningKey): Vote {
  return { member: member as Member, signature: key.sign(statement) };
}

function certificate(members: readonly number[], statement = statementOf()): Certificate {
  return { statement, votes: members.map((member) => vote(member, statement)) };
}

const verify = (shown: Certificate) =>
  verifyCertificate(one.crypto, one.configuration, decodeCertificate(encodeCertificate(shown)));

describe('a certificate', () => {
  test('is two votes of three, whichever', () => {
    for (const members of [
      [1, 2],
      [1, 3],
      [2, 3],
      [1, 2, 3],
    ])
      assert.equal(verify(certificate(members)).index, 42);
  });

  test('is not one vote, whosever', () => {
    for (const member of [1, 2, 3])
      assert.throws(
        () => verify(certificate([member])),
        refused('not-enough-votes', /1 of 2 votes: one constituent alone/),
      );
    assert.throws(() => verify(certificate([])), refused('malformed', /0 votes/));
  });

  test('is not one vote shown twice, also if nobody encoded it', () => {
    assert.throws(() => verify(certificate([1, 1])), refused('not-enough-votes', /listed twice or out of order/));
    assert.throws(() => verify(certificate([2, 2, 3])), refused('not-enough-votes'));
    assert.throws(
      () => verifyCertificate(one.crypto, one.configuration, certificate([1, 1])),
      refused('not-enough-votes', /listed twice/),
    );
  });

  test('is not one vote under two names', () => {
    const statement = statementOf();
    const again = vote(2, statement, one.containers[0]);
    assert.throws(
      () => verify({ statement, votes: [vote(1, statement), again] }),
      refused('bad-signature', /license server 2/),
    );
  });

  test('has one encoding: votes in ascending order', () => {
    assert.throws(() => verify(certificate([3, 1])), refused('not-enough-votes', /out of order/));
  });

  test('has no vote of a stranger', () => {
    const statement = statementOf();
    const stranger = vote(2, statement, seedKey('stranger'));
    assert.throws(() => verify({ statement, votes: [vote(1, statement), stranger] }), refused('bad-signature'));
    assert.throws(
      () => verify({ statement, votes: [vote(0, statement, seedKey('x')), vote(1, statement)] }),
      refused('malformed', /no member 0/),
    );
    assert.throws(
      () => verify({ statement, votes: [vote(1, statement), vote(4, statement, seedKey('x'))] }),
      refused('malformed'),
    );
  });

  test('under threshold 1 has one member', () => {
    const single = fixture('single', 1);
    const statement = encodeAccept({ ...accept, set: single.set });
    const votes = [vote(1, statement, single.containers[0])];
    const shown = (more: Vote[]) =>
      verifyCertificate(single.crypto, single.configuration, { statement, votes: [...votes, ...more] });
    assert.equal(shown([]).index, 42);
    assert.throws(() => shown([vote(2, statement)]), refused('not-a-member', /member 2/));
  });

  test('has no bad vote beside two good ones', () => {
    const statement = statementOf();
    const votes = [vote(1, statement), vote(2, statement), vote(3, statement, seedKey('stranger'))];
    assert.throws(() => verify({ statement, votes }), refused('bad-signature', /license server 3/));
  });

  test('is for one set and one configuration', () => {
    const other = statementOf({ set: new Uint8Array(16).fill(1) });
    assert.throws(() => verify(certificate([1, 2], other)), refused('wrong-set'));
    const next = statementOf({ configVersion: 2 });
    assert.throws(() => verify(certificate([1, 2], next)), refused('wrong-configuration', /version 2, not 1/));
  });

  test('is for identical bytes: votes for another epoch, index, head, time or root do not add up', () => {
    const changes: Partial<Accept>[] = [
      { epoch: 15 },
      { index: 43 },
      { head: new Uint8Array(32) },
      { outcomesRoot: new Uint8Array(32) },
      { leafCount: 4 },
      { logTime: 1_001 },
      { utc: accept.utc + 1 },
      { configVersion: 2 },
    ];
    const statement = statementOf();
    for (const change of changes) {
      const votes = [vote(1, statement), vote(2, statementOf(change))];
      assert.throws(() => verify({ statement, votes }), refused('bad-signature', /license server 2/));
    }
  });

  test('is under the tag of votes', () => {
    const promise = concatBytes(TAGS.promise, statementOf().subarray(16));
    assert.throws(() => verify(certificate([1, 2], promise)), refused('malformed', /wrong tag/));
  });

  test('is refused when cut, extended, or altered in any byte', () => {
    const bytes = encodeCertificate(certificate([1, 3]));
    const open = (input: Uint8Array) => verifyCertificate(one.crypto, one.configuration, decodeCertificate(input));
    open(bytes);
    for (let length = 0; length < bytes.length; length++)
      assert.throws(() => open(bytes.subarray(0, length)), { name: 'LicenseError' });
    assert.throws(() => open(concatBytes(bytes, new Uint8Array(1))), refused('malformed'));
    for (let i = 0; i < bytes.length; i++)
      assert.throws(() => open(bytes.with(i, (bytes[i] as number) ^ 0x10)), { name: 'LicenseError' }, `byte ${i}`);
  });

  test('is written as it was read', () => {
    const bytes = encodeCertificate(certificate([1, 2, 3]));
    assert.deepEqual(encodeCertificate(decodeCertificate(bytes)), bytes);
    assert.deepEqual(decodeAccept(statementOf()), accept);
  });
});
