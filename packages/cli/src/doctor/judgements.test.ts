import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { create, StatusReplySchema, type MessageInitShape } from '@trefoil/api';
import { fixture } from '@trefoil/license/fixtures';
import { dateFinding } from './dates.ts';
import { roomFinding, speedFinding, systemFinding } from './disk.ts';
import { elsewhere, sameGroupFinding } from './documents.ts';
import { type Finding, isFault } from './finding.ts';
import { clockFinding, clockFindings, groupFindings } from './group-findings.ts';
import { answerFinding, type Expectation } from './others.ts';
import { judgeHealth, judgeOpenFiles, ownPortFinding } from './own-port.ts';
import { type Answer, faultOf } from './probe.ts';
import { secretFinding, uidOf } from './secrets.ts';
import { versionFindings } from './versions.ts';
import { holderFindings, judgeConfiguration, judgeWeightFile, keepalivedFinding } from './virtual-ip.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.parse('2026-11-27T12:00:00Z');
const MIB = 1_048_576;

const server = {
  name: 'license server 1',
  kind: 'license-server',
  role: 'license-server-1',
  listen: { host: '0.0.0.0', port: 7411 },
  file: '/etc/trefoil/license-server.yaml',
} as const;
const place = { host: '10.0.0.1', port: 7411 };
const answers = (role: string | undefined, fault?: string): Answer => ({
  ...{ kind: 'certificate', role, fault, fingerprint: 'AA' },
});
const silent: Answer = { kind: 'silent', reason: 'nobody listens there' };
const stranger: Answer = { kind: 'stranger' };

type Status = MessageInitShape<typeof StatusReplySchema>;
const votes = (member: number, more: object = {}) => ({
  ...{ member, address: `10.0.0.${member}:7411`, connected: true, voting: true, clockOffsetMs: 0n, program: '2' },
  ...more,
});
const leads = (server: string, more: object = {}) => ({
  ...{ server, heard: true, address: `${server}:7410`, program: '2' },
  ...more,
});
const statusOf = (more: Status = {}) =>
  create(StatusReplySchema, {
    ...{ server: 'A', redundancy: 1, licenseServers: [votes(1), votes(2), votes(3)] },
    ...{ tmrServers: [leads('A', { active: true }), leads('B')], virtualIp: '' },
    ...more,
  });
const faultIn = (findings: readonly Finding[]): Finding => findings.find(isFault) as Finding;

const date = (notBeforeMs: number, notAfterMs: number): Finding =>
  dateFinding({ what: 'it', dates: { notBeforeMs, notAfterMs }, nowMs: NOW_MS, advice: 'Have a new one issued.' });
const offset = (...ms: number[]): Finding[] =>
  clockFindings(statusOf({ licenseServers: ms.map((one, i) => votes(i + 1, { clockOffsetMs: BigInt(one) })) }));
const port = (answer: Answer, listener?: { pid: number; program: string }, fingerprint = 'AA'): Finding =>
  ownPortFinding(server, { answer, listener, fingerprint });
const expecting = (role: string | undefined): Expectation => ({ what: 'it', place, role });
const keepalived = (text: string | undefined): Finding =>
  judgeConfiguration('it', text, {
    address: '10.0.0.10',
    peer: '10.0.0.5',
    exists: (device) => device === 'eth0',
  })[0] as Finding;
const CONF =
  'vrrp_instance x {\n interface eth0\n unicast_peer {\n 10.0.0.5\n }\n virtual_ipaddress {\n 10.0.0.10/24\n }\n}';
const weight = (found: { mode: number; uid: number } | undefined, uid?: number) =>
  judgeWeightFile('it', '/w', found, uid);
const { group } = fixture();
const addresses = [...group.tmrServers, ...group.licenseServers].map((one) => one.address);
const sameGroup = (told: { group?: string; addresses?: string[] }): Finding =>
  sameGroupFinding(group, { group: group.group, addresses, version: 'TMR server A', ...told });

/** What was seen → level, what is said of it, and of what to do. */
const CASES: readonly (readonly [string, Finding, Finding['level'], RegExp, RegExp?])[] = [
  ['dates: far', date(0, NOW_MS + 31 * DAY_MS), 'ok', /^good until 2026-12-28 12:00:00Z, 31 days from now$/],
  ['dates: soon', date(0, NOW_MS + 30 * DAY_MS - 1), 'warning', /29 days from now/, /new one/],
  ['dates: the last hours', date(0, NOW_MS + 3 * 3_600_000), 'warning', /, 3 h from now/, /new one/],
  ['dates: over', date(0, NOW_MS), 'problem', /^expired at 2026-11-27 12:00:00Z$/, /new one/],
  ['dates: not yet', date(NOW_MS + 1_000, NOW_MS + DAY_MS), 'problem', /good from .* on, and here it is/, /set-ntp/],
  ['room: enough', roomFinding('it', '/d', 2_048 * MIB), 'ok', /^2\.0 GiB free at \/d$/],
  ['room: little', roomFinding('it', '/d', 2_048 * MIB - 1), 'warning', /^2\.0 GiB free/, /stops voting: make room/],
  ['room: hardly any', roomFinding('it', '/d', 256 * MIB - 1), 'problem', /^255 MiB free/, /make room/],
  ['disk: quick', speedFinding('it', [...Array<number>(99).fill(1), 500]), 'ok', /within 1\.0 ms/],
  ['disk: slow', speedFinding('it', [1, 21]), 'warning', /within 21\.0 ms/, /faster disk/],
  ['disk: not one write in time', speedFinding('it', []), 'warning', /Infinity/, /faster disk/],
  ['file system: a disk', systemFinding('it', '/d', 0xef53), 'ok', /a disk of this host/],
  ['file system: memory', systemFinding('it', '/d', 0x0102_1994), 'problem', /on tmpfs/, /gone with the power/],
  ['file system: elsewhere', systemFinding('it', '/d', 0x6969), 'problem', /on NFS/, /not a disk of this host/],
  ['clock: right', clockFinding('it', 0, 'B'), 'ok', /^as that of B$/],
  ['clock: nearly', clockFinding('it', -500, 'B'), 'ok', /^500 ms behind B$/],
  ['clock: off', clockFinding('it', 501, 'B'), 'warning', /^501 ms ahead of B$/, /set-ntp.*zones are not the reason/],
  ['clock: far off', clockFinding('it', -2_001, 'B'), 'problem', /^2001 ms behind B$/, /set-ntp/],
  ['open files: enough', judgeOpenFiles('it', 'tmr-server', 16_384), 'ok', /up to 16384/],
  ['open files: any', judgeOpenFiles('it', 'tmr-server', Infinity), 'ok', /no limit/],
  ['open files: few', judgeOpenFiles('it', 'tmr-server', 1_024), 'warning', /fewer than 16384/, /LimitNOFILE=65536/],
  ['open files: few are many', judgeOpenFiles('it', 'license-server', 1_024), 'ok', /up to 1024/],
  ['health: well', judgeHealth('it', true, []), 'ok', /ready/],
  ['health: not', judgeHealth('it', false, ['no TMR server is connected']), 'problem', /no TMR server/, /port 7411/],
  ['health: without a word', judgeHealth('it', false, []), 'problem', /not ready/, /catch up/],
  ['own port: ours', port(answers('license-server-1'), { pid: 7, program: 'node' }), 'ok', /listens \(process 7\)/],
  ['own port: old', port(answers('license-server-1'), undefined, 'BB'), 'warning', /another certificate/, /restart/],
  [
    'own port: other server',
    port(answers('license-server-2')),
    'problem',
    /license server 2 runs here/,
    /one identity/,
  ],
  ['own port: taken', port(stranger, { pid: 7, program: 'nc' }), 'problem', /^taken by nc \(process 7\)$/, /ss -ltnp/],
  ['own port: taken, unseen', port(stranger), 'problem', /^taken by another program$/, /can not start/],
  ['own port: nobody', port(silent), 'problem', /does not run/, /enable --now trefoil-license-server/],
  [
    'other: as expected',
    answerFinding(expecting('tmr-server-A'), answers('tmr-server-A')),
    'ok',
    /TMR server A answers/,
  ],
  ['other: any TMR server', answerFinding(expecting(undefined), answers('tmr-server-B')), 'ok', /TMR server B/],
  [
    'other: silent',
    answerFinding(expecting('license-server-1'), silent),
    'problem',
    /nobody listens/,
    /firewall.*7411/,
  ],
  ['other: stranger', answerFinding(expecting(undefined), stranger), 'problem', /not as a server/, /which one/],
  [
    'other: no license server',
    answerFinding(expecting('license-server-1'), answers('license-server-2')),
    'problem',
    /^license server 2 answers there, not license server 1$/,
    /Two hosts have one identity/,
  ],
  [
    'other: a license server',
    answerFinding(expecting(undefined), answers('license-server-2')),
    'problem',
    /^license server 2 answers there, not a TMR server$/,
    /Clients talk to TMR servers only/,
  ],
  [
    'other: nobody',
    answerFinding(expecting('tmr-server-A'), answers(undefined)),
    'problem',
    /without a role/,
    /unpack/,
  ],
  [
    'other: not believed',
    answerFinding(expecting('tmr-server-A'), answers('tmr-server-A', 'its certificate has expired')),
    'problem',
    /^it answers, but its certificate has expired$/,
    /wrong authority or a wrong clock/,
  ],
  [
    'identity: twice',
    elsewhere('it', { server, place, answer: answers('license-server-1') }),
    'problem',
    /^two hosts with one identity: license server 1 answers at 10\.0\.0\.1:7411/,
    /Only one host may be/,
  ],
  [
    'identity: not here',
    elsewhere('it', { server, place, answer: silent }),
    'problem',
    /does not have that address/,
    /look for license server 1 there/,
  ],
  ['group: the same', sameGroup({}), 'ok', /names the same servers/],
  [
    'group: another',
    sameGroup({ addresses: ['10.9.9.9:7410'] }),
    'problem',
    /other servers/,
    /different group documents/,
  ],
  ['group: another name', sameGroup({ group: 'other' }), 'problem', /other servers/, /copy the newest/],
  [
    'key: closed',
    secretFinding('it', '/k', { mode: 0o100_600, uid: 5 }, 5) ?? roomFinding('it', '', Infinity),
    'ok',
    /./,
  ],
  [
    'key: open',
    secretFinding('it', '/k', { mode: 0o100_640, uid: 5 }, 5) as Finding,
    'problem',
    /others may read \/k/,
    /chmod 600 \/k/,
  ],
  [
    'key: of another',
    secretFinding('it', '/k', { mode: 0o100_600, uid: 0 }, 5) as Finding,
    'problem',
    /does not belong/,
    /chown trefoil: \/k/,
  ],
  ['keepalived: runs', keepalivedFinding(true, '10.0.0.10'), 'ok', /runs/],
  ['keepalived: not', keepalivedFinding(false, '10.0.0.10'), 'problem', /does not run/, /enable --now keepalived/],
  ['keepalived.conf: right', keepalived(CONF), 'ok', /10\.0\.0\.10 on eth0/],
  ['keepalived.conf: missing', keepalived(undefined), 'problem', /there is no/, /restart keepalived/],
  ['keepalived.conf: no interface', keepalived('x'), 'problem', /names no interface/, /Correct/],
  [
    'keepalived.conf: not here',
    keepalived(CONF.replace('eth0', 'eno1')),
    'problem',
    /no interface eno1/,
    /ip -br addr/,
  ],
  [
    'keepalived.conf: address',
    keepalived(CONF.replace('10.0.0.10', '10.0.0.11')),
    'problem',
    /does not have 10\.0\.0\.10/,
    /Correct/,
  ],
  [
    'keepalived.conf: peer',
    keepalived(CONF.replace('10.0.0.5', '10.0.0.6')),
    'problem',
    /does not name 10\.0\.0\.5/,
    /Correct/,
  ],
  ['weight file: there', weight({ mode: 0o100_644, uid: 5 }, 5), 'ok', /\/w/],
  ['weight file: missing', weight(undefined, 5), 'problem', /there is no \/w/, /systemd-tmpfiles/],
  ['weight file: of another', weight({ mode: 0o100_644, uid: 0 }, 5), 'problem', /may not write/, /chown trefoil: \/w/],
  [
    'holder: one',
    holderFindings(statusOf({ virtualIp: 'v', tmrServers: [leads('A', { holdsVirtualIp: true })] }))[0] as Finding,
    'ok',
    /TMR server A holds it/,
  ],
  [
    'holder: nobody',
    holderFindings(statusOf({ virtualIp: 'v' }))[0] as Finding,
    'warning',
    /nobody/,
    /status keepalived/,
  ],
  [
    'holder: both',
    holderFindings(
      statusOf({
        virtualIp: 'v',
        tmrServers: [leads('A', { holdsVirtualIp: true }), leads('B', { holdsVirtualIp: true })],
      }),
    )[0] as Finding,
    'problem',
    /both/,
    /protocol 112/,
  ],
  ['redundancy: gone', faultIn(groupFindings(statusOf({ redundancy: 0 }))), 'problem', /none left/, /take none out/],
  [
    'redundancy: below',
    faultIn(groupFindings(statusOf({ redundancy: -1 }))),
    'problem',
    /no seats/,
    /run to their end/,
  ],
  [
    'voter: away',
    faultIn(groupFindings(statusOf({ licenseServers: [votes(1, { connected: false })] }))),
    'problem',
    /not connected \(10\.0\.0\.1:7411\)/,
    /doctor/,
  ],
  [
    'voter: withholds',
    faultIn(groupFindings(statusOf({ licenseServers: [votes(1, { voting: false, withholding: 'old' })] }))),
    'problem',
    /does not vote: old/,
    /joins again by itself/,
  ],
  [
    'voter: unanchored',
    faultIn(groupFindings(statusOf({ licenseServers: [votes(1, { unanchored: true })] }))),
    'warning',
    /could not ask/,
    /settles by itself/,
  ],
  [
    'leader: unheard',
    faultIn(groupFindings(statusOf({ tmrServers: [leads('B', { heard: false })] }))),
    'problem',
    /do not hear/,
    /nobody takes over/,
  ],
  [
    'alarm',
    faultIn(groupFindings(statusOf({ alarms: ['fork: license server 2 lies'] }))),
    'problem',
    /fork: license/,
    /journalctl/,
  ],
  [
    'Node: old',
    versionFindings('1', 'v20.1.0').at(-1) as Finding,
    'problem',
    /older than 24/,
    /install the Debian package/,
  ],
];

describe('what is seen, and what is said of it', () => {
  for (const [name, finding, level, found, advice] of CASES)
    test(name, () => {
      assert.equal(finding.level, level);
      assert.match(finding.found, found);
      if (advice !== undefined) assert.match(isFault(finding) ? finding.advice : '', advice);
      assert.equal(isFault(finding), advice !== undefined, 'whoever reads of a fault is told what to do');
    });

  test('a single server has no redundancy, as it was planned', () => {
    const [first] = groupFindings(statusOf({ redundancy: 0, licenseServers: [votes(1)], tmrServers: [leads('A')] }));
    assert.deepEqual([first?.level, first?.found], ['ok', 'one server, no redundancy, as it was planned']);
  });

  test('where all clocks differ from one by the same, that one is wrong', () => {
    const [first, ...more] = offset(3_000, 3_010, 2_990);
    assert.equal(more.length, 0);
    assert.deepEqual(
      [first?.what, first?.level, first?.found],
      ['clock of TMR server A', 'problem', '3000 ms behind all license servers'],
    );
    assert.deepEqual(
      offset(3_000, 0, 10).map(({ level }) => level),
      ['problem', 'ok', 'ok'],
    );
  });

  test('what was said in other words is not said twice', () => {
    const alarms = [
      'redundancy-lost: no redundancy left, one more failure stops grants: license server 3 is not heard',
      'tmr-server-not-heard: TMR server B is not heard: if the other one …',
    ];
    const said = groupFindings(statusOf({ alarms })).filter(({ what }) => what === 'alarm');
    assert.deepEqual(said, []);
  });

  test('nobody is told of a virtual IP where there is none', () => assert.deepEqual(holderFindings(statusOf()), []));

  test('what OpenSSL says, in words', () => {
    assert.equal(faultOf('CERT_HAS_EXPIRED', 'h'), 'its certificate has expired');
    assert.match(faultOf('CERT_NOT_YET_VALID', 'h'), /not good yet, by the clock of this host/);
    assert.equal(faultOf('ERR_TLS_CERT_ALTNAME_INVALID', 'h'), 'its certificate does not name h');
    assert.equal(faultOf('UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'h'), 'its certificate is of another authority');
  });

  test("the service's user, in the system's list", () => {
    assert.equal(uidOf('trefoil', 'root:x:0:0::/:/bin/sh\ntrefoil:x:997:997::/:/bin/false\n'), 997);
    assert.equal(uidOf('trefoil', 'root:x:0:0::/:/bin/sh\n'), undefined);
  });
});
