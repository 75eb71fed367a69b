import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { toBase64url, verifyGroupDocument } from '@trefoil/license';
import { nodeCrypto } from '@trefoil/license/node-crypto';
import { createKey } from '@trefoil/vendor';
import { extract } from 'tar-stream';
import { readAnswers } from './answers.ts';
import { askFor } from './ask.ts';
import { hostArchive } from './host-archive.ts';
import { makeGroup } from './make-group.ts';
import { nextSteps } from './next-steps.ts';

const FIVE = {
  group: 'plant-7',
  licenseServers: ['10.0.0.1', '10.0.0.2', '10.0.0.3:7500'],
  tmrServers: ['10.0.0.4', '10.0.0.5'],
};
const VENDOR_ROOT = toBase64url(createKey().publicKey.bytes);

describe('answers that can not be are refused in words', () => {
  const cases: readonly [string, object, RegExp][] = [
    [
      'two license servers',
      { licenseServers: ['10.0.0.1', '10.0.0.2'] },
      /^"licenseServers": names 2 servers; it has to be three, or one/,
    ],
    [
      'one TMR server for three',
      { tmrServers: ['10.0.0.4'] },
      /^"tmrServers": names 1 servers; three license servers have two$/,
    ],
    [
      'two roles on one host',
      { tmrServers: ['10.0.0.4', '10.0.0.1'] },
      /^"tmrServers\[1\]": 10\.0\.0\.1 is named twice/,
    ],
    ['a name in capitals', { group: 'Plant 7' }, /^"group": has to be lower case/],
    ['no prefix', { virtualIp: '10.0.0.10' }, /^"virtualIp": is not an address with the length of its prefix/],
    ['a prefix that is none', { virtualIp: '10.0.0.10/33' }, /^"virtualIp": is not an address with/],
    [
      "a server's own address",
      { virtualIp: '10.0.0.4/24' },
      /^"virtualIp": 10\.0\.0\.4 is the own address of a server/,
    ],
    [
      'names, for keepalived',
      { virtualIp: '10.0.0.9/24', tmrServers: ['a', '10.0.0.5'] },
      /^"tmrServers\[0\]": a has to be an IPv4/,
    ],
    ['two families', { virtualIp: 'fd00::9/64' }, /^"tmrServers\[0\]": 10\.0\.0\.4 has to be an IPv6 address/],
    [
      'a port that is none',
      { licenseServers: ['a:99999', 'b', 'c'] },
      /^"licenseServers\[0\]": is not an address like/,
    ],
    ['a virtual router', { virtualRouter: 256 }, /^"virtualRouter" may be at most 255$/],
    ['a misspelt key', { virtualIP: '10.0.0.10/24' }, /^unknown key "virtualIP"; did you mean "virtualIp"\?$/],
  ];
  for (const [name, change, says] of cases)
    test(name, () => assert.throws(() => readAnswers(undefined, { ...FIVE, ...change }), { message: says }));

  test('in a file, with its line', () => {
    const directory = mkdtempSync(join(tmpdir(), 'trefoil-init-'));
    try {
      const file = join(directory, 'answers.yaml');
      writeFileSync(file, 'group: plant-7\nlicenseServers: [a, b, c]\ntmrServers: [d, d]\n');
      assert.throws(() => readAnswers(file, {}), {
        message: `${file}:3: "tmrServers[1]": d is named twice: each of the five is a host of its own, or one failure takes two of them`,
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

test('each question is asked until its answer can be', async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  const lines = ['Plant 7', 'plant-7', 'a b', 'a b c', 'd', '10.0.0.4, 10.0.0.5', '', '', ''];
  let said = '';
  output.on('data', (data: Buffer) => {
    said += data.toString();
    if (said.endsWith(': ')) input.write(`${lines.shift() ?? ''}\n`);
  });
  const answers = await askFor({}, { input, output });
  assert.deepEqual(answers.licenseServers, ['a', 'b', 'c']);
  assert.deepEqual(answers.tmrServers, ['10.0.0.4', '10.0.0.5']);
  assert.equal(answers.virtualIp, undefined);
  assert.match(said, /names 2 servers; it has to be three, or one alone\n/);
  assert.match(said, /names 1 servers; three license servers have two\n/);
  assert.doesNotMatch(said, /interface/, 'there is no virtual IP to carry');
});

test('whoever stops while he is asked gets a sentence', async () => {
  const input = new PassThrough();
  const asked = askFor({}, { input, output: new PassThrough() });
  input.end();
  await assert.rejects(asked, { message: 'stopped; nothing is written' });
});

test('a host gets its own files, with owners and rights, and nothing of the others', async () => {
  const answers = readAnswers(undefined, { ...FIVE, virtualIp: '10.0.0.10/24' });
  const group = await makeGroup(answers, VENDOR_ROOT);
  const document = verifyGroupDocument(nodeCrypto(), group.groupDocument);
  assert.deepEqual(
    document.licenseServers.map(({ address }) => address),
    ['10.0.0.1:7411', '10.0.0.2:7411', '10.0.0.3:7500'],
  );
  assert.deepEqual(
    group.hosts.map(({ name, host }) => `${name} ${host}`),
    [1, 2, 3].map((n) => `license-server-${n} 10.0.0.${n}`).concat('tmr-server-A 10.0.0.4', 'tmr-server-B 10.0.0.5'),
  );
  for (const host of group.hosts) {
    const files = await unpacked(await hostArchive(host, new Date(0)));
    const isTmr = host.name.startsWith('tmr');
    const secrets = [...(isTmr ? ['tmr-server.key.pem', 'client.key.pem', 'tmr.key'] : ['license-server.key.pem'])].map(
      (name) => `etc/trefoil/${name}`,
    );
    assert.deepEqual(
      files
        .filter(({ mode }) => mode === 0o600)
        .map(({ name }) => name)
        .sort(),
      secrets.sort(),
    );
    for (const { name, mode, owner } of files)
      assert.equal(owner, mode === 0o600 ? 'trefoil' : 'root', `${host.name}: ${name}`);
    assert.equal(
      files.some(({ name }) => name === 'etc/keepalived/keepalived.conf'),
      isTmr,
    );
    const secret = group.admin.toPem().split('\n')[1] as string;
    for (const { text } of files)
      assert.ok(!text.includes(secret) && !text.includes(group.authorities.link.privateKeyPem));
  }
});

test('the next steps name every host and every file', async () => {
  for (const given of [FIVE, { group: 'small', licenseServers: ['one'], tmrServers: ['one:7420'] }]) {
    const answers = readAnswers(undefined, given);
    const group = await makeGroup(answers, VENDOR_ROOT);
    const steps = nextSteps(answers, group, 'folder');
    for (const { name, host } of group.hosts)
      assert.match(steps, new RegExp(`scp folder/${name}\\.tar\\.gz root@${host}:`));
    for (const line of steps.split('\n')) assert.ok(!line.includes('undefined'), line);
  }
});

interface Unpacked {
  readonly name: string;
  readonly mode: number;
  readonly owner: string;
  readonly text: string;
}

async function unpacked(archive: Buffer): Promise<Unpacked[]> {
  const files: Unpacked[] = [];
  const reader = extract();
  reader.end(gunzipSync(archive));
  for await (const entry of reader) {
    const { name, mode, uname } = entry.header;
    files.push({ name, mode, owner: uname, text: (await buffer(entry)).toString() });
  }
  return files;
}
