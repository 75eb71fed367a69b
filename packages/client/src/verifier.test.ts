import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Configuration, encodeOutcome, verifyReconfiguration } from '@trefoil/license';
import { certifyOutcome, fixture } from '@trefoil/license/fixtures';
import { Verifier } from './verifier.ts';

test('a certificate of one set proves nothing in another of the same vendor, whoever has seen it before', () => {
  const one = fixture('acme');
  const other: Configuration = { ...one.configuration, set: new Uint8Array(16).fill(7) };
  const commandHash = one.crypto.sha256(new Uint8Array(3));
  const refused = { kind: 'refused', code: 'unknown-session', detail: '' } as const;
  const outcome = encodeOutcome({ ...refused, commandHash, session: new Uint8Array(16), requestId: 2 });
  const shown = certifyOutcome(one, outcome) as never;
  const verifier = new Verifier(one.root.publicKey, one.crypto);
  for (const seenBefore of [false, true]) {
    assert.throws(() => verifier.answer(other, shown, commandHash), { code: 'wrong-set' }, `${seenBefore}`);
    assert.equal(verifier.answer(one.configuration, shown, commandHash).kind, 'refused');
  }
});

test('who has seen a configuration takes no earlier one of its set any more (PROTOCOL §4.9)', () => {
  const one = fixture('acme');
  const verifier = new Verifier(one.root.publicKey, one.crypto);
  const { issuingKey, configuration } = one;
  const change = one.reconfiguration({ version: 2, generations: [0, 0, 1] });
  const { configuration: next } = verifyReconfiguration(one.crypto, one.root.publicKey, change);
  assert.equal(verifier.documents(issuingKey.text, configuration.text).configuration.version, 1);
  assert.equal(verifier.documents(issuingKey.text, next.text).configuration.version, 2);
  for (const _ of ['new to it', 'seen before'])
    assert.throws(() => verifier.documents(issuingKey.text, configuration.text), {
      code: 'not-trusted',
      message: /version 1 of the configuration, which version 2 has replaced/,
    });
  assert.equal(verifier.documents(issuingKey.text, next.text).configuration.version, 2);
});
