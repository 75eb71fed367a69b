import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { createAuthority, type Identity, issueCertificate } from '@trefoil/link/authority';
import { childOf } from './laboratory/namespace.ts';
import { Site, VOTERS } from './laboratory/site.ts';

interface Finding {
  readonly level: string;
  readonly what: string;
  readonly found: string;
  readonly advice?: string;
}

/** A real group is hurt in one way after the other, on several hosts at once; each is told what to do. */
describe('trefoil doctor', { timeout: 240_000 }, () => {
  let site: Site;
  before(async () => {
    site = await Site.open();
    await site.whole();
  });
  after(() => site[Symbol.asyncDispose]());

  const doctor = async (name: string, zone = 'UTC') => {
    const { code, stdout, stderr } = await site.host(name).run(['env', `TZ=${zone}`, 'trefoil', 'doctor', '--json']);
    assert.ok(stdout.startsWith('{'), stderr);
    return { name, code, ...(JSON.parse(stdout) as { problems: number; findings: Finding[] }) };
  };
  type Report = Awaited<ReturnType<typeof doctor>>;
  const told = ({ findings }: Report): string => JSON.stringify(findings, undefined, 1);
  const isWell = (report: Report): void => assert.deepEqual([report.code, report.problems], [0, 0], told(report));
  const saysProblem = (report: Report, what: RegExp, found: RegExp, advice: RegExp): void => {
    const said = report.findings.filter((one) => one.level === 'problem' && what.test(one.what));
    assert.ok(
      said.some((one) => found.test(one.found) && advice.test(one.advice ?? '')),
      `${report.name}: no problem of ${what} is ${found}: ${told(report)}`,
    );
    assert.equal(report.code, 1);
  };
  const upgradeCheck = async (name: string) => site.host(name).run(['trefoil', 'upgrade-check']);
  const link = '/etc/trefoil/license-server';

  /** As the admin would issue it, for who is at 10.77.0.3. */
  const install = async (name: string, identity: Identity): Promise<void> => {
    await site.host(name).run(['tee', `${link}.crt.pem`], identity.certificatePem);
    await site.host(name).run(['tee', `${link}.key.pem`], identity.privateKeyPem);
  };
  const issuedBy = (authority: Identity, days: number): Promise<Identity> =>
    issueCertificate(authority, { commonName: VOTERS[2], role: VOTERS[2], hosts: ['10.77.0.3'], days });
  const linkAuthority = async (): Promise<Identity> => ({
    certificatePem: await site.admin.sh('cat /root/plant-7/admin/link-authority.pem'),
    privateKeyPem: await site.admin.sh('cat /root/plant-7/admin/link-authority.key.pem'),
  });
  /** By one byte, inside of the signature. */
  const altered = (text: string): string => {
    const at = text.lastIndexOf('.') + 10;
    return `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
  };
  const unpack = (name: string): Promise<string> => site.host(name).sh(`tar -C / -xzf /root/${name}.tar.gz`);

  test('all is well, on every kind of host and in every time zone', async () => {
    const reports = await Promise.all([
      doctor('license-server-1', 'Pacific/Auckland'),
      doctor('tmr-server-A', 'America/New_York'),
      doctor('admin'),
      doctor('client'),
    ]);
    for (const report of reports) isWell(report);
    const { validToDate } = new X509Certificate(await site.host(VOTERS[0]).sh(`cat ${link}.crt.pem`));
    const [utc] = validToDate.toISOString().replace('T', ' ').split('.');
    const said = reports[0]?.findings.find(({ what }) => what === 'link certificate of license server 1')?.found;
    assert.ok(said?.startsWith(`good until ${utc}Z`), said);
    assert.ok(reports[1]?.findings.some(({ what, level }) => what === 'keepalived' && level === 'ok'));
  });

  test('upgrade-check lets go whoever the group can do without', async () => {
    const leads = await site.active();
    const [voter, leader, client] = await Promise.all(['license-server-2', leads, 'client'].map(upgradeCheck));
    assert.deepEqual([voter?.code, client?.code], [0, 0], `${voter?.stdout}${client?.stdout}`);
    assert.match(voter?.stdout ?? '', /^Go on: the group is whole without license server 2\./);
    assert.equal(leader?.code, 1);
    assert.match(leader?.stdout ?? '', /^Not now:\n\n- TMR server [AB] leads now\n {2}Upgrade TMR server [AB] first/);
  });

  test('five hosts with a fault each: every one says its own', async () => {
    await site.service('license-server-1').stop();
    const script = 'import socket\ns = socket.create_server(("", 7411))\nwhile True: s.accept()[0].close()';
    const taker = site.host('license-server-1').spawn(['python3', '-c', script], { stdio: 'ignore' });
    await site.eventually('python3 listens', async () => {
      const listening = "cat /proc/net/tcp /proc/net/tcp6 | grep -c ':1CF3 .* 0A ' || :";
      return (await site.host('license-server-1').sh(listening)).trim() !== '0';
    });
    const group = await site.host('license-server-2').sh('cat /etc/trefoil/group.jws');
    await site.host('license-server-2').run(['tee', '/etc/trefoil/group.jws'], altered(group));
    await install('license-server-3', await issuedBy(await linkAuthority(), -0.5));
    await site.host('tmr-server-A').sh('kill $(cat /run/keepalived.pid)');
    await site.host('client').sh('sed -i "s/10.77.0.10:7410/10.77.0.2:7411/" /etc/trefoil/client.json');
    const [one, two, three, tmr, admin, client, notNow] = await Promise.all([
      ...[doctor('license-server-1'), doctor('license-server-2'), doctor('license-server-3')],
      ...[doctor('tmr-server-A'), doctor('admin'), doctor('client')],
      upgradeCheck('license-server-3'),
    ] as const);
    saysProblem(one, /^port 7411 /, /^taken by python3 \(process \d+\)$/, /can not start: stop that program/);
    saysProblem(
      two,
      /^documents /,
      /license-server\.yaml:\d+: \/etc\/trefoil\/group\.jws: .*altered$/,
      /copy admin\/group\.jws/,
    );
    saysProblem(three, /^link certificate /, /^expired at .*Z$/, /Have a new one issued/);
    saysProblem(tmr, /^keepalived$/, /^does not run$/, /systemctl enable --now keepalived/);
    saysProblem(tmr, /^license server 1 at /, /not as a server of Trefoil does/, /Another program has port 7411/);
    saysProblem(admin, /^redundancy$/, /^none left: one more failure stops grants$/, /take none out/);
    saysProblem(admin, /^license server 1$/, /^not connected/, /trefoil doctor/);
    saysProblem(client, /10\.77\.0\.2:7411/, /^license server 2 answers there, not a TMR server$/, /client add/);
    assert.equal(notNow.code, 1);
    assert.match(notNow.stdout, /without license server 3 too few would vote: license server 1 can not be counted on/);

    process.kill(childOf(taker.pid as number));
    await once(taker, 'exit');
    await site.host('license-server-2').run(['tee', '/etc/trefoil/group.jws'], group);
    await Promise.all([unpack('license-server-3'), site.startKeepalived('tmr-server-A')]);
    await site.copy('admin', '/root/plant-7/client.json', ['client'], '/etc/trefoil/client.json');
  });

  test('a server that does not run, two hosts with one identity, a certificate of a strange authority', async () => {
    await site.copy('admin', '/root/plant-7/license-server-3.tar.gz', ['license-server-2'], '/root/other.tar.gz');
    await site.host('license-server-2').sh('tar -C / -xzf /root/other.tar.gz');
    await install('license-server-3', await issuedBy(await createAuthority({ name: 'Strange authority' }), 365));
    const [one, two, three] = await Promise.all([
      ...[doctor('license-server-1'), doctor('license-server-2'), doctor('license-server-3')],
    ] as const);
    saysProblem(one, /^port 7411 /, /^nobody listens: license server 1 does not run$/, /systemctl enable --now/);
    saysProblem(
      two,
      /^address of license server 3$/,
      /^two hosts with one identity: /,
      /Only one host may be license server 3/,
    );
    saysProblem(two, /^port 7411 /, /^license server 2 runs here, and /, /one identity/);
    saysProblem(three, /^link certificate /, /is of another authority \(Strange authority\)/, /new one issued/);

    await Promise.all([unpack('license-server-2'), unpack('license-server-3')]);
    await site.service('license-server-1').start();
    await site.whole();
    for (const report of await Promise.all([doctor('license-server-2'), doctor('client')])) isWell(report);
  });
});
