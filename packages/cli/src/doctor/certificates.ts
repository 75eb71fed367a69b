import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { readCertificateFiles, readTextFile } from '@trefoil/host';
import { roleOfCertificate } from '@trefoil/link';
import { dateFinding } from './dates.ts';
import { failed, type Finding, isFault, notLookedAt, ok, problem } from './finding.ts';
import { nameOfRole, type OwnIdentity, type OwnServer } from './host.ts';

/** What a certificate has to be. */
export interface Expected {
  readonly role: string;
  /** Undefined: nobody here knows it. */
  readonly authorityPem: string | undefined;
  /** Under which clients find its holder; of a link the role counts alone. */
  readonly hosts: readonly string[];
  /** Where the file is, for who has to replace it. */
  readonly file: string;
  readonly authorityName: 'link' | 'client';
}

/** Every certificate of a server: chain, role, names, dates and key. */
export async function certificateFindings(
  server: OwnServer,
  {
    clientAuthorityPem,
    hosts,
    nowMs,
  }: { clientAuthorityPem: string | undefined; hosts: readonly string[]; nowMs: number },
): Promise<Finding[]> {
  const findings = await Promise.all(
    server.identities.map(async ({ purpose, files }: OwnIdentity): Promise<Finding[]> => {
      const what = `${purpose} certificate of ${server.name}`;
      try {
        const authorityPem = purpose === 'link' ? await readTextFile(files.authority) : clientAuthorityPem;
        const expected: Expected = {
          ...{ role: server.role, authorityPem, file: files.certificate, authorityName: purpose },
          hosts: purpose === 'client' ? hosts : [],
        };
        const certificatePem = await readTextFile(files.certificate);
        const key = await keyFinding(`${purpose} key of ${server.name}`, files);
        return [...examineCertificate(what, certificatePem, expected, nowMs), key];
      } catch (error) {
        return [failed(what, error)];
      }
    }),
  );
  return findings.flat();
}

async function keyFinding(what: string, files: OwnIdentity['files']): Promise<Finding> {
  try {
    await readCertificateFiles(files);
    return ok(what, 'belongs to its certificate');
  } catch (error) {
    const advice =
      `The server does not start with it: ${files.certificate} and ${files.key} were made together; unpack both ` +
      'from the tarball of "trefoil init" for this host, or have both issued anew.';
    return failed(what, error, advice);
  }
}

export function examineCertificate(what: string, pem: string, expected: Expected, nowMs: number): Finding[] {
  const { role, authorityPem, hosts, authorityName, file } = expected;
  const anew =
    `Have a new one issued by the group's ${authorityName} authority (admin/${authorityName}-authority.pem ` +
    `in the folder of "trefoil init"), put it and its key at ${file}, and restart the server.`;
  const certificate = parsed(pem);
  if (certificate === undefined) return [problem(what, `${file}: not a certificate in PEM`, anew)];
  const trusted = authorityPem === undefined ? [] : authoritiesIn(authorityPem);
  // While authorities are changed, two are trusted.
  const authority = trusted.find((one) => isIssuedBy(certificate, one)) ?? trusted[0];
  const findings: Finding[] = [];
  if (authorityPem === undefined)
    findings.push(notLookedAt(`${what}, its authority`, 'it is in client.json, which is missing'));
  else if (authority === undefined || !isIssuedBy(certificate, authority))
    findings.push(problem(what, `${file} is of another authority (${issuerOf(certificate)}) than this group's`, anew));
  const has = roleOfCertificate(pem);
  if (has !== role)
    findings.push(
      problem(
        what,
        `${file} is that of ${has === undefined ? 'nobody (it has no role)' : nameOfRole(has)}, not of ${nameOfRole(role)}`,
        `The others turn it away. Unpack the tarball of "trefoil init" that is meant for ${nameOfRole(role)}.`,
      ),
    );
  const missing = hosts.filter((host) => !names(certificate, host));
  if (missing.length > 0)
    findings.push(
      problem(what, `${file} does not name ${missing.join(' and ')}: clients that come by it turn away`, anew),
    );
  findings.push(dateFinding({ what, dates: datesOf(certificate), nowMs, advice: anew }));
  if (authority !== undefined) {
    const ends = dateFinding({
      what: `${authorityName} authority`,
      dates: datesOf(authority),
      nowMs,
      advice: `Every ${authorityName} certificate of the group ends with it: plan a new authority, and certificates for all servers.`,
    });
    if (isFault(ends)) findings.push(ends);
  }
  return findings;
}

function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

function authoritiesIn(pem: string): X509Certificate[] {
  const all = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return all.flatMap((one) => parsed(one) ?? []);
}

function datesOf({ validFromDate, validToDate }: X509Certificate) {
  return { notBeforeMs: validFromDate.getTime(), notAfterMs: validToDate.getTime() };
}

function names(certificate: X509Certificate, host: string): boolean {
  return (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
}

function issuerOf({ issuer }: X509Certificate): string {
  return /^CN=(.*)$/m.exec(issuer)?.[1] ?? 'without a name';
}

function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
