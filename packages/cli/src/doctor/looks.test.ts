import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createAuthority, issueCertificate } from '@trefoil/link/authority';
import { listen } from '@trefoil/link/listen';
import { type Expected, examineCertificate } from './certificates.ts';
import { diskFindings } from './disk.ts';
import { failed, make, ok } from './finding.ts';
import { readHost } from './host.ts';
import { listenerAt, listeningInode, softLimit } from './processes.ts';
import { probe } from './probe.ts';
import { reportText } from './report.ts';

const directory = mkdtempSync(join(tmpdir(), 'trefoil-doctor-'));
after(() => rmSync(directory, { recursive: true }));
const authority = await createAuthority({ name: 'ours' });
const other = await createAuthority({ name: 'theirs' });
const issue = (by = authority, days = 365, role = 'license-server-1') =>
  issueCertificate(by, { commonName: role, role, hosts: ['127.0.0.1'], days });

describe('a certificate', () => {
  const expected: Expected = {
    ...{ role: 'license-server-1', authorityPem: authority.certificatePem, hosts: ['127.0.0.1'] },
    ...{ file: '/etc/trefoil/x.crt.pem', authorityName: 'link' as const },
  };
  const found = (pem: string, more: Partial<Expected> = {}) =>
    examineCertificate('it', pem, { ...expected, ...more }, Date.now()).map(({ level, found }) => `${level}: ${found}`);

  test('of our authority, with its role and names, in time', async () => {
    const said = found((await issue()).certificatePem);
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /^ok: good until \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, 364 days from now$/);
  });

  test('each thing that can be wrong with it is said', async () => {
    assert.match(
      found((await issue(other)).certificatePem)[0] ?? '',
      /^problem: .* is of another authority \(theirs\)/,
    );
    assert.match(found((await issue(authority, -0.5)).certificatePem)[0] ?? '', /^problem: expired at /);
    assert.match(found((await issue(authority, 29)).certificatePem)[0] ?? '', /^warning: good until .*, 28 days/);
    const { certificatePem } = await issue(authority, 365, 'license-server-2');
    assert.match(found(certificatePem)[0] ?? '', /^problem: .* is that of license server 2, not of license server 1$/);
    assert.match(found(certificatePem, { hosts: ['10.0.0.9', 'host'] })[1] ?? '', /does not name 10\.0\.0\.9 and host/);
    assert.match(found('x')[0] ?? '', /^problem: .*: not a certificate in PEM$/);
    assert.match(found(certificatePem, { authorityPem: undefined })[0] ?? '', /^not looked at: .*client\.json/);
    const old = await createAuthority({ name: 'old', days: 20 });
    const ends = found((await issue(old)).certificatePem, { authorityPem: old.certificatePem });
    assert.match(ends.at(-1) ?? '', /^warning: good until .*, 19 days/, 'the authority, too');
  });
});

describe('who is at a port', () => {
  test('a server, by its certificate, whether it lets us in or not', async () => {
    const identity = await issue();
    await using listener = await listen({
      ...{ host: '127.0.0.1', port: 0, identity, clientAuthorityPem: authority.certificatePem },
      requireRole: (role) => role === 'tmr-server-A',
      onConnection: () => assert.fail('nobody was let in'),
    });
    const place = { host: '127.0.0.1', port: listener.port };
    const seen = await probe(place, { authorityPem: authority.certificatePem, byName: true });
    assert.ok(seen.kind === 'certificate');
    assert.deepEqual([seen.role, seen.fault], ['license-server-1', undefined]);
    const judged = await probe(place, { authorityPem: other.certificatePem });
    assert.equal(judged.kind === 'certificate' && judged.fault, 'its certificate is of another authority');
    assert.equal((await listenerAt(listener.port))?.pid, process.pid);
  });

  test('a stranger, or nobody', async () => {
    const server = createServer((socket) => socket.resume().end('hello\n')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const place = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    assert.deepEqual(await probe(place, { authorityPem: undefined }), { kind: 'stranger' });
    server.close();
    await once(server, 'close');
    assert.deepEqual(await probe(place, { authorityPem: undefined }), {
      kind: 'silent',
      reason: 'nobody listens there',
    });
    assert.equal(await listenerAt(place.port), undefined);
  });

  test("the system's tables", () => {
    const row = (port: string, state: string) => `   0: 0100007F:${port} 00000000:0000 ${state} 0:0 0:0 0 0 0 4242 1`;
    assert.equal(listeningInode(`sl\n${row('1CF2', '01')}\n${row('1CF3', '0A')}`, 7411), '4242');
    assert.equal(listeningInode(`sl\n${row('1CF3', '01')}`, 7411), undefined, 'a connection listens to nobody');
    const limits = (soft: string) => `Limit  Soft  Hard  Units\nMax open files            ${soft}      20000   files\n`;
    assert.equal(softLimit(limits('1024')), 1_024);
    assert.equal(softLimit(limits('unlimited')), Infinity);
  });
});

test('a disk is measured, and left as it was', async () => {
  const findings = await diskFindings('it', join(directory, 'not/made/yet'));
  assert.equal(findings.length, 3);
  assert.match(findings[2]?.found ?? '', /^99 of 100 writes reach it within [0-9.]+ ms$/);
  assert.deepEqual(readdirSync(directory), []);
});

describe('a look', () => {
  test('that takes too long is given up', async () => {
    const [late] = await make({ what: 'it', look: () => new Promise(() => undefined) }, 20);
    assert.deepEqual([late?.level, late?.found], ['problem', 'no answer within 0.02 s']);
  });

  test('that this user may not take is never called well', async () => {
    const forbidden = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    const [unseen] = await make({ what: 'it', look: () => Promise.reject(forbidden) });
    assert.deepEqual(unseen, { level: 'not looked at', what: 'it', found: 'not looked at: run as root' });
    const gone = Object.assign(new Error('ENOENT'), { code: 'ENOENT', path: '/x' });
    assert.match(failed('it', gone).found, /^\/x: there is no such file or folder$/);
  });

  test('is told in a table, with what to do below', () => {
    const text = reportText([
      ok('one', 'well'),
      { level: 'not looked at', what: 'two', found: 'not looked at: run as root' },
      { level: 'warning', what: 'three', found: 'so\u001b[1mso', advice: 'Do this.' },
    ]);
    assert.match(text, /^ok +one +well$/m);
    assert.match(text, /^– +two +not looked at: run as root$/m);
    assert.match(text, /^warning: three: so·\[1mso\n {2}Do this\.$/m);
    assert.match(text, /\n0 problems, 1 warning; 1 thing not looked at\.$/);
    assert.match(reportText([ok('one', 'well')]), /\nAll is well\.$/);
    assert.match(
      reportText([ok('one', 'well'), { level: 'not looked at', what: 'x', found: 'y' }]),
      /Nothing wrong was/,
    );
  });
});

test('what a host is, its files tell; a line that is wrong is named', async () => {
  const file = join(directory, 'license-server.yaml');
  writeFileSync(file, 'member: 4\ndataDirectory: /d\n');
  const { servers, findings } = await readHost({ etc: directory });
  assert.deepEqual(servers, []);
  assert.match(findings[0]?.found ?? '', /license-server\.yaml:1: /);
  assert.match(findings[1]?.found ?? '', /^cannot read .*client\.json: there is no such file$/);
  rmSync(file);
});
