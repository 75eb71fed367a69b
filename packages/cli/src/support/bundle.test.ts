import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { readAnswers } from '../init/answers.ts';
import { makeGroup } from '../init/make-group.ts';
import { createKey } from '@trefoil/vendor';
import { toBase64url } from '@trefoil/license';
import { redacted, supportFiles, writeSupportBundle } from './bundle.ts';

describe('a support bundle', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'trefoil-support-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('has what helps, and of no file of a host its secrets', async () => {
    const answers = readAnswers(undefined, {
      group: 'plant-7',
      licenseServers: ['a', 'b', 'c'],
      tmrServers: ['10.0.0.4', '10.0.0.5'],
      virtualIp: '10.0.0.10/24',
    });
    const group = await makeGroup(answers, toBase64url(createKey().publicKey.bytes));
    const secrets: string[] = [];
    for (const { path, text, secret } of group.hosts.flatMap(({ files }) => files)) {
      if (!path.startsWith('/etc/trefoil/')) continue;
      await writeFile(join(folder, path.slice('/etc/trefoil/'.length)), text);
      // The first line behind the heading: further down stands the public half, which certificates have, too.
      if (secret) secrets.push(text.split('\n').find((line) => !line.startsWith('-----')) ?? '');
    }
    await writeFile(join(folder, 'container.tfc'), 'what a container has');
    await writeFile(join(folder, 'passphrase.txt'), 'correct horse');
    const files = await supportFiles(folder, [
      ['words.txt', ['echo', 'hello', 'token: abc123']],
      ['missing.txt', ['no-such-program-here']],
      ['failed.txt', ['sh', '-c', 'echo found; exit 1']],
    ]);
    const text = files.map((one) => one.text).join('');
    assert.ok(secrets.length >= 6, `${secrets.length}`);
    for (const secret of [...secrets, 'what a container has', 'correct horse', 'abc123'])
      assert.ok(!text.includes(secret), secret);
    const said = new Map(files.map((one) => [one.name, one.text]));
    assert.match(said.get('etc/tmr-server.yaml') ?? '', /server: [AB]/);
    assert.match(said.get('etc/group.jws') ?? '', /^ey/);
    assert.match(
      said.get('etc/tmr.key.txt') ?? '',
      /^left out: it may be a secret\. 44 bytes, SHA-256 [0-9a-f]{16}…\n$/,
    );
    assert.equal(said.get('words.txt'), 'hello token: [left out]\n');
    assert.match(said.get('missing.txt') ?? '', /^not to be had/);
    assert.equal(said.get('failed.txt'), 'found\n');
    const output = join(folder, 'support.tar.gz');
    await writeSupportBundle(output, files);
    assert.equal((await stat(output)).mode & 0o777, 0o600);
    assert.ok(gunzipSync(await readFile(output)).includes('trefoil-support/words.txt'));
  });

  test('leaves keys out wherever they stand, and keeps the rest', () => {
    const key = '-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----';
    assert.equal(redacted(`a\n${key}\nb`), 'a\n[a private key, left out]\nb');
    assert.equal(redacted('a -----BEGIN PRIVATE KEY-----\nMHc'), 'a [a private key, left out]');
    assert.equal(redacted('{"passphrase":"x y","user":"anna"}'), '{"passphrase":[left out],"user":"anna"}');
    assert.equal(redacted('{"group":"tokens","seats":3}'), '{"group":"tokens","seats":3}');
  });
});
