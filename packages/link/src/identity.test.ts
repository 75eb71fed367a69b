import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { createAuthority, issueCertificate } from './authority.ts';
import { roleInNames, roleOfCertificate } from './identity.ts';

describe('a certificate', () => {
  test('carries role, names and addresses, and leads to its authority', async () => {
    const authority = await createAuthority({ name: 'links of a group' });
    const options = {
      commonName: 'ls-1',
      role: 'license-server-1',
      hosts: ['ls-1.example', '127.0.0.1', '::1'],
      days: 30,
    };
    const issued = new X509Certificate((await issueCertificate(authority, options)).certificatePem);
    const issuer = new X509Certificate(authority.certificatePem);
    assert.equal(roleOfCertificate(issued.toString()), 'license-server-1');
    assert.equal(issued.checkHost('ls-1.example'), 'ls-1.example');
    assert.equal(issued.checkIP('127.0.0.1'), '127.0.0.1');
    assert.equal(issued.checkIP('::1'), '::1');
    assert.ok(issued.verify(issuer.publicKey) && issued.checkIssued(issuer));
    assert.deepEqual([issuer.ca, issued.ca], [true, false]);
    assert.equal(issued.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
    const days = (Date.parse(issued.validTo) - Date.now()) / 86_400_000;
    assert.ok(days > 29.9 && days <= 30);
  });

  test('is not made for a name or role that could be misread', async () => {
    const authority = await createAuthority({ name: 'a' });
    const issue = (role: string, host: string) =>
      issueCertificate(authority, { commonName: 'a', role, hosts: [host], days: 1 });
    await assert.rejects(issue('a, b', 'ls-1'), /not a role/);
    await assert.rejects(issue('client', 'ls-1, URI:trefoil:role:tmr-server-A'), /not a host/);
  });

  test('has a role only if its names say so without doubt', () => {
    assert.equal(roleInNames('DNS:a, URI:trefoil:role:client, IP Address:127.0.0.1'), 'client');
    assert.equal(roleInNames('DNS:a'), undefined);
    assert.equal(roleInNames(undefined), undefined);
    assert.equal(roleInNames('URI:trefoil:role:a, URI:trefoil:role:b'), undefined);
    assert.equal(roleInNames('DNS:"a, URI:trefoil:role:tmr-server-A, b"'), undefined);
    assert.equal(roleInNames('URI:trefoil:role:a b'), undefined);
  });
});
