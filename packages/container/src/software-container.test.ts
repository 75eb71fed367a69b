import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { publicKeyFault } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import * as fc from 'fast-check';
import {
  ContainerError,
  createSoftwareContainer,
  openSoftwareContainer,
  readPassphraseFile,
  rebindSoftwareContainer,
  seal,
} from './index.ts';
import { bytesOf, changed, SCRYPT_LOG_N, temporaryFile, TRAITS } from './test-container.ts';

const MESSAGE = Buffer.from('a vote');

for (const alg of ['ed25519', 'p256'] as const) {
  test(`${alg}: keys, serial and documents are the same after it is closed and opened`, async (t) => {
    const file = await temporaryFile(t);
    const { container } = await createSoftwareContainer({ file, alg, traits: TRAITS });
    const { serial, signingKey, sealingKey, kind } = container;
    assert.deepEqual([kind, serial.length, signingKey.alg, sealingKey.length], ['software', 16, alg, 32]);
    assert.equal(publicKeyFault(signingKey), undefined);
    assert.ok(nodeCrypto().verify(signingKey, MESSAGE, container.sign(MESSAGE)));
    await container.putConstituent({ license: 'cad', version: 1, document: 'ä.b.c' });
    await container[Symbol.asyncDispose]();

    await using again = await openSoftwareContainer({ file, traits: TRAITS });
    assert.deepEqual([again.serial, again.signingKey, again.sealingKey], [serial, signingKey, sealingKey]);
    assert.ok(nodeCrypto().verify(signingKey, MESSAGE, again.sign(MESSAGE)));
    assert.deepEqual(again.constituents, [{ license: 'cad', version: 1, document: 'ä.b.c' }]);
    const sealed = seal(sealingKey, Buffer.from('share'), Buffer.from('secret'));
    assert.equal(Buffer.from(await again.open(sealed, Buffer.from('share'))).toString(), 'secret');
    await assert.rejects(again.open(sealed, Buffer.from('other')), { code: 'cannot-open' });
  });
}

test('its files are 0600, hold no key or document in the clear, and the lock goes with it', async (t) => {
  const file = await temporaryFile(t);
  const { container } = await createSoftwareContainer({ file, traits: TRAITS });
  await container.putConstituent({ license: 'cad', version: 1, document: 'readable-document' });
  for (const name of await readdir(dirname(file))) {
    assert.equal((await stat(join(dirname(file), name))).mode & 0o777, 0o600, name);
  }
  assert.doesNotMatch((await readFile(file)).toString('latin1'), /readable-document|m1|u1/);
  await container[Symbol.asyncDispose]();
  assert.deepEqual((await readdir(dirname(file))).sort(), ['server-1.container', 'server-1.container.mark']);
});

test('a second opener is told who has it; closed, it does nothing more', async (t) => {
  const file = await temporaryFile(t);
  const { container } = await createSoftwareContainer({ file, traits: TRAITS });
  const message = `${file} is in use by process ${process.pid}.`;
  await assert.rejects(openSoftwareContainer({ file, traits: TRAITS }), { code: 'in-use', message });
  await container[Symbol.asyncDispose]();
  await container[Symbol.asyncDispose]();
  assert.throws(() => container.sign(MESSAGE), { code: 'closed' });
  assert.throws(() => container.raiseWatermark({ epoch: 1, index: 1 }), { code: 'closed' });
  await assert.rejects(container.putConstituent({ license: 'a', version: 1, document: '' }), { code: 'closed' });
  await using _again = await openSoftwareContainer({ file, traits: TRAITS });
});

test('documents: one for each license and version, replaced, removed, limited', async (t) => {
  const file = await temporaryFile(t);
  const { container } = await createSoftwareContainer({ file, traits: TRAITS });
  const put = (license: string, version: number, document: string): Promise<void> =>
    container.putConstituent({ license, version, document });
  await Promise.all([put('cad', 1, 'one'), put('cad', 2, 'two'), put('cam', 1, 'three'), put('cad', 2, 'TWO')]);
  await container.removeConstituent('cad', 1);
  await container.removeConstituent('cad', 9);
  await assert.rejects(put('big', 1, 'x'.repeat(256 * 1024 + 1)), { code: 'too-large' });
  await container[Symbol.asyncDispose]();
  await using again = await openSoftwareContainer({ file, traits: TRAITS });
  const texts = again.constituents.map(({ license, version, document }) => `${license} ${version} ${document}`);
  assert.deepEqual(texts.sort(), ['cad 2 TWO', 'cam 1 three']);
});

test('any one trait changed or gone: opens, and is bound to the traits as they are now', async (t) => {
  const file = await temporaryFile(t);
  const { container } = await createSoftwareContainer({ file, traits: TRAITS });
  await container[Symbol.asyncDispose]();
  for (const gone of [false, true]) {
    for (let place = 0; place < TRAITS.length; place++) {
      const traits = changed([place], gone);
      await (await openSoftwareContainer({ file, traits }))[Symbol.asyncDispose]();
      const renewed = await bytesOf(file);
      await (await openSoftwareContainer({ file, traits }))[Symbol.asyncDispose]();
      assert.equal(await bytesOf(file), renewed, 'nothing left to renew');
      await (await openSoftwareContainer({ file, traits: TRAITS }))[Symbol.asyncDispose]();
      if (gone) await restore(file, container.serial);
    }
  }
});

test('a machine may change altogether, one trait between two starts; then its old self is another machine', async (t) => {
  const file = await temporaryFile(t);
  await (await createSoftwareContainer({ file, traits: TRAITS })).container[Symbol.asyncDispose]();
  for (let count = 1; count <= TRAITS.length; count++) {
    const traits = changed(Array.from({ length: count }, (_, place) => place));
    await (await openSoftwareContainer({ file, traits }))[Symbol.asyncDispose]();
  }
  await assert.rejects(openSoftwareContainer({ file, traits: TRAITS }), { code: 'wrong-machine' });
});

/** A trait that is back is bound again only when another one changes: make one change and come back. */
async function restore(file: string, serial: Uint8Array): Promise<void> {
  for (const traits of [changed([2]), TRAITS]) {
    await using container = await openSoftwareContainer({ file, traits });
    assert.deepEqual(container.serial, serial);
  }
}

test('any two traits changed: refused, nothing altered, and it says which', async (t) => {
  const file = await temporaryFile(t);
  const { container } = await createSoftwareContainer({ file, traits: TRAITS });
  await container[Symbol.asyncDispose]();
  const before = await bytesOf(file);
  const places = fc.uniqueArray(fc.nat(TRAITS.length - 1), { minLength: 2 });
  await fc.assert(
    fc.asyncProperty(places, fc.boolean(), async (changes, gone) => {
      const traits = changed(changes, gone);
      const error: unknown = await openSoftwareContainer({ file, traits }).catch((reason: unknown) => reason);
      assert.ok(error instanceof ContainerError && error.code === 'wrong-machine');
      const { details } = error as ContainerError<'wrong-machine'>;
      assert.deepEqual(
        details.changed,
        TRAITS.filter((_, i) => changes.includes(i)).map(({ name }) => name),
      );
      assert.deepEqual(
        details.same,
        TRAITS.filter((_, i) => !changes.includes(i)).map(({ name }) => name),
      );
      assert.match(error.message, /changed.*recovery code/);
      assert.equal(await bytesOf(file), before);
    }),
    { numRuns: 100, seed: 1 },
  );
});

test('a trait that nobody can guess stays necessary when it is the only one; two traits are both needed', async (t) => {
  const weak = [TRAITS[0], TRAITS[2], TRAITS[4]].filter((trait) => trait !== undefined);
  const file = await temporaryFile(t);
  await (await createSoftwareContainer({ file, traits: weak })).container[Symbol.asyncDispose]();
  await assert.rejects(openSoftwareContainer({ file, traits: weak.slice(1) }), { code: 'wrong-machine' });
  await (await openSoftwareContainer({ file, traits: weak.slice(0, 2) }))[Symbol.asyncDispose]();
  await assert.rejects(openSoftwareContainer({ file, traits: weak.slice(0, 1) }), { code: 'wrong-machine' });
  await assert.rejects(createSoftwareContainer({ file: `${file}2`, traits: [] }), { code: 'no-traits' });
});

test('a passphrase: needed, checked, told apart from another machine', async (t) => {
  const file = await temporaryFile(t);
  const secret = join(dirname(file), 'passphrase');
  await writeFile(secret, 'correct horse\n', { mode: 0o600 });
  const passphrase = await readPassphraseFile(secret);
  assert.equal(Buffer.from(passphrase).toString(), 'correct horse');
  const options = { file, traits: TRAITS, passphrase, scryptLogN: SCRYPT_LOG_N };
  await (await createSoftwareContainer(options)).container[Symbol.asyncDispose]();
  const wrong = Buffer.from('battery staple');
  await assert.rejects(openSoftwareContainer({ file, traits: TRAITS }), { code: 'passphrase-needed' });
  for (const traits of [TRAITS, changed([1])]) {
    await assert.rejects(openSoftwareContainer({ file, traits, passphrase: wrong }), { code: 'wrong-passphrase' });
  }
  await assert.rejects(openSoftwareContainer({ file, traits: changed([0, 1]), passphrase }), { code: 'wrong-machine' });
  await (await openSoftwareContainer({ file, traits: changed([4]), passphrase }))[Symbol.asyncDispose]();

  const plain = `${file}.plain`;
  await (await createSoftwareContainer({ file: plain, traits: TRAITS })).container[Symbol.asyncDispose]();
  await assert.rejects(openSoftwareContainer({ file: plain, traits: TRAITS, passphrase }), {
    code: 'passphrase-not-used',
  });
  await writeFile(secret, '\n');
  await assert.rejects(readPassphraseFile(secret), { code: 'passphrase-invalid' });
  await chmod(secret, 0o640);
  await assert.rejects(readPassphraseFile(secret), { code: 'too-open' });
});

test('the recovery code binds it to any machine, once, and sets the passphrase anew', async (t) => {
  const file = await temporaryFile(t);
  const options = { file, traits: TRAITS, passphrase: Buffer.from('forgotten'), scryptLogN: SCRYPT_LOG_N };
  const created = await createSoftwareContainer(options);
  await created.container.putConstituent({ license: 'cad', version: 1, document: 'd' });
  await created.container[Symbol.asyncDispose]();
  assert.match(created.recoveryCode, /^([0-9A-Z]{4}-){6}[0-9A-Z]{4}$/);

  const moved = changed([0, 1, 2, 3, 4]);
  const typed = created.recoveryCode.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o');
  const mistyped = typed.replace(/^./, (first) => (first === 'a' ? 'b' : 'a'));
  await assert.rejects(rebindSoftwareContainer({ file, traits: moved, recoveryCode: mistyped }), {
    code: 'recovery-code-invalid',
  });
  const bound = await rebindSoftwareContainer({ file, traits: moved, recoveryCode: typed });
  assert.equal(bound.container.timesBound, 2);
  await bound.container[Symbol.asyncDispose]();

  await assert.rejects(openSoftwareContainer({ file, traits: TRAITS }), { code: 'wrong-machine' });
  await assert.rejects(rebindSoftwareContainer({ file, traits: moved, recoveryCode: typed }), {
    code: 'wrong-recovery-code',
  });
  await using again = await openSoftwareContainer({ file, traits: moved });
  assert.equal(again.constituents.length, 1);
});

test('what isn’t there, isn’t readable, isn’t a container, or is one already', async (t) => {
  const file = await temporaryFile(t);
  const open = (path: string): Promise<unknown> => openSoftwareContainer({ file: path, traits: TRAITS });
  await assert.rejects(open(file), { code: 'missing', message: `There is no container ${file}.` });
  await assert.rejects(open(join(dirname(file), 'no', 'such', 'folder')), { code: 'missing' });
  const { container } = await createSoftwareContainer({ file, traits: TRAITS });
  await container[Symbol.asyncDispose]();
  await assert.rejects(createSoftwareContainer({ file, traits: TRAITS }), { code: 'exists' });
  await chmod(file, 0o644);
  await assert.rejects(open(file), { code: 'too-open', message: /mode 0644.*chmod 600/ });
  const other = `${file}.txt`;
  await writeFile(other, 'hello', { mode: 0o600 });
  await assert.rejects(open(other), { code: 'not-a-container' });
  await mkdir(`${file}.folder`, { mode: 0o700 });
  await assert.rejects(open(`${file}.folder`), { code: 'unreadable', message: /it is a directory/ });
});

test('cut short or altered anywhere: refused with its reason, never opened', async (t) => {
  const file = await temporaryFile(t);
  const { container } = await createSoftwareContainer({ file, traits: TRAITS });
  await container.putConstituent({ license: 'cad', version: 1, document: 'd'.repeat(50) });
  await container[Symbol.asyncDispose]();
  const sound = await readFile(file);
  const codeOf = async (bytes: Uint8Array): Promise<string> => {
    await writeFile(file, bytes);
    const error: unknown = await openSoftwareContainer({ file, traits: TRAITS }).catch((reason: unknown) => reason);
    assert.ok(error instanceof ContainerError, 'opened');
    return error.code;
  };
  for (let length = 0; length < sound.length; length += 7)
    assert.equal(await codeOf(sound.subarray(0, length)), 'truncated');
  assert.equal(await codeOf(Buffer.concat([sound, Buffer.alloc(1)])), 'damaged');
  const seen = new Set<string>();
  for (let byte = 0; byte < sound.length; byte += 3) {
    const altered = Buffer.from(sound);
    altered[byte] = (altered[byte] ?? 0) ^ (1 << (byte % 8));
    seen.add(await codeOf(altered));
  }
  assert.deepEqual([...seen].sort(), ['damaged', 'not-a-container', 'other-version', 'truncated']);
  await writeFile(file, sound);
  await using _again = await openSoftwareContainer({ file, traits: TRAITS });
});

test('altered on purpose, with a right checksum: refused all the same', async (t) => {
  const file = await temporaryFile(t);
  const { container } = await createSoftwareContainer({ file, traits: TRAITS });
  await container[Symbol.asyncDispose]();
  const { encodeFile, decodeFile } = await import('./container-file.ts');
  const { headerBytes, box } = decodeFile(file, await readFile(file));
  for (let byte = 0; byte < headerBytes.length; byte += 5) {
    const altered = Uint8Array.from(headerBytes);
    altered[byte] = (altered[byte] ?? 0) ^ 1;
    await writeFile(file, encodeFile(altered, box));
    await assert.rejects(openSoftwareContainer({ file, traits: TRAITS }), { code: /^(damaged|wrong-machine)$/ });
  }
});

test('a copy of a container in use, as a backup takes it, opens elsewhere on the same machine', async (t) => {
  const file = await temporaryFile(t);
  await using container = (await createSoftwareContainer({ file, traits: TRAITS })).container;
  const copy = `${file}.copy`;
  await copyFile(file, copy);
  await copyFile(`${file}.mark`, `${copy}.mark`);
  await using opened = await openSoftwareContainer({ file: copy, traits: TRAITS });
  assert.deepEqual(opened.serial, container.serial);
});
