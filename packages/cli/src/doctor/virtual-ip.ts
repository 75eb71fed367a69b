import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { parseAddress, PORTS, type StatusReply } from '@trefoil/api';
import type { GroupDocument } from '@trefoil/license';
import { type Finding, ok, problem, warning } from './finding.ts';
import { isOwn } from './documents.ts';
import type { OwnServer } from './host.ts';
import { isRunning, listenerAt, userOf } from './processes.ts';
import { passwd, SERVICE_USER, uidOf } from './secrets.ts';

const CONFIGURATION = '/etc/keepalived/keepalived.conf';

/** Of a TMR server that has one: keepalived, its configuration, the weight file, who holds the address. */
export async function virtualIpFindings(server: OwnServer, group: GroupDocument | undefined): Promise<Finding[]> {
  const { virtualIp } = server;
  if (virtualIp === undefined) return [];
  const { address, weightFile } = virtualIp;
  const peer = group?.tmrServers.find(({ id }) => id !== server.id)?.address;
  return [
    keepalivedFinding(await isRunning('keepalived'), address),
    ...(await configurationFindings(address, peer)),
    await weightFinding(weightFile, server),
    ok('virtual IP here', `${isOwn([address]) ? 'this host holds' : 'this host does not hold'} ${address}`),
  ];
}

export function keepalivedFinding(runs: boolean, address: string): Finding {
  if (runs) return ok('keepalived', 'runs');
  return problem(
    'keepalived',
    'does not run',
    `This host can not take ${address} over, and if it held it when keepalived died, it still does: "systemctl ` +
      'enable --now keepalived" ("apt install keepalived" where it is missing).',
  );
}

async function configurationFindings(address: string, peer: string | undefined): Promise<Finding[]> {
  const what = 'keepalived.conf';
  const text = await readFile(CONFIGURATION, 'utf8').catch(() => undefined);
  const exists = (device: string): boolean => existsSync(`/sys/class/net/${device}`);
  return judgeConfiguration(what, text, {
    address,
    peer: peer === undefined ? undefined : parseAddress(peer, PORTS.clients)?.host,
    exists,
  });
}

export function judgeConfiguration(
  what: string,
  text: string | undefined,
  parts: { address: string; peer: string | undefined; exists: (device: string) => boolean },
): Finding[] {
  const advice =
    `Correct ${CONFIGURATION}, or take it from the tarball of "trefoil init" for this host; then "systemctl ` +
    'restart keepalived".';
  if (text === undefined) return [problem(what, `there is no ${CONFIGURATION} that can be read`, advice)];
  const { address, peer, exists } = parts;
  const device = /^\s*interface\s+(\S+)/m.exec(text)?.[1];
  const words = text.split(/[\s{}]+/).map((word) => word.replace(/\/\d+$/, ''));
  const faults: Finding[] = [];
  if (device === undefined) faults.push(problem(what, 'names no interface', advice));
  else if (!exists(device))
    faults.push(
      problem(what, `this host has no interface ${device}`, `${advice} "ip -br addr" shows which there are.`),
    );
  if (!words.includes(address))
    faults.push(problem(what, `does not have ${address}, the virtual IP of tmr-server.yaml`, advice));
  if (peer !== undefined && !words.includes(peer))
    faults.push(problem(what, `does not name ${peer}, the other TMR server, as its peer`, advice));
  return faults.length > 0 ? faults : [ok(what, `${address} on ${device}`)];
}

async function weightFinding(file: string, server: OwnServer): Promise<Finding> {
  const what = 'weight file';
  const found = await stat(file).catch(() => undefined);
  const pid = (await listenerAt(server.listen.port))?.pid;
  const uid =
    (pid === undefined ? undefined : await userOf(pid).catch(() => undefined)) ?? uidOf(SERVICE_USER, passwd());
  return judgeWeightFile(what, file, found, uid);
}

/** @param uid of the server; undefined where nobody knows */
export function judgeWeightFile(
  what: string,
  file: string,
  found: { readonly mode: number; readonly uid: number } | undefined,
  uid: number | undefined,
): Finding {
  if (found === undefined)
    return problem(
      what,
      `there is no ${file}`,
      'The TMR server can not say whether it wants the virtual IP: "systemd-tmpfiles --create" makes it; restart ' +
        'trefoil-tmr-server and keepalived then.',
    );
  const writable =
    uid === undefined || uid === 0 || (found.uid === uid ? (found.mode & 0o200) !== 0 : (found.mode & 0o002) !== 0);
  if (writable) return ok(what, file);
  return problem(
    what,
    `the TMR server may not write ${file}`,
    `It can neither take nor give away the virtual IP: "chown ${SERVICE_USER}: ${file} && chmod 644 ${file}".`,
  );
}

/** As both TMR servers tell. */
export function holderFindings({ virtualIp, tmrServers }: StatusReply): Finding[] {
  if (virtualIp === '') return [];
  const what = `virtual IP ${virtualIp}`;
  const holders = tmrServers.filter(({ holdsVirtualIp }) => holdsVirtualIp).map(({ server }) => server);
  if (holders.length === 1) return [ok(what, `TMR server ${holders[0]} holds it`)];
  if (holders.length === 0)
    return [
      warning(
        what,
        'nobody holds it',
        'Clients still reach both TMR servers by their own addresses. Look on both hosts whether keepalived runs: ' +
          '"systemctl status keepalived".',
      ),
    ];
  return [
    problem(
      what,
      'both TMR servers hold it',
      'A keepalived died and left the address behind, or VRRP (IP protocol 112) does not get from one host to ' +
        'the other: "systemctl restart keepalived" on the one that does not lead, and let protocol 112 through ' +
        'the firewall.',
    ),
  ];
}
